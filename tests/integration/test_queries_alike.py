"""Analysis: both databases say the same of one random history, whatever is asked."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from broker.plant_sections import PlantSettings
from service.store.database import Database
from service.store.queries.capabilities import capabilities
from service.store.queries.capability_list import capability_list
from service.store.queries.charts import ChartKind, ChartWish, RuleSet, control_chart, histogram
from service.store.queries.disagreements import count_disagreements, list_disagreements
from service.store.queries.figures import figures
from service.store.queries.filters import Filters
from service.store.queries.golden import golden_samples
from service.store.queries.steps import pareto_of_steps
from service.store.queries.yields import GROUPS, rolled_throughput, yields
from tests.support.random_history import FILTERS, HOUR, History, assert_same, each_filter
from tests.support.stored import NOON

INDIA = PlantSettings(time_zone="Asia/Kolkata", shift_starts=("06:00", "16:45", "18:20"))
STEPS = ("vcc", "res", "odd", "led", "never")
pytestmark = pytest.mark.postgres


def with_sqlite_ids(answer: Any, ids: dict[int, int]) -> Any:  # noqa: ANN401 - JSON
    """Return PostgreSQL's answer with the run ids of SQLite."""
    if isinstance(answer, dict):
        return {
            key: ids[value] if key == "run_id" else with_sqlite_ids(value, ids)
            for key, value in answer.items()
            if key != "run_ids"
        } | ({"run_ids": [ids[each] for each in answer["run_ids"]]} if "run_ids" in answer else {})
    if isinstance(answer, list | tuple):
        return [with_sqlite_ids(each, ids) for each in answer]
    return answer


Call = Callable[[Database, Filters], Any]


def yields_by(group: str) -> Call:
    return lambda database, filters: yields(database, filters, group, INDIA)


def of_step(step: str, ask: Call) -> Call:
    return lambda database, filters: ask(database, replace(filters, step=step))


def chart_of(kind: ChartKind, **wish: Any) -> Call:  # noqa: ANN401 - fields of a ChartWish
    wanted = ChartWish(kind, **wish)
    return lambda database, filters: control_chart(database, filters, wanted)


CALLS: dict[str, Call] = {
    "figures": figures,
    **{f"yields by {group}": yields_by(group) for group in GROUPS},
    "rolled throughput": rolled_throughput,
    "pareto": pareto_of_steps,
    "short pareto": lambda database, filters: pareto_of_steps(database, filters, 2, "failures"),
    **{f"capability of {step}": of_step(step, capabilities) for step in STEPS},
    "capability of few": of_step("vcc", lambda *args: capabilities(*args, limit=37)),
    "capability of subgroups": of_step(
        "res", lambda *args: capabilities(*args, subgroup_size=4, method="mean_range")
    ),
    "histogram": of_step("vcc", histogram),
    "individuals": of_step("vcc", chart_of(ChartKind.INDIVIDUALS)),
    "means": of_step("res", chart_of(ChartKind.MEAN_RANGE, subgroup_size=3, points=20)),
    "deviations": of_step(
        "vcc",
        chart_of(
            ChartKind.MEAN_DEVIATION, rules=RuleSet.WESTERN_ELECTRIC, baseline_until=NOON + HOUR
        ),
    ),
    "golden": golden_samples,
    "disagreements": lambda database, filters: list_disagreements(database, filters, 20)[0],
    "disagreements of a step": of_step("vcc", lambda *args: list_disagreements(*args)[0]),
    "counted disagreements": count_disagreements,
    "counted disagreements of a step": of_step("vcc", count_disagreements),
}


@each_filter
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_sqlite_and_postgresql_give_the_same_answer(
    history: History, call: Call, filters: Filters
) -> None:
    from_postgres = with_sqlite_ids(call(history.postgres, filters), history.sqlite_ids)
    assert_same(call(history.sqlite, filters), from_postgres)


@pytest.mark.parametrize("rolled_up", ["product", "machine, odd ends", "nothing"])
def test_both_list_the_capability_of_a_product_alike(history: History, rolled_up: str) -> None:
    filters = FILTERS[rolled_up]
    one, other = (capability_list(each, filters) for each in (history.sqlite, history.postgres))
    assert_same(one, other)
