"""Convert between units of measure as machines and rulebooks write them. Pure: no I/O.

pint knows the units; it takes 0.4 s to load, so it is loaded when two units first differ.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple
from unicodedata import normalize

if TYPE_CHECKING:
    from pint import Unit, UnitRegistry

_TEXT_CHARS_MAX: Final = 32
# Products and quotients of names with small exponents and nothing else: pint would also calculate,
# and a unit such as 9**9**9 from a machine must not.
_NAME: Final = r"[^\W\d_°]*[°%]?[^\W\d_]*(?:H2O)?(?:(?:\^|\*\*)?-?[1-4])?"
_IS_SAFE: Final = re.compile(rf"(?:1/)?{_NAME}(?:\s?[*/·.]\s?{_NAME}|\s{_NAME})*").fullmatch
_CELSIUS: Final = frozenset({"°C", "degC", "deg C", "° C", "celsius", "Celsius"})
_FAHRENHEIT: Final = frozenset({"°F", "degF", "deg F", "° F", "fahrenheit", "Fahrenheit"})
_TEMPERATURES: Final = _CELSIUS | _FAHRENHEIT | {"K", "kelvin", "Kelvin"}
_SPELLINGS: Final = (
    (re.compile(r"[Oo][Hh][Mm]s?$"), "ohm"),
    (re.compile(r"[Hh][Zz]$"), "Hz"),
    (re.compile(r"^K(?=[A-Za-zΩ])"), "k"),  # Kelvin stands alone
    (re.compile(r"(?<=[a-z])([23])(?=$|[/*])"), r"^\1"),
)
_DIGITS: Final = 15
"""Significant digits of a converted value: 28400 Ohm is 28.4 kOhm, not 28.400000000000002. NI
TestStand compares 14."""


class Factor(NamedTuple):
    """How a value in one unit becomes a value in another: times `scale`, plus `offset`."""

    scale: float
    offset: float = 0.0

    def convert(self, value: float) -> float:
        """Return `value` in the other unit, to 15 significant digits."""
        return round_digits(value * self.scale + self.offset)


_SAME: Final = Factor(1.0)


def round_digits(value: float) -> float:
    """Return `value` to 15 significant digits, which undoes the noise of binary arithmetic."""
    return float(f"{value:.{_DIGITS}g}")


@lru_cache(maxsize=16_384)
def conversion(from_unit: str | None, to_unit: str | None) -> Factor | None:
    """Return how values convert from one unit to another.

    A missing or empty unit is the other's: a machine that sends none is taken at its word. A plain
    C or F is a temperature beside a temperature, else coulomb or farad.

    Args:
        from_unit: As written, such as `mV` or `kOhm`.
        to_unit: Likewise.

    Returns:
        None where one is unknown, or they are not of one kind.
    """
    source, target = _tidy(from_unit), _tidy(to_unit)
    if not source or not target or source == target:
        return _SAME
    source, target = _temperature(source, target), _temperature(target, source)
    if source == target:
        return _SAME
    if not (_is_unit(source) and _is_unit(target)):
        return None
    return _convert_by_pint(source, target)


def _tidy(unit: str | None) -> str:
    """Return one spelling for what Unicode has several of: the micro and Ohm signs, m² and ℃."""
    return normalize("NFKC", unit or "").strip()


def _temperature(unit: str, beside: str) -> str:
    if unit in _CELSIUS or (unit == "C" and beside in _TEMPERATURES):
        return "degC"
    if unit in _FAHRENHEIT or (unit == "F" and beside in _TEMPERATURES):
        return "degF"
    return unit


def _is_unit(text: str) -> bool:
    return len(text) <= _TEXT_CHARS_MAX and _IS_SAFE(text) is not None


def _convert_by_pint(source: str, target: str) -> Factor | None:
    registry = _registry()
    one, other = _parse(registry, source), _parse(registry, target)
    if one is None or other is None:
        return None
    try:
        at_0, at_1, at_2 = (
            float(registry.Quantity(each, one).to(other).magnitude) for each in (0.0, 1.0, 2.0)
        )
    except Exception:  # noqa: BLE001 - pint raises many kinds; to us each means: it does not convert
        return None
    scale = at_1 - at_0
    if abs((at_2 - at_1) - scale) > 1e-9 * abs(scale):
        return None  # dBm and its like are no straight line
    if at_0:  # a temperature: 5/9 and -160/9, freed of the noise of the subtraction
        return Factor(_as_ratio(scale), _as_ratio(at_0))
    return Factor(at_1)


def _as_ratio(value: float) -> float:
    return float(Fraction(value).limit_denominator(10_000))


@cache
def _registry() -> "UnitRegistry[float]":
    from pint import UnitRegistry  # noqa: PLC0415 - see above: it is slow to load

    return UnitRegistry(cache_folder=None)


def _parse(registry: "UnitRegistry[float]", text: str) -> "Unit | None":
    for spelling in _spellings(text):
        try:
            return registry.parse_units(spelling)
        except Exception:  # noqa: BLE001, S112 - an unknown unit has many exceptions
            continue
    return None


def _spellings(text: str) -> Iterator[str]:
    """Yield what may be meant, the most literal first: Ohm, KHZ and cm3 are not pint's names."""
    yield text
    spelled = text
    for pattern, name in _SPELLINGS:
        spelled = pattern.sub(name, spelled)
    yield spelled
    if len(text) >= 3:  # noqa: PLR2004 - SEC, RPM, Volt; not mV and MV, which differ
        yield text.lower()
