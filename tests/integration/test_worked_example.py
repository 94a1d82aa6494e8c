"""The worked example, stored and asked for: the queries say what its pages print."""

from collections.abc import Iterator

import pytest

from service.commands.backtest import backtest
from service.commands.rulebooks import Draft, activate_rulebook
from service.core.lookup import Rulebook
from service.store.queries.capabilities import capabilities
from service.store.queries.charts import ChartWish, control_chart, histogram
from service.store.queries.disagreements import list_disagreements
from service.store.queries.filters import Filters
from service.store.queries.steps import pareto_of_steps
from service.store.queries.yields import yields
from tests.support import worked_example
from tests.support.stored import NOON, Stored
from tests.support.worked_example import FOLDER, percent

PRINTED = worked_example.figures()
VOUT = Filters(product_id=worked_example.PRODUCT, step="vout")


@pytest.fixture
def stored(store_url: str) -> Iterator[Stored]:
    """Yield the example's history, judged by its rulebook."""
    store = Stored(store_url)
    body = (FOLDER / "psu-12.toml").read_text("utf-8")
    draft = Draft(body)
    book = activate_rulebook(store.database, draft, actor="ann", reason="start", now=NOON)
    rules = Rulebook(book.version, worked_example.rulebook("psu-12.toml").rules)
    for message in worked_example.messages():
        store.save(message, machine_id=message["machine_id"], rules=rules)
    yield store
    store.close()


def test_yields_are_those_of_the_page(stored: Stored) -> None:
    fct, ict = yields(stored.database, Filters())
    (both,) = yields(stored.database, Filters(), "product")
    assert {
        "FPY of ICT": percent(ict["first_pass_yield"]),
        "FPY of FCT": percent(fct["first_pass_yield"]),
        "FPY of FCT, low": percent(fct["first_pass_yield_low"]),
        "FPY of FCT, high": percent(fct["first_pass_yield_high"]),
        "second pass yield of FCT": percent(fct["second_pass_yield"]),
        "final yield of FCT": percent(fct["final_yield"]),
        "retest rate of FCT": percent(fct["retest_rate"]),
        "retests of FCT": str(fct["retests"]),
        "RTY": percent(both["rolled_throughput_yield"]),
        "RTY, low": percent(both["rolled_throughput_yield_low"]),
        "RTY, high": percent(both["rolled_throughput_yield_high"]),
        "FPY over both": percent(both["first_pass_yield"]),
        "DPMO": f"{both['dpmo']:,.0f}",
        "pass rate": percent(both["pass_rate"]),
    }.items() <= PRINTED.items()


def test_the_pareto_is_that_of_the_page(stored: Stored) -> None:
    found = pareto_of_steps(stored.database, Filters())["items"]
    assert [(each["test_step"], each["share"], each["cumulative_share"]) for each in found] == [
        (each.step.test_step, each.share, each.cumulative_share)
        for each in worked_example.pareto().entries
    ]


def test_capability_and_chart_are_those_of_the_page(stored: Stored) -> None:
    (found,) = capabilities(stored.database, VOUT)["items"]
    for name in ("Cp", "Cpk", "Pp", "Ppk"):
        key = name.lower()
        assert f"{found[key]:.2f}" == PRINTED[name]
        assert f"{found[f'{key}_low']:.2f}" == PRINTED[f"{name}, low"]
        assert f"{found[f'{key}_high']:.2f}" == PRINTED[f"{name}, high"]
    chart = control_chart(stored.database, VOUT, ChartWish())["item"]
    assert f"{chart['location']['upper']:.3f} V" == PRINTED["upper control limit"]
    assert [(each["number"], each["points"]) for each in chart["signals"]] == [
        (each.rule.number, list(each.indices)) for each in worked_example.signals()
    ]
    drawn = histogram(stored.database, VOUT)["item"]
    assert drawn["counts"] == worked_example.histogram().counts.tolist()


def test_the_run_that_the_tester_accepted_is_the_one_that_disagrees(stored: Stored) -> None:
    ((run,), _) = list_disagreements(stored.database, Filters(), 10, None)
    assert (run["barcode"], run["kind"]) == ("PS-02", "false_accept")


def test_the_back_test_is_that_of_the_page(stored: Stored) -> None:
    body = (FOLDER / "psu-12-draft.toml").read_text("utf-8")
    report = backtest(stored.database, body, Filters())
    (fct,) = (each for each in report["procedures"] if each["procedure"] == "FCT")
    before, after = fct["before"], fct["after"]
    assert {
        "FPY of FCT then": percent(before["first_pass_yield"]),
        "FPY of FCT at least": percent(after["first_pass_yield_low"]),
        "FPY of FCT at most": percent(after["first_pass_yield_high"]),
        "final yield then": percent(before["final_yield"]),
        "final yield at least": percent(after["final_yield_low"]),
        "final yield at most": percent(after["final_yield_high"]),
    }.items() <= PRINTED.items()
    assert [each["barcode"] for each in report["rescued"]] == ["PS-12"]
    assert [each["barcode"] for each in report["newly_failing"]] == ["PS-05"]
