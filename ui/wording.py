"""Values, limits and durations as people read them. Pure: no I/O."""

import math
import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol, TypeAlias

from broker.messages import Comparator, Outcome, Value

_PREFIXES: Final = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"),
                    (1e-9, "n"), (1e-12, "p"))  # fmt: skip
_PREFIXED_UNITS: Final = frozenset(("F", "H", "V", "A", "Ohm", "Ω", "Hz", "W", "s", "S"))
_MICRO: Final = re.compile(r"^u(?=(?:[AFHVWSsmg]|Hz|Ω)$)")
_DEGREE: Final = re.compile(r"^deg ?(?=[CF]$)")
_BETWEEN: Final = frozenset(("GTLT", "GELE", "GELT", "GTLE"))
_OUTSIDE: Final = frozenset(("LTGT", "LEGE", "LEGT", "LTGE"))
_SIGNS: Final = {"EQ": "=", "NE": "≠", "GT": ">", "GE": "≥", "LT": "<", "LE": "≤"}
_BROKEN_SIGNS: Final = {"EQ": "≠", "NE": "=", "GT": "≤", "GE": "<", "LT": "≥", "LE": ">"}
_DIGITS: Final = 6
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400

EN_DASH: Final = "\u2013"

Limit: TypeAlias = float | None


class Telling(Protocol):
    """What a measurement must have to be put in words; live and stored ones do."""

    @property
    def test_step(self) -> str: ...  # noqa: D102
    @property
    def measured_value(self) -> Value: ...  # noqa: D102
    @property
    def unit(self) -> str | None: ...  # noqa: D102
    @property
    def outcome(self) -> Outcome: ...  # noqa: D102
    @property
    def comparator(self) -> Comparator | None: ...  # noqa: D102
    @property
    def low(self) -> float | None: ...  # noqa: D102
    @property
    def high(self) -> float | None: ...  # noqa: D102
    @property
    def reason(self) -> str | None: ...  # noqa: D102


def unit_name(measure_unit: str | None) -> str:
    """Return a unit of measure as people write it: uA is µA, kOhm kΩ, degC °C; empty for None."""
    name = (measure_unit or "").replace("Ohm", "Ω")
    return _DEGREE.sub("°", _MICRO.sub("µ", name))


class Scale:
    """One readable prefix for a value and its limits: 4.446e-06 F reads 4.446 µF."""

    def __init__(self, value: Value, measure_unit: str | None) -> None:
        unit = unit_name(measure_unit)
        self.factor, self.unit = 1.0, unit
        number = value if isinstance(value, float) else 0.0
        if (measure_unit or "") not in _PREFIXED_UNITS or not number or 1e-3 < abs(number) < 1e4:  # noqa: PLR2004 - readable as it is
            return
        for factor, prefix in _PREFIXES:
            if abs(number) >= factor:
                self.factor, self.unit = factor, f"{prefix}{unit}"
                return

    def number(self, number: float) -> str:
        """Return a number with at most six significant digits and without useless zeros."""
        scaled = number / self.factor
        if not math.isfinite(scaled):  # "no limit", said with the largest double there is
            return f"{Decimal(number) / Decimal(self.factor):.{_DIGITS}g}"
        if scaled == int(scaled) and abs(scaled) < 1e15:  # noqa: PLR2004 - whole as a double
            return str(int(scaled))
        return f"{scaled:.{_DIGITS}g}"

    def value(self, value: Value) -> str:
        """Return a measured value: text in quotes, true and false, `no value` for null."""
        if value is None:
            return "no value"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str):
            return f'"{value}"'
        return self.number(value)


