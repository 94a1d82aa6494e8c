"""Yields per group, with their doubt: what /api/v1/yield says."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias, get_args

from sqlalchemy import Connection

from broker.plant_sections import PlantSettings
from service.core.yields import (
    YieldCounts,
    defects_per_million,
    estimate_rolled_throughput,
    yields_of,
)
from service.store.database import Database
from service.store.queries.base import SLOTS, Facts, as_time, connected, names_of
from service.store.queries.figures import (
    LAST_LATE,
    LATE,
    MEASURED_FAILED,
    MEASURED_PASSED,
    NO_RUNS,
    RUNS,
    run_figures,
)
from service.store.queries.filters import Filters
from service.store.queries.periods import Period, PeriodAt, days_of, shifts_of
from service.store.queries.sums import sums_by
from service.store.queries.unit_sets import count_by_procedure
from service.store.queries.unit_totals import unit_figures, units_by
from service.store.times import LAST_US

Group: TypeAlias = Literal[
    "procedure",
    "line",
    "machine",
    "product",
    "fixture",
    "operator",
    "panel_position",
    "15min",
    "hour",
    "day",
    "shift",
]
"""What yields can be grouped by; the last four by the start of the unit's first run."""
GROUPS: Final[tuple[str, ...]] = get_args(Group)
SHORT_GROUPS: Final = frozenset({"15min", "panel_position"})
"""No roll-up knows these: they are counted run by run, which takes its time over a long range."""
_PERIODS: Final[Mapping[str, Callable[[PlantSettings], PeriodAt]]] = {
    "day": days_of,
    "shift": shifts_of,
}
_KEYS: Final[Mapping[str, str]] = {"15min": "quarter"}
_Procedures = Mapping[int, YieldCounts]


def yields(
    database: Database,
    filters: Filters,
    group: str = "procedure",
    plant: PlantSettings | None = None,
) -> list[Facts]:
    """Return one entry a group, sorted by its name or time; empty where no unit counts.

    Each has the fields of `ui.api.models.YieldGroup`: yields with the 95 % Wilson interval of the
    first pass, retests, rolled throughput (the product of its procedures' first pass yields), DPMO,
    the runs by outcome, and how many of them came late.

    Args:
        database: Where from.
        filters: What the first run of a unit must match; runs are counted by themselves.
        group: One of GROUPS. Runs without a fixture or operator are a group of their own, None.
        plant: Time zone and shifts; by default UTC, and those that settings have by default.

    Raises:
        KeyError: `group` is none of GROUPS.
    """
    if group not in GROUPS:
        raise KeyError(group)
    period_at = _PERIODS[group](plant or PlantSettings()) if group in _PERIODS else None
    key = "hour" if period_at else _KEYS.get(group, group)
    with connected(database) as connection:
        of_procedures = count_by_procedure(connection, filters, key, period_at)
        of_units = units_by(connection, filters, key, of_procedures)
        runs = sums_by(connection, filters, RUNS, (key,), period_at)
        texts = _texts(database, connection, key, of_procedures)
    entries = [
        {
            **_where(value, key, texts),
            **_unit_entry(of_units[value]),
            **_procedure_entry(of_procedures[value]),
            **_run_entry(runs.get((value,), NO_RUNS)),
        }
        for value in of_procedures
    ]
    return sorted(entries, key=lambda entry: (entry["group"] is None, entry["group"] or ""))


def rolled_throughput(database: Database, filters: Filters) -> Facts:
    """Return the product of the first pass yields of all procedures with its 95 % interval.

    The fields are those of an entry of `yields`; None without any unit.
    """
    with connected(database) as connection:
        found = count_by_procedure(connection, filters, "procedure")
    return _rolled(found.values())


def _rolled(groups: Iterable[_Procedures]) -> Facts:
    found = estimate_rolled_throughput(counts for each in groups for counts in each.values())
    return {
        "rolled_throughput_yield": found and found.value,
        "rolled_throughput_yield_low": found and found.low,
        "rolled_throughput_yield_high": found and found.high,
    }


def _texts(
    database: Database, connection: Connection, key: str, values: Iterable[Any]
) -> Mapping[Any, str]:
    """Return the names of groups; of times none."""
    if key in SLOTS:
        return {}
    if key == "panel_position":  # is kept as it was sent
        return {value: value for value in values if value is not None}
    return names_of(database, connection, values)


def _where(value: Any, key: str, texts: Mapping[Any, str]) -> Facts:  # noqa: ANN401 - a number, None or a Period
    """Return a group's name, and its bounds where it is a time."""
    if isinstance(value, Period):
        return _time(value.start_us, value.end_us) | {"group": value.name}
    if key in SLOTS:
        bounds = _time(value * SLOTS[key], (value + 1) * SLOTS[key])
        return bounds | {"group": bounds["since"]}
    return {"group": texts.get(value), "since": None, "until": None}


def _time(start_us: int, end_us: int) -> Facts:
    return {"since": as_time(start_us), "until": as_time(min(end_us, LAST_US))}


def _unit_entry(counts: YieldCounts) -> Facts:
    shares = yields_of(counts)
    first, second, again = shares.first_pass_yield, shares.second_pass_yield, shares.retest_rate
    return unit_figures(counts.units, counts.first_passed, counts.last_passed) | {
        "first_passed": counts.first_passed,
        "finally_passed": counts.last_passed,
        "first_pass_yield_low": first and first.low,
        "first_pass_yield_high": first and first.high,
        "second_pass_yield": second and second.value,
        "retested": counts.retested,
        "retest_rate": again and again.value,
    }


def _procedure_entry(procedures: _Procedures) -> Facts:
    return {
        "retests": sum(each.runs - each.units for each in procedures.values()),
        **_rolled([procedures]),
    }


def _run_entry(counts: Sequence[int]) -> Facts:
    failed, passed = counts[MEASURED_FAILED], counts[MEASURED_PASSED]
    dpmo = defects_per_million(failed, passed)
    return run_figures(counts) | {
        "late_runs": counts[LATE],
        "last_late_at": as_time(counts[LAST_LATE]) if counts[LATE] else None,
        "opportunities": failed + passed,
        "defects": failed,
        "dpmo": dpmo and dpmo.value,
    }
