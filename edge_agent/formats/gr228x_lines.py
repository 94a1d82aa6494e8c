"""What a GR228X prints inside a unit: measurements and lists of failed nodes. Pure: no I/O."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from edge_agent.formats import text
from edge_agent.formats.runs import pass_fail

_LISTS: Final = {"F": "contact", "O": "opens", "S": "shorts", "B": "bus", "C": "probing"}
_UNITS: Final = {"R": "Ohm", "CP": "F", "CS": "F", "V": "V", "AC": "V", "DC": "V"}
_EXPONENTS: Final = {"P": -12, "N": -9, "U": -6, "M": -3, "K": 3, "MEG": 6}  # M is milli
_RECORDED: Final = "#"

_as_list = re.compile(r"\(([FOSBC])(?![A-Za-z])\s*(.*)").fullmatch
_as_line = re.compile(r"([^=<>#%]+)([=<>#%])(.*)").fullmatch
_as_value = re.compile(r"([^()]*)(?:\(([^(),]*),([^(),]*)\)\s*([A-Za-z]*)[\s=]*(.*))?").fullmatch
_as_figure = re.compile(
    r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:E([+-]?[0-9]+))?(MEG|[PNUMK])?", re.IGNORECASE
).fullmatch


class Nodes:
    """A list of failed nodes, which may go on over several lines."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._parts: list[str] = []

    def add(self, content: str) -> bool:
        """Take the list's next line; True when it says that the list goes on."""
        goes_on = content == "+" or content.endswith(" +")
        self._parts.append(content.removesuffix("+").strip(" ,"))
        return goes_on

    def measurement(self, chars_max: int) -> dict[str, Any]:
        """Return the step that failed, its nodes as printed, at most `chars_max` characters."""
        nodes = ",".join(part for part in self._parts if part)
        said = {"attributes": {"nodes": text.clean(nodes, chars_max)}} if nodes else {}
        return pass_fail(_LISTS[self._kind], value=False, reported_outcome="FAIL", **said)


def begins_step(content: str) -> bool:
    """Tell whether a line begins a step of its own: no list goes on in it."""
    return bool(_as_list(content) or _as_line(content))


def begin_list(content: str) -> tuple[Nodes, str] | None:
    """Return a new list and the rest of its first line, to be added; None: it begins none."""
    found = _as_list(content)
    return (Nodes(found[1]), found[2]) if found else None


def measurement(content: str, units: Mapping[str, str]) -> dict[str, Any] | None:
    """Return a line such as `C1=1.2N(1N,2N)CP` as the fields of a measurement.

    Args:
        content: The line, trimmed.
        units: Option `units`; may also map a type such as AR.

    Returns:
        None for `#` without a value: the tester recorded nothing.

    Raises:
        ValueError: It is not such a line; the sentence why.
    """
    line = _as_line(content)
    found = line and _as_value(line[3].strip())
    test_step = text.name(line[1]) if line else ""
    if not line or not found or not test_step:
        raise ValueError(f"unknown line {content[:40]!r}")
    printed, low, high, kind, message = ((each or "").strip() for each in found.groups())
    value = _figure(printed)
    limits = {"low": _figure(low, text.limit), "high": _figure(high, text.limit)}
    said = _said(line[2], kind, text.clean(message))
    if not printed:
        return None if line[2] == _RECORDED else pass_fail(test_step, line[2] == "=", **said)
    if unit := text.unit(units.get(kind) or _UNITS.get(kind, ""), units):
        said["unit"] = unit
    given = {key: each for key, each in limits.items() if each is not None}
    return {"test_step": test_step, "measured_value": value, **given, **said}


def _said(mark: str, kind: str, message: str) -> dict[str, Any]:
    """Return what the marks beside the value say of it."""
    attributes = {key: each for key, each in (("type", kind), ("message", message)) if each}
    said: dict[str, Any] = {"attributes": attributes} if attributes else {}
    if mark == _RECORDED:
        return {**said, "comparator": "LOG"}
    return {**said, "reported_outcome": "PASS" if mark == "=" else "FAIL"}


def _figure(printed: str, read: Callable[[str], float | None] = text.number) -> float | None:
    """Return a number with its suffix applied exactly: `45.131532MEG` is 45131532."""
    found = _as_figure(printed)
    if not found:
        return read(printed)
    exponent = int(found[2] or 0) + _EXPONENTS.get((found[3] or "").upper(), 0)
    return read(f"{found[1]}e{exponent}")