def limits_text(
    comparator: Comparator | None, low: Limit, high: Limit, nominal: object, scale: Scale
) -> str:
    """Return the limits in signs, such as `4.95 - 5.05` or `≤ 55`; empty without any."""
    name = str(comparator) if comparator else _guess(low, high)
    if name == "LOG" or not name:
        return ""
    if name in _BETWEEN and low is not None and high is not None:
        return f"{scale.number(low)} {EN_DASH} {scale.number(high)}"
    if name in _OUTSIDE and low is not None and high is not None:
        return f"outside {scale.number(low)} {EN_DASH} {scale.number(high)}"
    if (single := low if low is not None else high) is not None:
        return f"{_SIGNS.get(name, name)} {scale.number(single)}"
    if nominal is not None:
        sign = _SIGNS.get(name, name.lower())
        return f"{sign} {_nominal(nominal, scale)}"
    return ""


def explain(measurement: Telling) -> str:
    """Say in a few words why a measurement is not PASS, such as `61.8 > 55 mV`."""
    value, low, high = measurement.measured_value, measurement.low, measurement.high
    scale = Scale(value, measurement.unit)
    if measurement.outcome is not Outcome.FAIL:
        return measurement.reason or "no verdict"
    if not isinstance(value, float):
        return scale.value(value)
    name = str(measurement.comparator or "") or _guess(low, high)
    sign, limit = _broken(name, value, low, high)
    against = f"{sign} {scale.number(limit)}" if limit is not None else ""
    return " ".join(filter(None, (scale.number(value), against, scale.unit)))


def _broken(name: str, value: float, low: Limit, high: Limit) -> tuple[str, Limit]:
    """Return the sign and the limit that a failed value breaks; no limit where none can be told."""
    if low is not None and high is not None:
        if value > high and name not in _OUTSIDE:
            return ">", high
        return ("<", low) if value < low and name not in _OUTSIDE else ("", None)
    single = low if low is not None else high
    return (_BROKEN_SIGNS[name], single) if name in _BROKEN_SIGNS else ("", None)


def _guess(low: Limit, high: Limit) -> str:
    """Return the comparator that stands for limits without one (contract, section 4)."""
    if low is not None and high is not None:
        return "GELE"
    if low is not None:
        return "GE"
    return "LE" if high is not None else ""


def _nominal(nominal: object, scale: Scale) -> str:
    if isinstance(nominal, Sequence) and not isinstance(nominal, str):
        return ", ".join(_nominal(each, scale) for each in nominal)
    if isinstance(nominal, int | float) and not isinstance(nominal, bool):
        return scale.number(float(nominal))
    return scale.value(nominal if isinstance(nominal, str | bool) else None)


def duration(seconds: float) -> str:
    """Return a length of time with its one or two largest units, such as `1 h 51 min`."""
    if seconds < 10:  # noqa: PLR2004 - tenths matter below
        return f"{max(0.0, seconds):.1f} s"
    if seconds < _MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < _HOUR_S:
        return f"{math.floor(seconds / _MINUTE_S)} min"
    if seconds < _DAY_S:
        hours, rest = divmod(int(seconds), _HOUR_S)
        return f"{hours} h {rest // _MINUTE_S} min" if rest >= _MINUTE_S else f"{hours} h"
    days = int(seconds // _DAY_S)
    return f"{days} day{'s' if days > 1 else ''}"


def long_date(moment: datetime) -> str:
    """Return a date in words, such as `12 October 2024`."""
    return f"{moment.day} {moment:%B %Y}"


def thousands(count: int) -> str:
    """Return a count with thin spaces between the thousands."""
    return f"{count:,}".replace(",", "\u202f")


def percent(share: float | None, count: int) -> str:
    """Return a share as percent: one decimal, two from 10,000, and 100 only when all.

    Args:
        share: 0 to 1, or None.
        count: Of how many.
    """
    if share is None:
        return EN_DASH
    digits = 2 if count >= 10_000 else 1  # noqa: PLR2004 - the digits the count supports
    if share in {0.0, 1.0}:
        return f"{share * 100:.0f}"
    step = 10.0**-digits
    return f"{min(max(share * 100, step), 100 - step):.{digits}f}"


def short_value(value: float, measure_unit: str) -> str:
    """Return a number with its unit, such as `34.1 s`."""
    scale = Scale(value, measure_unit)
    return f"{scale.number(round(value, 3))} {scale.unit}".strip()
