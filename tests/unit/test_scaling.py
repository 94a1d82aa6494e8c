"""The arithmetic of docs/scaling.md, and that its tables are made of it."""

import pytest

from tests.support.scaling import MIXED, SIZES, STEADY, Load, Size, first_to_break, form, need
from tests.support.write_scaling import PAGE, gigabytes, number, updated

LOADS = pytest.mark.parametrize("load", [MIXED, STEADY], ids=lambda load: load.name)


@LOADS
def test_twice_the_machines_are_twice_the_results_bytes_and_disk(load: Load) -> None:
    one, two = need(Size("", 100, 0), load), need(Size("", 200, 0), load)
    for what in ("results_a_s", "measurements_a_s", "wire_mbit_a_s", "postgres_gb_a_year"):
        assert getattr(two, what) == pytest.approx(2 * getattr(one, what)), what


def test_a_month_of_the_plant_that_was_measured_comes_to_its_size() -> None:
    """589,000 runs with 10 million measurements were 0.97 GB and 2.29 GB."""
    found = need(Size("", 60, 0), MIXED)
    month = 30 / 365
    assert found.sqlite_gb_a_year * month == pytest.approx(0.967, rel=0.01)
    assert found.postgres_gb_a_year * month == pytest.approx(2.294, rel=0.01)


def test_a_flat_result_a_second_of_a_thousand_machines_is_one_service_half_busy_at_most() -> None:
    found = need(Size("", 1_000, 0), STEADY)
    assert found.results_a_s == 1_000
    assert found.cores.service == pytest.approx(0.14)  # 1,000 times 140 µs
    assert found.processes == 1
    assert need(Size("", 4_501, 0), STEADY).processes == 2  # half of what one did in P1


def test_a_screen_costs_the_web_app_alone() -> None:
    none, many = need(Size("", 60, 0), MIXED), need(Size("", 60, 100), MIXED)
    assert many.cores.web - none.cores.web == pytest.approx(0.1)
    assert many.cores._replace(web=0) == none.cores._replace(web=0)


def test_what_is_used_most_breaks_first_and_says_what_to_do() -> None:
    disk = need(Size("", 1_000, 0), STEADY)
    assert first_to_break(disk).what == "disk"
    assert form(disk) == "PostgreSQL, 44 days kept; Mosquitto and a standby"
    assert form(need(Size("", 2_000, 0), STEADY)) == "not in one: divide by plant"
    screens = need(Size("", 60, 2_000), MIXED)
    assert first_to_break(screens).what == "web app"
    assert form(screens) == "not in one: divide by plant"
    assert form(need(SIZES[0], MIXED)) == "SQLite or PostgreSQL; Mosquitto"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.004, "< 0.01"), (0.114, "0.11"), (1.94, "1.9"), (11.6, "12"), (11_574, "11,574")],
)
def test_a_number_has_two_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_a_size_is_gigabytes_until_it_is_terabytes() -> None:
    assert (gigabytes(999), gigabytes(1_500)) == ("999 GB", "1.5 TB")


def test_the_tables_are_as_the_arithmetic_makes_them() -> None:
    """Else run `python -m tests.support.write_scaling`."""
    text = PAGE.read_text("utf-8")
    assert text.count("<!-- table: ") == 2
    assert updated(text) == text
