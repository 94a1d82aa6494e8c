"""Roll-ups of one batch, added up in memory before they touch the tables. Pure: no I/O."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from broker.messages import Measurement, Outcome, Run
from service.core.records import JudgedRun
from service.store.codes import HOUR_US, NameKind
from service.store.drivers import Table, table
from service.store.names import Names
from service.store.rows import RunKeys
from service.store.unit_states import SLOT, WHO

_COLUMN: Final = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.ERROR: 2, Outcome.UNJUDGED: 3}
_SQUARE_MAX = 1e140  # squares of larger ones do not add up in a double: counted, no statistics

_RUN_COUNTS: Final = {
    "passed": "int4",
    "failed": "int4",
    "errors": "int4",
    "unjudged": "int4",
    "late": "int4",
    "last_late_us": "int8",
    "measured_passed": "int8",
    "measured_failed": "int8",
}
RUN_HOUR = table("run_hour", **SLOT, **_RUN_COUNTS, repeating="int4")
RUN_HOUR_DETAIL = table("run_hour_detail", **SLOT, **WHO, **_RUN_COUNTS)


def _add_to(rows: Table, *key: str) -> str:
    """Return what adds to a row of runs that is there."""
    last = "last_late_us"
    sums = [name for name in rows.columns if name not in {*key, last}]
    added = ", ".join(f"{name} = {rows.name}.{name} + excluded.{name}" for name in sums)
    return f"""ON CONFLICT ({", ".join(key)}) DO UPDATE SET {added},
        {last} = CASE WHEN {rows.name}.{last} > excluded.{last} THEN {rows.name}.{last}
            ELSE coalesce(excluded.{last}, {rows.name}.{last}) END"""


RUN_HOUR_ADD = _add_to(RUN_HOUR, *SLOT)
RUN_HOUR_DETAIL_ADD = _add_to(RUN_HOUR_DETAIL, *SLOT, *WHO)

STEP_HOUR = table(
    "step_hour",
    hour="int4",
    machine="int4",
    line="int4",
    product="int4",
    procedure="int4",
    step="int4",
    measure_unit="int4",
    passed="int4",
    failed="int4",
    errors="int4",
    unjudged="int4",
    first_failures="int4",
    value_count="int4",
    mean="float8",
    squares="float8",
    least="float8",
    greatest="float8",
)
# Source: Chan, Golub, LeVeque (1983), "Algorithms for computing the sample variance", eq. 2.1.
# 1e-150: below it PostgreSQL refuses the square (`value out of range: underflow`).
# SQLite's two-argument min() and max() are PostgreSQL's least() and greatest(): CASE is both's.
STEP_HOUR_ADD = """ON CONFLICT (hour, machine, line, product, procedure, step, measure_unit)
DO UPDATE SET
    passed = step_hour.passed + excluded.passed,
    failed = step_hour.failed + excluded.failed,
    errors = step_hour.errors + excluded.errors,
    unjudged = step_hour.unjudged + excluded.unjudged,
    first_failures = step_hour.first_failures + excluded.first_failures,
    value_count = step_hour.value_count + excluded.value_count,
    mean = CASE WHEN excluded.value_count = 0
            OR abs(excluded.mean - step_hour.mean) < 1e-150 THEN step_hour.mean
        ELSE step_hour.mean + (excluded.mean - step_hour.mean) * excluded.value_count
            / (step_hour.value_count + excluded.value_count) END,
    squares = CASE WHEN excluded.value_count = 0 OR step_hour.value_count = 0
            OR abs(excluded.mean - step_hour.mean) < 1e-150
        THEN step_hour.squares + excluded.squares
        ELSE step_hour.squares + excluded.squares
            + (excluded.mean - step_hour.mean) * (excluded.mean - step_hour.mean)
            * step_hour.value_count * (1.0 * excluded.value_count)
            / (step_hour.value_count + excluded.value_count) END,
    least = CASE WHEN step_hour.least IS NULL OR excluded.least < step_hour.least
        THEN excluded.least ELSE step_hour.least END,
    greatest = CASE WHEN step_hour.greatest IS NULL OR excluded.greatest > step_hour.greatest
        THEN excluded.greatest ELSE step_hour.greatest END"""


class RollUps(NamedTuple):
    """Rows to add to the roll-up tables, sorted by key so that two services never deadlock."""

    run_hours: list[tuple[Any, ...]]
    run_details: list[tuple[Any, ...]]
    step_hours: list[tuple[Any, ...]]


def roll_up(runs: Iterable[tuple[JudgedRun, RunKeys]], names: Names, received_us: int) -> RollUps:
    """Add up a batch of newly stored runs; those of golden samples are left out.

    Raises:
        KeyError: A name is not known yet; learn `names_of` and call again.
    """
    by_run: dict[tuple[int, ...], list[int]] = {}
    by_detail: dict[tuple[int, ...], list[int]] = {}
    by_step: dict[tuple[int, ...], list[Any]] = {}
    in_time = received_us // HOUR_US - 1  # the hour before the current one is still expected
    for judged, keys in runs:
        if judged.run.is_golden:
            continue
        hour = keys.started_us // HOUR_US
        key = (hour, keys.machine, keys.line, keys.product, keys.procedure)
        late = int(hour < in_time)
        counts = _add_run(by_run, key, judged, late)
        if len(judged.measurements) > 1:
            counts[-1] += _is_repeating(judged)
        message = judged.run.message
        if late or message.fixture is not None or message.operator is not None:
            _add_run(by_detail, (*key, *_who(message, names)), judged, late)
        _add_steps(by_step, key, judged, names)
    return RollUps(
        [_run_row(*each, received_us) for each in sorted(by_run.items())],
        [_run_row(*each, received_us)[:-1] for each in sorted(by_detail.items())],
        [(*key, *_merged(sums)) for key, sums in sorted(by_step.items(), key=lambda kv: kv[0])],
    )


def _add_run(
    sums: dict[tuple[int, ...], list[int]],
    key: tuple[int, ...],
    judged: JudgedRun,
    late: int,
) -> list[int]:
    """Add one run, and return the list: four outcomes, late, measurements passed and failed, 0."""
    counts = sums.get(key)
    if counts is None:
        counts = sums[key] = [0, 0, 0, 0, 0, 0, 0, 0]
    counts[_COLUMN[judged.outcome]] += 1
    counts[4] += late
    counts[5] += judged.counts.passed
    counts[6] += judged.counts.failed
    return counts


def _run_row(key: tuple[int, ...], counts: list[int], received_us: int) -> tuple[Any, ...]:
    return (*key, *counts[:5], received_us if counts[4] else None, *counts[5:])


def _who(message: Measurement | Run, names: Names) -> tuple[int, int]:
    """Return fixture and operator, 0 for none."""
    fixture, operator = message.fixture, message.operator
    return (
        0 if fixture is None else names.of[NameKind.FIXTURE][fixture],
        0 if operator is None else names.of[NameKind.OPERATOR][operator],
    )


def _is_repeating(judged: JudgedRun) -> bool:
    """Tell whether a step has more than one measurement."""
    steps = {each.measurement.test_step for each in judged.measurements}
    return len(steps) < len(judged.measurements)


def _add_steps(
    by_step: dict[tuple[int, ...], list[Any]],
    key: tuple[int, ...],
    judged: JudgedRun,
    names: Names,
) -> None:
    """Add every measurement of one run.

    A list holds four outcome counts, first failures, n, a shift, the sums of (value - shift) and
    its square, least and greatest. Shifting by the first value keeps the digits of the spread.
    """
    steps, measure_units = names.of[NameKind.STEP], names.of[NameKind.MEASURE_UNIT]
    first_failure = judged.first_failure
    for each in judged.measurements:
        measurement = each.measurement
        unit = measurement.unit
        step_key = (*key, steps[measurement.test_step], 0 if unit is None else measure_units[unit])
        sums = by_step.get(step_key)
        if sums is None:
            sums = by_step[step_key] = _no_sums()
        sums[_COLUMN[each.outcome]] += 1
        if first_failure is not None and measurement.test_step == first_failure:
            sums[4] += 1
            first_failure = None  # a repeated step name counts once a run
        value = measurement.measured_value
        if type(value) is float and -_SQUARE_MAX < value < _SQUARE_MAX:
            _add_value(sums, value)
    if first_failure is not None:  # a required step that is missing: it has no measurement
        by_step.setdefault((*key, steps[first_failure], 0), _no_sums())[4] += 1


def _no_sums() -> list[Any]:
    return [0, 0, 0, 0, 0, 0, 0.0, 0.0, 0.0, None, None]


def _add_value(sums: list[Any], value: float) -> None:
    if not sums[5]:
        sums[6] = sums[9] = sums[10] = value
    elif value < sums[9]:
        sums[9] = value
    elif value > sums[10]:
        sums[10] = value
    shifted = value - sums[6]
    sums[5] += 1
    sums[7] += shifted
    sums[8] += shifted * shifted


def _merged(sums: list[Any]) -> tuple[Any, ...]:
    """Return outcome counts, first failures, n, mean, squares, least, greatest."""
    *counts, count, shift, total, squares, least, greatest = sums
    if not count:
        return (*counts, 0, 0.0, 0.0, None, None)
    spread = max(0.0, squares - total * total / count)
    return (*counts, count, shift + total / count, spread, least, greatest)
