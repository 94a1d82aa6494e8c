"""The rows of a Takaya log: 58 cells with tabs between, read by position. Pure: no I/O."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from edge_agent.formats import text

CELLS: Final = 58
_UNITS: Final = {"R": "Ohm", "C": "F", "L": "H", "D": "V"}
_STEP_OUTCOMES: Final = {"": None, "PASS": "PASS"}  # anything else failed: LOW-NG, OPEN ...

# Cells by their number in the column head, from 1: names repeat there.
_STEP_NUMBER, _PART, _VALUE, _UNIT, _COMMENT = 2, 3, 4, 5, 6
_NET_HIGH, _NET_LOW, _VERDICT = 9, 11, 16
_REFERENCE, _FIRST, _SECOND = 17, 21, 25  # each is kind, number in base units, printed, unit
_MODE, _PLUS, _MINUS, _FUNCTION = 31, 34, 35, 56


class _Figure(NamedTuple):
    kind: str
    value: float | None


def is_column_head(cells: Sequence[str]) -> bool:
    """Tell whether the cells name the columns as they are read here."""
    return len(cells) == CELLS and cells[0] == "Group_No." and cells[_FUNCTION - 1] == "Function"


def measurement(cells: Sequence[str], units: Mapping[str, str]) -> dict[str, Any] | None:
    """Return a row as the fields of a measurement.

    Args:
        cells: Trimmed, 58 of them.
        units: Option `units`.

    Returns:
        None where the verdict is dots: the step was not run.

    Raises:
        ValueError: A cell that should be a number is none, or the step has no name.
    """
    row = ("", *cells)  # numbered from 1
    if _is_dots(row[_VERDICT]):
        return None
    test_step = _test_step(row)
    if not test_step:
        raise ValueError("a row without part, value and nets, which name its step")
    reference, first, second = (_figure(row, at) for at in (_REFERENCE, _FIRST, _SECOND))
    figure = second or first or _Figure(reference.kind if reference else "", None)
    said: dict[str, Any] = {}
    if outcome := _STEP_OUTCOMES.get(row[_VERDICT].upper(), "FAIL"):
        said["reported_outcome"] = outcome
    if unit := text.unit(_UNITS.get(figure.kind, ""), units):
        said["unit"] = unit
    if reference and reference.value is not None:
        said |= _limits(row, reference.value)
    said["attributes"] = _attributes(row, first if second else None)
    return {"test_step": test_step, "measured_value": figure.value, **said}


def _test_step(row: Sequence[str]) -> str:
    nets = f"{row[_NET_HIGH]}-{row[_NET_LOW]}".strip("-")
    words = (row[_PART], row[_VALUE] + row[_UNIT], nets)
    return text.name(" ".join(word for word in words if word))


def _figure(row: Sequence[str], at: int) -> _Figure | None:
    """Return a reference or reading; None where dots say that there is none."""
    kind, number, printed = row[at : at + 3]
    if _is_dots(printed) or not (number or printed):
        return None
    return _Figure(kind.upper(), text.number(number))


def _limits(row: Sequence[str], reference: float) -> dict[str, float]:
    match row[_FUNCTION]:
        case "**":
            ends = [_apart(reference, row[_PLUS]), _apart(reference, row[_MINUS])]
            if reference < 0:
                ends.reverse()
        case "E":
            ends = [reference, None]
        case "F":
            ends = [None, reference]
        case _:  # OP, SH: their threshold is not in the file
            return {}
    high, low = (None if end is None else text.limit(repr(end)) for end in ends)
    return {key: each for key, each in (("low", low), ("high", high)) if each is not None}


def _apart(reference: float, tolerance: str) -> float | None:
    """Return the reference moved by a tolerance such as `+10%`; None without tolerance."""
    percent = None if _is_dots(tolerance) else text.number(tolerance.removesuffix("%").strip())
    return None if percent is None else reference * (1 + percent / 100)


def _attributes(row: Sequence[str], first: _Figure | None) -> dict[str, Any]:
    verdict = row[_VERDICT]
    found = {
        "step": row[_STEP_NUMBER],
        "comment": row[_COMMENT],
        "function": row[_FUNCTION],
        "mode": row[_MODE],
        "verdict": "" if verdict.upper() == "PASS" else verdict,
    }
    said: dict[str, Any] = {key: text.clean(each) for key, each in found.items() if each}
    if first:
        said["first_value"] = first.value
    return said


def _is_dots(cell: str) -> bool:
    return set(cell) == {"."}
