"""`agent parse`: the Runs that a file holds, one JSON a line; sends nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from broker.errors import SettingsError
from edge_agent.formats import Item, Options, Parsed, open_parser
from edge_agent.formats.runs import run_json
from edge_agent.tally import Tally
from edge_agent.zipped import open_log


class Screen(NamedTuple):
    """Where it is shown."""

    out: TextIO
    """Takes the runs."""
    err: TextIO
    """Takes the rest."""
    on_read: Callable[[int], object] = lambda _: None
    """Told how many bytes have been dealt with, again and again."""


def show_file(file: Path, format_name: str, options: Options, screen: Screen) -> bool:
    """Print every run, every piece that was not understood, and the sum.

    Returns:
        True when a run was found, or the file is empty.

    Raises:
        SettingsError: There is no such format, or the file cannot be read.
    """
    parser = open_parser(format_name, options, file.name)
    tally, byte_count = Tally(), 0
    for chunk in _chunks(file):
        byte_count += len(chunk)
        _show(parser.feed(chunk), tally, screen)
        screen.on_read(byte_count)
    _show(parser.finish(), tally, screen)
    screen.out.flush()
    is_found = tally.run_count > 0 or byte_count == 0
    if not is_found:
        print(
            f"no run found in {file.name} as {format_name}. Check format and options; which format"
            " fits is tried by `yieldline agent init`.",
            file=screen.err,
        )
    explained = byte_count - tally.unparsed_bytes
    print(f"explained {explained} of {byte_count} bytes, {tally.run_count} runs", file=screen.err)
    return is_found


def _chunks(file: Path) -> Iterator[bytes]:
    try:
        with open_log(str(file)) as opened:
            for _, chunk in opened.chunks(0):
                yield chunk
    except OSError as error:
        raise SettingsError(f"{file} cannot be read ({error.strerror or error}).") from error


def _show(items: Iterator[Item], tally: Tally, screen: Screen) -> None:
    for item in items:
        if isinstance(item, Parsed):
            for run in item.runs:
                print(run_json(run).decode(), file=screen.out)
        for piece in tally.add(item):
            print(f"unparsed {piece.byte_start}-{piece.byte_end}: {piece.reason}", file=screen.err)
