"""One look at one file: recognise it, feed its new bytes to a parser, keep what comes out.

Of the file a chunk, the parser's unit and one batch are in memory, whatever its size.
"""

import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from edge_agent.config import SourceSettings
from edge_agent.formats import (
    JSON,
    Item,
    Options,
    Parsed,
    Parser,
    Skipped,
    Unparsed,
    as_utf8,
    forwards_lines,
    open_parser,
)
from edge_agent.payload import first_record_hash, line_payload, message_id, run_payload
from edge_agent.spool import Batch, KnownFile, Refusal, Spool
from edge_agent.tail import Mark, OpenFile

BATCH_RECORDS_MAX: Final = 200
BATCH_BYTES_MAX: Final = 8_388_608
BATCH_S: Final = 0.1
REFUSED_CONTENT_BYTES_MAX: Final = 1_048_576
_CHANGED: Final = "it was changed while it was read"

log = structlog.get_logger()

Keep = Callable[[Batch, str, KnownFile], None]
"""Commits a batch; waits while the spool is full."""


class Ending(StrEnum):
    """What the end of a file means for its last record."""

    OPEN = "open"
    """It may grow: half a record waits."""
    QUIET = "quiet"
    """Nobody has written for a while: one that lacks only its newline is taken."""
    FINAL = "final"
    """Nothing more will come: half a one is refused."""


class Live(NamedTuple):
    """A parser in the middle of a unit: the next look goes on feeding it."""

    parser: Parser
    fed: Mark
    """Up to where it was fed; the unit began before."""
    file_id: int


