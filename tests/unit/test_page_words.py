"""Values, limits, shares, lengths of time and dates as pages word them."""

from datetime import UTC, datetime

import pytest

from broker.messages import Comparator, Value
from ui.wording import Scale, duration, limits_text, long_date, percent, thousands


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (4.446e-06, "F", "4.446 µF"),
        (61.8, "mV", "61.8 mV"),
        (28300.0, "Ohm", "28.3 kΩ"),
        (28.3, "kOhm", "28.3 kΩ"),
        (45.1, "uA", "45.1 µA"),
        (27.7, "degC", "27.7 °C"),
        (3.0, "units", "3 units"),
        (0.0, "V", "0 V"),
        (-0.00005, "A", "-50 µA"),
        (2.0, None, "2"),
        (123456789.0, "counts", "123456789 counts"),
        (True, None, "true"),
        ("ok", None, '"ok"'),
        (None, "V", "no value V"),
    ],
)
def test_a_value_has_a_readable_prefix(value: Value, unit: str | None, shown: str) -> None:
    scale = Scale(value, unit)
    assert f"{scale.value(value)} {scale.unit}".strip() == shown


@pytest.mark.parametrize(
    ("comparator", "low", "high", "nominal", "shown"),
    [
        ("GELE", 4.95, 5.05, None, "4.95 \u2013 5.05"),
        (None, 4.95, 5.05, None, "4.95 \u2013 5.05"),
        ("LE", 55.0, None, None, "≤ 55"),
        (None, None, 55.0, None, "≤ 55"),
        (None, 55.0, None, None, "≥ 55"),
        ("EQ", None, None, True, "= true"),
        ("IN", None, None, ["a", "b"], 'in "a", "b"'),
        ("LTGT", 1.0, 2.0, None, "outside 1 \u2013 2"),
        ("LOG", 1.0, 2.0, None, ""),
        (None, None, None, None, ""),
    ],
)
def test_limits_are_shown_in_signs(
    comparator: str | None, low: float | None, high: float | None, nominal: object, shown: str
) -> None:
    name = Comparator(comparator) if comparator else None
    assert limits_text(name, low, high, nominal, Scale(1.0, "V")) == shown


@pytest.mark.parametrize(
    ("share", "count", "shown"),
    [
        (None, 0, "\u2013"),
        (1.0, 3, "100"),
        (0.0, 3, "0"),
        (0.9999, 5000, "99.9"),
        (0.99999, 20000, "99.99"),
        (0.0001, 5000, "0.1"),
        (0.9871, 3715, "98.7"),
        (0.98712, 10_000, "98.71"),
    ],
)
def test_100_percent_is_shown_only_when_all_passed(
    share: float | None, count: int, shown: str
) -> None:
    assert percent(share, count) == shown


def test_lengths_of_time_have_two_units_at_most() -> None:
    lengths = (0.3, 42, 60, 3599, 6660, 86_400, 200_000)
    shown = [duration(each) for each in lengths]
    assert shown == ["0.3 s", "42 s", "1 min", "59 min", "1 h 51 min", "1 day", "2 days"]


def test_dates_and_counts_are_written_out() -> None:
    assert long_date(datetime(2024, 10, 12, tzinfo=UTC)) == "12 October 2024"
    assert thousands(23312) == "23\u202f312"
