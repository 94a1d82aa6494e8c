"""Every log format the agent reads: the registry and what a parser is. Pure: no I/O.

A parser is a state machine: bytes in, items out. It keeps six laws, each a property test:

1. Items tile the input from `offset`; after `finish` nothing is left.
2. However the bytes are cut into `feed` calls, the items are the same.
3. Items of a prefix (without `finish`) are a prefix of the items of the whole.
4. A fresh parser, given the end of any item and the `state` then, yields exactly the rest.
5. No bytes raise; a damaged unit is one Unparsed, and reading goes on at the next start mark.
6. Explained bytes are all bytes without those of Unparsed and holes.

To add a format: one module here with a class that keeps the laws, one line in `_FORMATS`, and its
logs in `tests/support/logs/`, which the laws are tested on.
"""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from broker.errors import SettingsError
from edge_agent.formats.items import (
    JSON,
    UNIT_BYTES_MAX,
    Item,
    Options,
    Parsed,
    Parser,
    Skipped,
    Unparsed,
)
from edge_agent.formats.utf16 import as_utf8, open_text, own_state

__all__ = [
    "FORMAT_NAMES",
    "JSON",
    "Item",
    "Options",
    "Parsed",
    "Parser",
    "Skipped",
    "Unparsed",
    "as_utf8",
    "check_format",
    "context_of",
    "forwards_lines",
    "is_whole_line",
    "leans_on_head",
    "open_parser",
    "read_options",
]

_COMMON: Final = frozenset(
    {"product_id", "procedure", "date_order", "encoding", "units", "max_unit_bytes"}
)
_UNIT_BYTES_MAX: Final[Mapping[str, int]] = {
    "jsonl": 8_388_608,
    "openhtf": 8_388_608,
    "wsjf": 8_388_608,
    "stdf": 8_388_608,
    "teststand": 16_777_216,
}
"""What `max_unit_bytes` is where a unit's bytes are a multiple of that in memory: up to 32 times
for JSON, 57 for parts of STDF side by side, 29 for XML of nothing but line ends."""


_WRITER_BUFFER_BYTES: Final = 1_024
"""Buffers of C, .NET, Java are multiples of it. They are written when they are full, wherever in a
line that is."""


class _Format(NamedTuple):
    parser: str
    """Its class, or what makes it, as module:name; imported when first used."""
    takes: frozenset[str] = _COMMON
    """Which of the common options it takes."""
    options: str = "edge_agent.formats.items:Options"
    """The model of its options, as module:name; one of its own adds to the common ones."""
    leans_on_head: bool = False
    """A unit's lot or date stands in the file's head alone."""
    whole_line: str | None = ""
    """How a last line ends that is whole without its newline, a regular expression. Empty: what
    the parser understands is whole, since it closes itself; None: half a line may look whole, so
    it is taken for half of one where a writer's buffer may have been full."""


_FORMATS: Final[Mapping[str, _Format]] = {
    "jsonl": _Format("edge_agent.formats.jsonl:JsonLines", frozenset({"max_unit_bytes"})),
    "csv": _Format(
        "edge_agent.formats.csv_table:open_table",
        options="edge_agent.formats.csv_options:CsvOptions",
        whole_line=None,
    ),
    "regex": _Format(
        "edge_agent.formats.regex_lines:RegexLines",
        options="edge_agent.formats.regex_options:RegexOptions",
        whole_line=None,
    ),
    "i3070": _Format("edge_agent.formats.i3070:I3070", _COMMON - {"date_order"}),
    "spea": _Format("edge_agent.formats.spea:Spea", whole_line=r"^END;.*:\d\d:\d\d;*$"),
    "takaya": _Format("edge_agent.formats.takaya:Takaya", leans_on_head=True, whole_line="^@$"),
    "gr228x": _Format("edge_agent.formats.gr228x:Gr228x", _COMMON - {"date_order"}),
    "teststand": _Format("edge_agent.formats.teststand:TestStand", _COMMON - {"date_order"}),
    "openhtf": _Format("edge_agent.formats.openhtf:OpenHtf", _COMMON - {"date_order"}),
    "ocp": _Format("edge_agent.formats.ocp:Ocp", _COMMON - {"date_order"}),
    "wsjf": _Format("edge_agent.formats.wsjf:Wsjf", _COMMON - {"date_order"}),
    "stdf": _Format("edge_agent.formats.stdf:Stdf", _COMMON - {"date_order"}, leans_on_head=True),
}
_BINARY: Final = frozenset({"stdf"})
"""Formats that are no text: their first two bytes may look like UTF-16's mark."""
FORMAT_NAMES: Final = tuple(_FORMATS)
"""Every format, in the order of the documentation."""


