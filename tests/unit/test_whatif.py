"""Which verdicts change from one rulebook to another, with measurements that expressions make."""

import gc
from typing import Any

import pytest

from broker.messages import Outcome
from service.core.lookup import Rulebook
from service.core.records import JudgedRun
from service.core.whatif import ChangedRun, HistoricRun, Report, StepChange, WhatIf
from service.rulebook import parse_rulebook
from tests.support.core import judge, run_with, understood

A = {"test_step": "a", "measured_value": 3.0}
B = {"test_step": "b", "measured_value": 1.0}
SUM = '[[rule]]\nid = "{}"\ntest_step = "{}"\nexpression = "steps.a + steps.b"\nhigh = {}\n'
LIMIT = '[[rule]]\nid = "a"\ntest_step = "a"\nhigh = {}\n'


def judged(rules: str, *measurements: dict[str, Any], **fields: object) -> JudgedRun:
    book = Rulebook(1, parse_rulebook(rules, "rules.toml"))
    return judge(understood(run_with(*measurements, **fields)), book)


def compare(before: str, after: str, *measurements: dict[str, Any], **fields: object) -> Report:
    what_if = WhatIf()
    old = judged(before, *measurements, **fields)
    run = HistoricRun(1, 1, is_first=True, is_second=False, is_last=True, outcome=old.outcome)
    what_if.add(run, old, judged(after, *measurements, **fields))
    return what_if.report()


def change(step: str, *rest: str | None) -> StepChange:
    before, after, was, becomes = rest
    return StepChange(step, before, after, Outcome(was), Outcome(becomes))


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("", SUM.format("s", "sum", 5), [change("sum", None, "s", "UNJUDGED", "PASS")]),
        ("", SUM.format("s", "sum", 3), [change("sum", None, "s", "UNJUDGED", "FAIL")]),
        (SUM.format("s", "sum", 3), "", [change("sum", "s", None, "FAIL", "UNJUDGED")]),
        (
            SUM.format("s", "sum", 3),
            SUM.format("t", "sum", 5),
            [change("sum", "s", "t", "FAIL", "PASS")],
        ),
        (SUM.format("s", "sum", 4), SUM.format("t", "sum", 5), []),
        (
            SUM.format("s", "sum", 3),
            SUM.format("s", "total", 5),
            [
                change("sum", "s", None, "FAIL", "UNJUDGED"),
                change("total", None, "s", "UNJUDGED", "PASS"),
            ],
        ),
        (
            LIMIT.format(5) + SUM.format("s", "sum", 5),
            LIMIT.format(2) + SUM.format("s", "sum", 3),
            [change("a", "a", "a", "PASS", "FAIL"), change("sum", "s", "s", "PASS", "FAIL")],
        ),
    ],
)
def test_a_verdict_that_only_one_of_them_makes_is_a_change(
    before: str, after: str, changes: list[StepChange]
) -> None:
    report = compare(before, after, A, B)
    assert list(report.steps) == changes
    assert report.not_reproduced == 0


def test_a_run_that_only_an_expression_fails_is_named_with_its_values() -> None:
    (changed,) = compare("", SUM.format("s", "sum", 3), A, B, reported_outcome="PASS").changes
    assert (changed.after, changed.first_failure) == (Outcome.FAIL, "sum")
    (step,) = changed.steps
    assert (step.test_step, step.after.measurement.measured_value) == ("sum", 4.0)
    assert step.after.reason == "4 is above 3, with a 3, b 1"


def test_the_same_name_sent_and_made_are_two() -> None:
    sent = {"test_step": "sum", "measured_value": 9.0}
    report = compare(SUM.format("s", "sum", 3), SUM.format("s", "sum", 5), A, B, sent)
    assert list(report.steps) == [change("sum", "s", "s", "FAIL", "PASS")]


def test_whether_a_run_came_to_its_end_is_told_by_what_was_sent() -> None:
    whole = [A, B, {"test_step": "c", "measured_value": 1.0}]
    before, after = SUM.format("s", "sum", 3), SUM.format("s", "sum", 5)
    what_if = WhatIf()
    for number, measurements in enumerate(
        ([A, B], [*whole[:1], {**B, "measured_value": -1.0}, whole[2]])
    ):
        old = judged(before, *measurements, barcode=f"B{number}")
        run = HistoricRun(
            number, number, is_first=True, is_second=False, is_last=True, outcome=old.outcome
        )
        what_if.add(run, old, judged(after, *measurements, barcode=f"B{number}"))
    (changed,) = what_if.report().changes
    assert changed.barcode == "B0"
    assert changed.is_unfinished  # the one that passed has c too


def forty_runs(what_if: WhatIf) -> WhatIf:
    """Of four runs one is rescued, one newly fails, one stays, one is rescued unfinished."""
    c = {"test_step": "c", "measured_value": 1.0}
    low, high = {**A, "measured_value": 1.0}, {**A, "measured_value": 9.0}
    for number in range(40):
        sent = [[high, B, c], [low, B, c], [A, B, c], [high, B]][number % 4]
        old, new = (
            judged(rules, *sent, barcode=f"B{number}", product_id="P")
            for rules in (LIMIT.format(4), LIMIT.format(20).replace("high", "low = 2\nhigh"))
        )
        run = HistoricRun(
            number, number, is_first=True, is_second=False, is_last=True, outcome=old.outcome
        )
        what_if.add(run, old, new)
    return what_if


def changed_runs_in_memory() -> int:
    gc.collect()
    return sum(isinstance(each, ChangedRun) for each in gc.get_objects())


def test_only_the_first_runs_that_change_are_kept_and_all_are_counted() -> None:
    before = changed_runs_in_memory()
    few = forty_runs(WhatIf(named_max=2))
    assert changed_runs_in_memory() - before == 4
    little, much = few.report(), forty_runs(WhatIf()).report()
    assert little._replace(changes=[]) == much._replace(changes=[])
    assert (much.changed, much.rescued, much.newly_failing, much.unfinished) == (30, 20, 10, 10)
    _, low, high = much.units
    assert (low.first_passed, high.first_passed) == (20, 30)
    assert [each.barcode for each in little.changes] == ["B0", "B1", "B3", "B5"]
    assert [each.is_unfinished for each in little.changes] == [False, False, True, False]
    assert len(much.changes) == 30
