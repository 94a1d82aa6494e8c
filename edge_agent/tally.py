"""How much of a file a format explains: for `agent parse`, `agent check` and `agent init`."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_agent.formats import Item, Options, Parsed, Skipped, Unparsed, open_parser
from edge_agent.tail import signature
from edge_agent.zipped import open_log

SAMPLE_BYTES: Final = 1_048_576
"""How much of a file says enough about its format."""


@dataclass
class Tally:
    """Counts what a parser yields."""

    run_count: int = 0
    unparsed_bytes: int = 0
    byte_end: int = 0
    """Where the last item ended."""
    first_reason: str | None = None
    """Why the first piece was not understood."""

    def add(self, item: Item) -> tuple[Unparsed, ...]:
        """Count one item; return its pieces that were not understood, often none."""
        self.byte_end = item.byte_end
        if isinstance(item, Parsed):
            self.run_count += len(item.built)
        pieces = _not_understood(item)
        for piece in pieces:
            self.unparsed_bytes += piece.byte_end - piece.byte_start
            self.first_reason = self.first_reason or piece.reason
        return pieces


def _not_understood(item: Item) -> tuple[Unparsed, ...]:
    if isinstance(item, Parsed):
        return item.holes
    return () if isinstance(item, Skipped) else (item,)


@dataclass(frozen=True)
class Coverage:
    """What a format makes of a file, or of its beginning."""

    byte_count: int
    """Bytes that were judged: half a record where the sample was cut does not count."""
    explained_bytes: int
    run_count: int
    first_reason: str | None
    """Why the first piece was not understood."""

    @property
    def percent(self) -> float:
        """Explained bytes of all, in percent; 0 where nothing could be judged."""
        return 100 * self.explained_bytes / self.byte_count if self.byte_count else 0.0


def newest(paths: Iterable[Path]) -> Path | None:
    """Return the file that was written last; None without one."""
    return max(paths, key=_written_at, default=None)


def cover(path: Path, format_name: str, options: Options) -> Coverage:
    """Parse the first `SAMPLE_BYTES` of a file and count what was understood.

    Raises:
        OSError: It cannot be read.
        SettingsError: There is no such format.
    """
    parser, tally, fed = open_parser(format_name, options, path.name), Tally(), 0
    with open_log(str(path)) as file:
        for start, chunk in file.chunks(0):
            if start >= SAMPLE_BYTES:
                break
            fed = start + len(chunk)
            for item in parser.feed(chunk):
                tally.add(item)
        else:
            for item in parser.finish():
                tally.add(item)
    judged = tally.byte_end or fed
    explained = tally.byte_end - tally.unparsed_bytes
    return Coverage(judged, explained, tally.run_count, tally.first_reason)


def _written_at(path: Path) -> int:
    found = signature(path)
    return found.modified_ns if found else 0
