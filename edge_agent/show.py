"""`agent parse`: the Runs that a file holds, one JSON a line; sends nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from broker.errors import SettingsError
from edge_agent.formats import Item, Options, Parsed, Skipped, Unparsed, open_parser
from edge_agent.formats.runs import run_json
from edge_agent.tail import OpenFile


def show_file(file: Path, format_name: str, options: Options, out: TextIO, err: TextIO) -> bool:
    """Print every run to `out`, every piece that was not understood and the sum to `err`.

    Returns:
        True when a run was found, or the file is empty.

    Raises:
        SettingsError: There is no such format, or the file cannot be read.
    """
    parser = open_parser(format_name, options, file.name)
    sums = _Sums(out, err)
    for chunk in _chunks(file):
        sums.byte_count += len(chunk)
        for item in parser.feed(chunk):
            sums.add(item)
    for item in parser.finish():
        sums.add(item)
    out.flush()
    explained = sums.byte_count - sums.unparsed_count
    print(f"explained {explained} of {sums.byte_count} bytes, {sums.run_count} runs", file=err)
    return sums.run_count > 0 or sums.byte_count == 0


def _chunks(file: Path) -> Iterator[bytes]:
    try:
        with OpenFile(file) as opened:
            for _, chunk in opened.chunks(0):
                yield chunk
    except OSError as error:
        raise SettingsError(f"{file} cannot be read ({error.strerror or error}).") from error


class _Sums:
    """Prints items and counts them."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out, self._err = out, err
        self.byte_count = self.unparsed_count = self.run_count = 0

    def add(self, item: Item) -> None:
        if isinstance(item, Parsed):
            self.run_count += len(item.runs)
            for run in item.runs:
                print(run_json(run).decode(), file=self._out)
            for hole in item.holes:
                self._complain(hole)
        elif not isinstance(item, Skipped):
            self._complain(item)

    def _complain(self, piece: Unparsed) -> None:
        self.unparsed_count += piece.byte_end - piece.byte_start
        print(f"unparsed {piece.byte_start}-{piece.byte_end}: {piece.reason}", file=self._err)
