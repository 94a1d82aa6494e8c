"""Read what JSON logs hold, whatever type it has, and the parser they share. Pure: no I/O.

What is missing or null is nothing; what has a type that cannot be meant is a ValueError with a
sentence, so that a record is understood or refused, never half read.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

import jiter

from edge_agent.formats import text
from edge_agent.formats.items import JSON, Item, Options, Parsed, Unparsed
from edge_agent.formats.jsonvalues import Piece, Value, ValueCutter
from edge_agent.formats.runs import build_run

_ID_MAX: Final = 10**30  # an identifier written as a number; more digits are none
_LIMIT_MAX: Final = 9.9e99


class JsonRecords(ABC):
    """A parser whose unit is one JSON object, complete when it closes."""

    HEADS: ClassVar[tuple[str, ...]]
    """The keys that only the outermost object of a record has."""

    def __init__(self, options: Options, file: str, offset: int, state: Mapping[str, JSON]) -> None:
        del state  # a record says all of itself
        self._options = options
        self._file = text.base_name(file)
        self._cutter = ValueCutter(offset, options.max_unit_bytes, self.HEADS)

    def feed(self, data: bytes) -> Iterator[Item]:
        """Take the next bytes; an item for every object they close."""
        self._cutter.add(data)
        return map(self._item, self._cutter.pieces())

    def finish(self) -> Iterator[Item]:
        """Half an object is Unparsed."""
        return map(self._item, self._cutter.rest())

    def state(self) -> dict[str, JSON]:
        """Nothing: no record depends on another."""
        return {}

    @abstractmethod
    def _fields(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of a Run, without `source`; ValueError where the record is none."""

    def _item(self, piece: Piece) -> Item:
        if not isinstance(piece, Value):
            return piece
        start, end = piece.byte_start, piece.byte_end
        try:
            fields = self._fields(read_object(piece.content, self._options.encoding))
            fields["source"] = {"file": self._file, "byte_start": start, "byte_end": end}
            run = build_run(fields, self._options.payload_bytes_max)
        except ValueError as error:
            return Unparsed(str(error), start, end)
        return Parsed((run,), start, end)


def read_object(content: bytes, encoding: str) -> dict[str, Any]:
    """Read one JSON object; of a key that repeats the last value counts, and NaN is a number.

    Args:
        content: UTF-8, else in `encoding`.
        encoding: A Python name.

    Raises:
        ValueError: It is not JSON, or not an object.
    """
    try:
        value = jiter.from_json(text.decode(content, encoding).encode(), allow_inf_nan=True)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    return table(value, "the record")


def table(value: object, where: str) -> dict[str, Any]:
    """Return an object; empty for null.

    Raises:
        ValueError: It is something else; the sentence names `where`.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{where} is not an object")  # noqa: TRY004 - one error for bad content
    return value


def tables(value: object, where: str) -> list[dict[str, Any]]:
    """Return a list of objects; empty for null.

    Raises:
        ValueError: It is something else; the sentence names `where`.
    """
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ValueError(f"{where} is not a list of objects")
    return value


def words(value: object) -> str:
    """Return text, trimmed, or a whole number as text; "" for anything else."""
    if isinstance(value, str):
        return text.clean(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _ID_MAX:
        return str(value)
    return ""


def measured(value: object) -> float | bool | str | None:
    """Return a measured value as the contract has it.

    Returns:
        A number, boolean or text; None for null and for what does not fit a double, also where it
        is written as text ("NaN", "Infinity"), as JSON has no other way.

    Raises:
        ValueError: It is a list or an object.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _finite(value)
    if isinstance(value, str):
        return None if _is_no_value(value) else storable(value).strip()
    raise ValueError("a measured value that is a list or an object")


def limit(value: object) -> float | None:
    """Return a limit; None for none, for NaN and Inf, and for a huge number (beyond 9.9e99).

    Raises:
        ValueError: It is not a number.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return text.limit(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a limit that is not a number")  # noqa: TRY004
    number = _finite(value)
    return None if number is None or abs(number) > _LIMIT_MAX else number


def storable(word: str) -> str:
    """Return text as it stands, but U+0000, which no message may hold, as a space."""
    return word.replace("\0", " ")


def plain(value: object) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return any JSON as an attribute may hold it: what cannot be stored is a space, or null."""
    if isinstance(value, dict):
        return {text.clean(key): plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, int | float) and _finite(value) is None:
        return None
    return value


def filled(**fields: object) -> dict[str, Any] | None:
    """Return the fields that hold something; None if there are none."""
    return {key: each for key, each in fields.items() if each not in (None, "", [], {})} or None


def _finite(value: float) -> float | None:
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _is_no_value(word: str) -> bool:
    try:
        return bool(word.strip()) and text.number(word.strip()) is None
    except ValueError:
        return False
