"""The measurements of a run as a table, each with its bar against the limits. Pure: no I/O."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from broker.messages import Comparator, Value
from ui.wording import Scale, limits_text

Facts: TypeAlias = Mapping[str, Any]

PASSED_ROWS: Final = 200
_ROWS_MAX: Final = 5_000
_WIDTH: Final = 210.0
_LOW_AT: Final = 27.8
_HIGH_AT: Final = 182.2
_SINGLE_AT: Final = 162.7
_BETWEEN: Final = _HIGH_AT - _LOW_AT
_MARGIN: Final = 5.0
_OUTSIDE: Final = frozenset(("LTGT", "LEGE", "LEGT", "LTGE"))
_UPPER: Final = frozenset(("LE", "LT"))
_LOWER: Final = frozenset(("GE", "GT"))


def rows(
    measurements: Sequence[Facts], details: Sequence[Facts], *, everything: bool
) -> tuple[list[Facts], int]:
    """Return the rows, not PASS first and then in test order, and how many PASS are left out."""
    numbers = _numbers(measurements)
    pairs = list(zip(measurements, details, numbers, strict=True))
    odd = [pair for pair in pairs if pair[0]["outcome"] != "PASS" or pair[0]["marginal"]]
    odd.sort(key=lambda pair: _RANKS.get(pair[0]["outcome"], 3))
    good = [pair for pair in pairs if pair[0]["outcome"] == "PASS" and not pair[0]["marginal"]]
    shown = good if everything else good[:PASSED_ROWS]
    made = [_row(*pair) for pair in [*odd, *shown][:_ROWS_MAX]]
    return made, len(good) - len(shown)


_RANKS: Final = {"FAIL": 0, "ERROR": 1, "PASS": 2, "UNJUDGED": 3}


def _numbers(measurements: Sequence[Facts]) -> list[int]:
    """Return of each measurement the how manieth of its name it is, from 0."""
    seen: Counter[str] = Counter()
    found = []
    for each in measurements:
        found.append(seen[each["test_step"]])
        seen[each["test_step"]] += 1
    return found


def _row(measurement: Facts, details: Facts, nth: int) -> Facts:
    value = measurement["measured_value"]
    scale = Scale(value, measurement["unit"])
    comparator = Comparator(measurement["comparator"]) if measurement["comparator"] else None
    low, high = measurement["low"], measurement["high"]
    reported, outcome = measurement["reported_outcome"], measurement["outcome"]
    holds = _holds(measurement, details)
    placed = None if holds is None else bar(value, str(comparator or ""), low, high, holds=holds)
    limits = limits_text(comparator, low, high, details["nominal"], scale)
    mark = "M" if outcome == "PASS" and measurement["marginal"] else outcome[0]
    return {
        "mark": mark,
        "outcome": outcome.lower() if mark != "M" else "marginal",
        "step": measurement["test_step"],
        "nth": nth,
        "number": value if isinstance(value, float) else None,
        "measure_unit": measurement["unit"],
        "value": scale.value(value),
        "raw": f"{value!r} {measurement['unit'] or ''}".strip() if value is not None else "null",
        "unit": scale.unit if value is not None else "",
        "bar": None if placed is None else placed._asdict(),
        "limits": limits or ("recorded" if comparator is Comparator.LOG else "no limit"),
        "by": _judged_by(measurement, has_limits=bool(limits)),
        "reported": reported or "",
        "differs": details["agrees"] is False,
        "why": measurement["reason"] or ("close to the limit" if mark == "M" else ""),
    }


def _holds(measurement: Facts, details: Facts) -> bool | None:
    """Tell whether the value is within its limits by our own arithmetic; None: there was none."""
    passed = measurement["outcome"] == "PASS"
    if measurement["outcome"] not in {"PASS", "FAIL"}:
        return None
    # Without a rule the outcome is the tester's word, and `agrees` compares it with the limits.
    is_theirs = not measurement["rule_id"] and details["agrees"] is False
    return not passed if is_theirs else passed


def _judged_by(measurement: Facts, *, has_limits: bool) -> str:
    """Say who decided, as contract.md section 4 orders them."""
    if measurement["rule_id"]:
        return str(measurement["rule_id"])
    if measurement["reported_outcome"]:
        return "tester"
    return "limits in the message" if has_limits else "nobody"


class Bar(NamedTuple):
    """Where the limits and the value stand on a bar of 210; None: no limit on that side."""

    low: float | None
    high: float | None
    value: float


def bar(
    value: Value, comparator: str, low: float | None, high: float | None, *, holds: bool
) -> Bar | None:
    """Place a value against its limits; None where a picture would say nothing, or lie.

    Args:
        value: As sent.
        comparator: Its name, or nothing.
        low: In the limits' unit, like `high`.
        high: See there.
        holds: Our own arithmetic found it inside. Where the plain numbers say otherwise the limits
            are in another unit than the value, and a picture would lie.
    """
    if not isinstance(value, float) or comparator in _OUTSIDE:
        return None
    lower, upper = sides(comparator, low, high)
    inside = (lower is None or value >= lower) and (upper is None or value <= upper)
    if (lower is None and upper is None) or (inside != holds and value not in {lower, upper}):
        return None
    if lower is not None and upper is not None:
        span = (upper - lower) or 1.0
        return Bar(_LOW_AT, _HIGH_AT, _inside(_LOW_AT + (value - lower) / span * _BETWEEN))
    if upper is not None:
        span = abs(upper) or abs(value) or 1.0
        return Bar(None, _SINGLE_AT, _inside(_SINGLE_AT * (1 + (value - upper) / span)))
    assert lower is not None
    span = abs(lower) or abs(value) or 1.0
    at = _WIDTH - _SINGLE_AT
    return Bar(at, None, _inside(at * (1 + (value - lower) / span)))


def sides(
    comparator: str, low: float | None, high: float | None
) -> tuple[float | None, float | None]:
    """Return the limit below and the limit above; a single limit stands in `low` (contract 4)."""
    if low is not None and high is not None:
        return low, high
    single = low if low is not None else high
    if comparator in _UPPER or (not comparator and low is None):
        return None, single
    return (single, None) if comparator in _LOWER or not comparator else (None, None)


def _inside(at: float) -> float:
    return round(min(_WIDTH - _MARGIN, max(_MARGIN, at)), 1)