def open_parser(
    format: str,  # noqa: A002 - the word of the settings
    options: Options,
    file: str,
    offset: int = 0,
    state: Mapping[str, JSON] | None = None,
) -> Parser:
    """Return a parser that reads `file` from `offset` on.

    Args:
        format: One of `FORMAT_NAMES`.
        options: From `read_options`.
        file: Path or name; its base name goes into each Run's `source`.
        offset: Byte at which the first `feed` begins: 0, or the end of an item.
        state: What `Parser.state` said after that item; None at 0.

    Raises:
        SettingsError: There is no such format.
    """
    make = _import(_known(format).parser)

    def own(at: int, said: Mapping[str, JSON]) -> Parser:
        parser: Parser = make(options, file, at, said)
        return parser

    if format in _BINARY:
        return own(offset, state or {})
    return open_text(own, offset, state or {}, maps_source=not forwards_lines(format))


def read_options(
    format: str,  # noqa: A002
    table: Mapping[str, Any],
    where: str = "",
) -> Options:
    """Check a table of `[source.options]` against what the format takes.

    Args:
        format: One of `FORMAT_NAMES`.
        table: As read from TOML.
        where: What an error's sentence starts with, such as the file and a colon.

    Raises:
        SettingsError: The format or a key is unknown (names the closest), or a value is wrong.
    """
    known = _known(format, where)
    model: type[Options] = _import(known.options)
    takes = known.takes | (model.model_fields.keys() - Options.model_fields.keys())
    for key in table:
        if key not in takes:
            raise SettingsError(
                f"{where}{key} is not an option of format {format}.{closest(key, takes)}"
            )
    try:
        return model(**{"max_unit_bytes": _UNIT_BYTES_MAX.get(format, UNIT_BYTES_MAX), **table})
    except ValidationError as error:
        raise SettingsError(f"{where}{_complaint(error)}") from error


def forwards_lines(format: str) -> bool:  # noqa: A002
    """Tell whether a record of this format is a contract message already, sent as it stands."""
    return format == "jsonl"


def leans_on_head(format: str) -> bool:  # noqa: A002
    """Tell whether equal records of two files may be other units, by what their heads say."""
    return _known(format).leans_on_head


def is_whole_line(format: str, line: bytes, ends: Iterable[int]) -> bool:  # noqa: A002
    """Tell whether a last line that has no newline is to be taken for a whole one.

    Args:
        format: Name of a format.
        line: Its bytes, or the last of them; none where the file ends with a newline.
        ends: Where it ends, in bytes of the file and as its writer may have counted. Asked only
            where the line itself does not show.
    """
    if format in _BINARY:
        return False  # its units close themselves; one that is open may go on beside those
    if not line or line.endswith(b"\r"):
        return True
    end = _known(format).whole_line
    if end is None:
        return all(each % _WRITER_BUFFER_BYTES for each in ends)
    return re.search(end.encode(), line.strip()) is not None


def context_of(format: str, state: Mapping[str, JSON]) -> bytes:  # noqa: A002
    """Return what context lines before a unit say of it; empty where they say nothing.

    Args:
        format: One of `FORMAT_NAMES`; only the lines of `regex` have a context.
        state: What `Parser.state` said at the start of the unit.
    """
    context = own_state(state).get("context") if format == "regex" else None
    return json.dumps(context, sort_keys=True).encode() if context else b""


def closest(word: str, known: frozenset[str] | tuple[str, ...]) -> str:
    """Return " Did you mean …?" for the closest known word, else the list of them."""
    found = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.5)
    return f" Did you mean {found[0]}?" if found else f" Known: {', '.join(sorted(known))}."


def check_format(format: str) -> None:  # noqa: A002
    """Check that there is such a format.

    Raises:
        SettingsError: There is none; the sentence names the closest.
    """
    _known(format)


def _complaint(error: ValidationError) -> str:
    """Return what is wrong first, behind the path of its key; counts from 1."""
    first = error.errors(include_url=False)[0]
    path = [part + 1 if isinstance(part, int) else part for part in first["loc"]]
    key = ".".join(str(part) for part in path if part != "[key]")
    said = first["msg"].removeprefix("Value error, ")
    said = "needed, but not there" if first["type"] == "missing" else said
    return f"{key}: {said}".removeprefix(": ") + ("" if said.endswith((".", "?")) else ".")


def _import(place: str) -> Any:  # noqa: ANN401 - a class
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def _known(format: str, where: str = "") -> _Format:  # noqa: A002
    try:
        return _FORMATS[format]
    except KeyError:
        raise SettingsError(
            f"{where}{format!r} is not a format the agent reads.{closest(format, FORMAT_NAMES)}"
        ) from None
