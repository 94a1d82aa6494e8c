import subprocess
import sys
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.units import conversion, round_digits


@pytest.mark.parametrize(
    ("value", "from_unit", "to_unit", "expected"),
    [
        (28_300.0, "Ohm", "kOhm", 28.3),
        (28_400.0, "Ohm", "kOhm", 28.4),
        (28.4, "kOhm", "Ohm", 28_400.0),
        (28.4, "kΩ", "ohm", 28_400.0),
        (28.4, "KOhm", "\N{OHM SIGN}", 28_400.0),
        (1.5, "MOhm", "Ohm", 1_500_000.0),
        (1.5, "mOhm", "Ohm", 0.0015),
        (4.4e-6, "F", "uF", 4.4),
        (99.5, "nF", "pF", 99_500.0),
        (0.0995, "µF", "nF", 99.5),
        (0.0995, "μF", "nF", 99.5),
        (85.5, "V", "mV", 85_500.0),
        (41.0, "mV", "V", 0.041),
        (43.0, "uA", "mA", 0.043),
        (3.0, "MHz", "kHz", 3_000.0),
        (3.0, "kHZ", "Hz", 3_000.0),
        (3.0, "KHZ", "Hz", 3_000.0),
        (3.0, "Volt", "V", 3.0),
        (3.0, "SEC", "ms", 3_000.0),
        (1.42, "s", "ms", 1_420.0),
        (100.0, "degC", "degF", 212.0),
        (25.0, "°C", "K", 298.15),
        (212.0, "°F", "degC", 100.0),
        (12.5, "%", "ppm", 125_000.0),
        (0.5, "mbar", "Pa", 50.0),
        (2.0, "m/s^2", "cm/s^2", 200.0),
        (2.0, "cm3/min", "mL/min", 2.0),
    ],
)
def test_units_convert_as_they_are_written_on_a_shop_floor(
    value: float, from_unit: str, to_unit: str, expected: float
) -> None:
    factor = conversion(from_unit, to_unit)
    assert factor is not None
    assert factor.convert(value) == expected


@pytest.mark.parametrize(
    ("from_unit", "to_unit"),
    [
        ("V", "V"),
        ("wibble", "wibble"),
        (" V ", "V"),
        ("C", "degC"),
        ("°C", "C"),
        ("deg C", "°C"),
        ("F", "degF"),
        (None, "V"),
        ("V", None),
        ("", "V"),
        (None, None),
    ],
)
def test_equal_and_missing_units_change_nothing(from_unit: str, to_unit: str) -> None:
    factor = conversion(from_unit, to_unit)
    assert factor is not None
    assert factor.convert(0.1) == 0.1


@pytest.mark.parametrize(
    ("from_unit", "to_unit"),
    [
        ("V", "A"),
        ("V", "wibble"),
        ("wibble", "V"),
        ("C", "F"),  # coulomb and farad, or two temperatures: nobody can tell
        ("C", "V"),
        ("mV", "F"),
        ("dBm", "mW"),  # no straight line
        ("9**9**9", "V"),
        ("V" * 500, "A"),
        ("V;import os", "V"),
        ("(" * 30, "V"),
        ("1" * 30, "%"),
    ],
)
def test_what_does_not_convert_says_so(from_unit: str, to_unit: str) -> None:
    assert conversion(from_unit, to_unit) is None


def test_a_plain_c_is_a_charge_among_charges() -> None:
    factor = conversion("mC", "C")
    assert factor is not None
    assert factor.convert(5.0) == 0.005


def test_millivolt_and_megavolt_differ() -> None:
    assert conversion("mV", "V") != conversion("MV", "V")


@settings(deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_any_two_texts_convert_or_do_not(from_unit: str, to_unit: str) -> None:
    factor = conversion(from_unit, to_unit)
    assert factor is None or isinstance(factor.convert(1.0), float)


@settings(deadline=None)
@given(st.decimals(min_value=0, max_value=10**6, places=6, allow_nan=False))
def test_there_and_back_is_the_same_value(decimal: Decimal) -> None:
    value = float(decimal)
    there, back = conversion("kOhm", "Ohm"), conversion("Ohm", "kOhm")
    assert there is not None
    assert back is not None
    assert back.convert(there.convert(value)) == value


def test_rounding_undoes_the_noise_of_binary_arithmetic() -> None:
    assert round_digits(0.1 + 0.2) == 0.3


def test_pint_is_not_loaded_before_two_units_differ() -> None:
    code = (
        "import sys, service.core.judge, service.core.decode, service.rulebook as r;"
        "r.parse_rulebook(open('rules.toml').read(), 'rules.toml');"
        "from service.core.units import conversion; conversion('V', 'V');"
        "assert 'pint' not in sys.modules; conversion('mV', 'V'); assert 'pint' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