class Intake:
    """One look. Make it with the file open, call `read` once."""

    def __init__(
        self, source: SourceSettings, options: Options, path: Path, file: OpenFile, spool: Spool
    ) -> None:
        self._source, self._options = source, options
        self._path, self._file, self._spool = str(path), file, spool
        self._chunk_start, self._chunk = 0, b""
        self._batch = spool.batch(source.machine_id)
        self._batch_began = 0.0

    def read(self, node: str, live: Live | None, keep: Keep, ending: Ending) -> Live | None:
        """Read from where the last look ended to the end of the file.

        Args:
            node: The file's device and inode.
            live: What the last look returned.
            keep: Called with each batch.
            ending: What the end of the file means for its last record.

        Returns:
            A parser that waits for the rest of its unit; None when nothing is left over.

        Raises:
            OSError: The file cannot be read.
        """
        self._keep = keep
        self._known = known = self._recognise(node)
        self._committed = known.mark.offset
        self._end, self._state = known.mark.offset, known.state
        self._first_record = known.first_record
        parser, fed = self._parser(live)
        for start, chunk in self._file.chunks(fed):
            self._chunk_start, self._chunk = start, chunk
            fed = start + len(chunk)
            self._take_all(parser.feed(chunk), parser)
        if ending is Ending.FINAL:
            self._take_all(parser.finish(), parser)
        elif ending is Ending.QUIET and fed > self._end:
            self._take_last()
        self._commit()
        if fed <= self._end:
            return None
        return Live(parser, self._file.mark(fed), known.id)

    def _recognise(self, node: str) -> KnownFile:
        """Return what is known of this file: where reading goes on, or a fresh start at 0."""
        machine_id = self._source.machine_id
        candidates = self._spool.known_files(machine_id, self._path, node)
        known = next((each for each in candidates if self._file.is_at(each.mark)), None)
        file_id = self._spool.claim(machine_id, self._path, node, known)
        if known is None:
            self._batch = self._spool.batch(machine_id)  # its epoch may be another one now
            return KnownFile(file_id, Mark.nothing(), None, {})
        return known

    def _parser(self, live: Live | None) -> tuple[Parser, int]:
        if live and live.file_id == self._known.id and self._file.is_at(live.fed):
            return live.parser, live.fed.offset
        return self._fresh_parser(), self._end

    def _fresh_parser(self) -> Parser:
        source = self._source
        return open_parser(source.format, self._options, self._path, self._end, self._state)

    def _take_last(self) -> None:
        """Take the rest of a quiet file if `finish` understands it, without deciding otherwise."""
        parser = self._fresh_parser()
        found: list[tuple[Item, dict[str, JSON]]] = []
        for _, chunk in self._file.chunks(self._end):
            found += [(item, parser.state()) for item in parser.feed(chunk)]
        found += [(item, parser.state()) for item in parser.finish()]
        if not any(isinstance(item, Unparsed) for item, _ in found):
            for item, state in found:
                self._take(item, state)

    def _take_all(self, items: Iterator[Item], parser: Parser) -> None:
        for item in items:
            self._take(item, parser.state())

    def _take(self, item: Item, state: dict[str, JSON]) -> None:
        if not self._batch.read_count:
            self._batch_began = time.monotonic()
        if not isinstance(item, Skipped):
            if self._first_record is None:
                self._first_record = first_record_hash(as_utf8(self._raw(item), state))
            if isinstance(item, Parsed):
                self._add_parsed(item, as_utf8(self._raw(item), state))
            else:
                self._refuse(item)
        self._end, self._state = item.byte_end, state
        if self._is_batch_full():
            self._commit()

    def _is_batch_full(self) -> bool:
        batch = self._batch
        return batch.read_count > 0 and (
            batch.read_count >= BATCH_RECORDS_MAX
            or batch.payload_bytes >= BATCH_BYTES_MAX
            or time.monotonic() - self._batch_began >= BATCH_S
        )

    def _add_parsed(self, item: Parsed, raw: bytes) -> None:
        first = self._first_record or b""
        ids = [message_id(first, item.byte_start, raw, index) for index in range(len(item.runs))]
        if forwards_lines(self._source.format):
            try:
                payload = line_payload(raw, item.runs, ids, self._batch.numbering)
            except ValueError as error:  # it was understood a moment ago
                raise OSError(_CHANGED) from error
            size, size_max = len(payload.body), self._options.payload_bytes_max
            if size > size_max:
                reason = f"a message of {size} bytes, above the limit of {size_max}"
                self._refuse(Unparsed(reason, item.byte_start, item.byte_end))
                return
            self._batch.add(payload)
        else:
            for run, identity in zip(item.runs, ids, strict=True):
                self._batch.add(run_payload(run, identity, self._batch.numbering))
        self._batch.read_count += 1 if forwards_lines(self._source.format) else len(item.runs)
        for hole in item.holes:
            self._refuse(hole)

    def _refuse(self, piece: Unparsed) -> None:
        self._batch.read_count += 1
        self._batch.refusals.append(
            Refusal(piece.byte_start, piece.byte_end, piece.reason, self._raw(piece))
        )

    def _raw(self, item: Parsed | Unparsed) -> bytes:
        """Return an item's bytes; of a long one that was not understood only the first."""
        start, end = item.byte_start, item.byte_end
        if isinstance(item, Unparsed):
            end = min(end, start + REFUSED_CONTENT_BYTES_MAX)
        chunk_end = self._chunk_start + len(self._chunk)
        if self._chunk_start <= start and end <= chunk_end:
            return self._chunk[start - self._chunk_start : end - self._chunk_start]
        raw = self._file.read(start, end)
        if len(raw) < end - start:
            raise OSError(_CHANGED)
        return raw

    def _commit(self) -> None:
        batch = self._batch
        if not batch.read_count and self._end == self._committed:
            return
        mark = self._file.mark(self._end)
        known = KnownFile(self._known.id, mark, self._first_record, self._state)
        self._keep(batch, self._path, known)
        self._committed = self._end
        if batch.refusals:
            log.warning(
                "records_refused",
                machine_id=batch.machine_id,
                file=self._path,
                count=len(batch.refusals),
                byte_start=batch.refusals[0].byte_start,
                reason=batch.refusals[0].reason,
            )
        self._batch = self._spool.batch(batch.machine_id)
