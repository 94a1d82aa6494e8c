"""What-if on real tester files: equal to counting by hand, and the present reproduces the past."""

import json
import random
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from edge_agent.formats import Parsed, open_parser, read_options
from edge_agent.formats.runs import run_json
from service.commands.backtest import backtest
from service.commands.rulebooks import Draft, activate_rulebook
from service.core.lookup import Rulebook
from service.rulebook import parse_rulebook
from service.store.queries.figures import figures
from service.store.queries.filters import Filters
from service.store.queries.yields import rolled_throughput
from tests.support.paths import FIXTURES
from tests.support.stored import NOON, Stored, run_message

SAMPLES = [
    ("spea", FIXTURES / "spea/testdata_SN9871234012.csv"),
    ("takaya", FIXTURES / "takaya/V682780_B_BOT-20230301082027.ATD"),
    ("takaya", FIXTURES / "takaya/PB2939800_E_BOT-20230420130239.ATD"),
]
Run = dict[str, Any]


def runs_of(format_name: str, file: Path) -> list[Run]:
    parser = open_parser(format_name, read_options(format_name, {}), file.name)
    items = [*parser.feed(file.read_bytes()), *parser.finish()]
    return [
        json.loads(run_json(run)) for each in items if isinstance(each, Parsed) for run in each.runs
    ]


SAMPLE_RUNS = [run for name, file in SAMPLES for run in runs_of(name, file)]


def fill(stored: Stored, runs: list[Run], rules: str) -> None:
    """Activate `rules` and store the runs in no order, judged by them, some within an array."""
    book = activate_rulebook(
        stored.database, Draft(rules), actor="ann", reason="the plant's", now=NOON
    )
    rulebook = Rulebook(book.version, parse_rulebook(rules, "rules"))
    shuffled = list(runs)
    random.Random(1).shuffle(shuffled)
    third = len(shuffled) // 3
    stored.save(json.dumps(shuffled[:third]).encode(), rules=rulebook)
    stored.save(*shuffled[third:], rules=rulebook)


# -- by hand, without any code of the service ------------------------------------------------------


class Limit(NamedTuple):
    """Without low and high: LOG, which only records."""

    low: float | None = None
    high: float | None = None


def toml(limits: dict[str, Limit]) -> str:
    return "".join(
        f'[[rule]]\nid = "{number}"\ntest_step = {json.dumps(step.replace("[", "[[]"))}\n'
        + "".join(
            f"{name} = {value!r}\n" for name, value in limit._asdict().items() if value is not None
        )
        + ("" if any(limit) else 'comparator = "LOG"\n')
        for number, (step, limit) in enumerate(limits.items())
    )


def verdict(run: Run, limits: dict[str, Limit]) -> str:
    """The run's outcome by the contract's sentences, for runs that say their own outcome."""
    ruled = [
        (each, judge(each, limits[each["test_step"]]))
        for each in run["measurements"]
        if each["test_step"] in limits
    ]
    outcomes = [outcome for _, outcome in ruled]
    if "FAIL" in outcomes:
        return "FAIL"
    if "ERROR" in outcomes:
        return "ERROR"
    if run["reported_outcome"] != "FAIL":
        return str(run["reported_outcome"])
    failed = [each for each in run["measurements"] if each.get("reported_outcome") == "FAIL"]
    good = [each for each, outcome in ruled if outcome == "PASS"]
    overruled = bool(failed) and all(any(each is one for one in good) for each in failed)
    return "PASS" if overruled else "FAIL"


def judge(measurement: Run, limit: Limit) -> str:
    value = measurement["measured_value"]
    if limit == Limit():
        return "PASS"
    if not is_number(value):
        return "ERROR"
    is_inside = (limit.low is None or value >= limit.low) and (
        limit.high is None or value <= limit.high
    )
    return "PASS" if is_inside else "FAIL"


def figures_by_hand(runs: list[Run], limits: dict[str, Limit]) -> dict[str, int]:
    units: dict[tuple[str, str, str], list[Run]] = {}
    for run in sorted(runs, key=lambda each: str(each["started_at"])):
        key = (run["barcode"], run["product_id"], run["procedure"])
        units.setdefault(key, []).append(run)
    passed = [[verdict(run, limits) == "PASS" for run in runs] for runs in units.values()]
    return {
        "units": len(units),
        "first": sum(each[0] for each in passed),
        "last": sum(each[-1] for each in passed),
    }


def is_number(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool)


def forgiving() -> dict[str, Limit]:
    """A limit for every step that some machine reported FAIL, which holds for all its values."""
    every = [each for run in SAMPLE_RUNS for each in run["measurements"]]
    failed = sorted({each["test_step"] for each in every if each.get("reported_outcome") == "FAIL"})
    found = {}
    for step in failed:
        values = [each["measured_value"] for each in every if each["test_step"] == step]
        only_numbers = all(map(is_number, values))
        found[step] = Limit(float(min(values)), float(max(values))) if only_numbers else Limit()
    return found


def drafts() -> tuple[dict[str, Limit], list[dict[str, Limit]]]:
    """Limits that were in force, and drafts: one forgives every failing step, one fails what
    passed, one is of both, one is empty."""
    dice = random.Random(5)
    takaya = [run for run in SAMPLE_RUNS if run["procedure"] == "FPT"]
    strict = {}
    for each in takaya[0]["measurements"][:40]:
        value = each["measured_value"]
        if is_number(value):
            strict[each["test_step"]] = Limit(float(value) * 0.999, float(value) * 1.001)
    mixed = dict(dice.sample(sorted((forgiving() | strict).items()), 12))
    in_force = dict(dice.sample(sorted(forgiving().items()), 6))
    return in_force, [forgiving(), strict, mixed, {}]


IN_FORCE, DRAFTS = drafts()


# -- the tests -------------------------------------------------------------------------------------


def test_the_active_rulebook_reproduces_every_verdict_of_its_own_history(stored: Stored) -> None:
    rules = toml(IN_FORCE)
    fill(stored, SAMPLE_RUNS, rules)
    report = backtest(stored.database, rules, Filters())
    assert report["runs"] == len(SAMPLE_RUNS) == 16
    assert (report["runs_changed"], report["not_reproduced"], report["steps"]) == (0, 0, [])
    before, after = report["before"], report["after"]
    for name in ("first_pass_yield", "final_yield", "rolled_throughput_yield"):
        assert before[name] == after[f"{name}_low"] == after[f"{name}_high"]
    assert before["first_pass_yield"] == figures(stored.database, Filters())["first_pass_yield"]
    assert before["final_yield"] == figures(stored.database, Filters())["final_yield"]
    rolled = rolled_throughput(stored.database, Filters())
    assert before["rolled_throughput_yield"] == rolled["rolled_throughput_yield"]


@pytest.mark.parametrize("number", range(4))
def test_a_changed_limit_on_the_real_files_is_what_counting_by_hand_gives(
    stored: Stored, number: int
) -> None:
    draft = DRAFTS[number]
    fill(stored, SAMPLE_RUNS, toml(IN_FORCE))
    report = backtest(stored.database, toml(draft), Filters())
    old, new = figures_by_hand(SAMPLE_RUNS, IN_FORCE), figures_by_hand(SAMPLE_RUNS, draft)
    before, after = report["before"], report["after"]
    assert report["units"] == old["units"] == 7
    assert (before["first_passed"], before["finally_passed"]) == (old["first"], old["last"])
    assert (after["first_passed_high"], after["finally_passed_high"]) == (new["first"], new["last"])
    changed = {
        (run["barcode"], str(run["started_at"])): (verdict(run, IN_FORCE), verdict(run, draft))
        for run in SAMPLE_RUNS
        if verdict(run, IN_FORCE) != verdict(run, draft)
    }
    named = {
        (each["barcode"], each["timestamp"].removesuffix("Z")): (
            each["outcome_before"],
            each["outcome_after"],
        )
        for each in [*report["rescued"], *report["newly_failing"]]
    }
    assert named == {key: pair for key, pair in changed.items() if "PASS" in pair}
    assert report["runs_changed"] == len(changed)


def test_the_drafts_do_change_something() -> None:
    seen = {
        (verdict(run, IN_FORCE), verdict(run, draft)) for draft in DRAFTS for run in SAMPLE_RUNS
    }
    assert {("PASS", "FAIL"), ("FAIL", "PASS")} <= seen


STEPS = [{"test_step": name, "measured_value": 5.0, "low": 4.0, "high": 6.0} for name in "abc"]


def stopped(barcode: str, minutes: float) -> Run:
    """A run of a machine that stops at the first failure: step b failed, c was never measured."""
    failed = {**STEPS[1], "measured_value": 6.5, "reported_outcome": "FAIL"}
    return run_message(barcode, minutes=minutes, steps=[STEPS[0], failed], reported_outcome="FAIL")


def test_a_run_that_stopped_at_a_failure_makes_the_answer_an_interval(stored: Stored) -> None:
    whole = [
        run_message(f"U{at}", minutes=at, steps=STEPS, reported_outcome="PASS") for at in range(8)
    ]
    fill(stored, [*whole, stopped("S1", 10), stopped("S2", 11)], "")
    report = backtest(stored.database, toml({"b": Limit(4.0, 7.0)}), Filters())
    assert report["before"]["first_pass_yield"] == 0.8
    assert report["after"]["first_pass_yield_low"] == 0.8, "they may have failed at c"
    assert report["after"]["first_pass_yield_high"] == 1.0, "or not"
    assert report["unfinished"] == 2
    assert [each["barcode"] for each in report["rescued"]] == ["S1", "S2"]
    assert all(each["is_unfinished"] for each in report["rescued"])


def test_where_nothing_ever_passed_a_run_that_ends_with_the_failure_may_have_stopped(
    stored: Stored,
) -> None:
    fill(stored, [stopped("S1", 10)], "")
    report = backtest(stored.database, toml({"b": Limit(4.0, 7.0)}), Filters())
    after = report["after"]
    assert (after["first_pass_yield_low"], after["first_pass_yield_high"]) == (0.0, 1.0)


def test_a_retest_counts_with_its_units_first_run_wherever_it_was(stored: Stored) -> None:
    runs = [
        run_message("A", minutes=0, passes=False, reported_outcome="FAIL"),
        run_message("A", minutes=90, reported_outcome="PASS"),
        run_message("B", minutes=90, reported_outcome="PASS"),
    ]
    fill(stored, runs, "")
    until = Filters(until=NOON.replace(hour=13))
    report = backtest(stored.database, toml({"vcc": Limit(8.0, 9.0)}), until)
    assert (report["units"], report["runs"]) == (1, 2), "A alone, with its retest"
    assert (report["before"]["finally_passed"], report["after"]["finally_passed_high"]) == (1, 0)
    assert [each["barcode"] for each in report["newly_failing"]] == ["A"]


def test_what_became_of_a_unit_afterwards_is_said_beside_its_run(stored: Stored) -> None:
    runs = [
        run_message("A", minutes=0, reported_outcome="PASS"),
        run_message("A", minutes=90, reported_outcome="FAIL", procedure="EOL"),
        run_message("B", minutes=5, reported_outcome="PASS"),
    ]
    fill(stored, runs, "")
    report = backtest(
        stored.database, toml({"vcc": Limit(8.0, 9.0)}), Filters(until=NOON.replace(hour=13))
    )
    afterwards = {each["barcode"]: each["afterwards"] for each in report["newly_failing"]}
    assert afterwards["B"] is None, "its last run is the one that changes"
    assert (afterwards["A"]["procedure"], afterwards["A"]["outcome"]) == ("EOL", "FAIL")


def test_a_required_step_that_is_missing_is_said_by_its_name(stored: Stored) -> None:
    fill(stored, [run_message("A", reported_outcome="PASS")], "")
    draft = '[[rule]]\nid = "seal"\ntest_step = "seal"\ncomparator = "LOG"\nrequired = true\n'
    (failing,) = backtest(stored.database, draft, Filters())["newly_failing"]
    assert (failing["first_failure"], failing["steps"]) == ("seal", [])


def test_how_far_it_is_is_told_and_whoever_hears_it_can_end_it(stored: Stored) -> None:
    fill(stored, [run_message(f"U{at}", minutes=at) for at in range(5)], "")
    heard: list[tuple[int, int]] = []
    backtest(stored.database, "", Filters(), progress=lambda *at: heard.append(at))
    assert heard == [(0, 5), (5, 5)]

    def enough(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backtest(stored.database, "", Filters(), progress=enough)


def test_golden_samples_are_no_part_of_it(stored: Stored) -> None:
    stored.save(run_message("GOLD"), is_golden=True)
    report = backtest(stored.database, "", Filters())
    assert (report["runs"], report["units"]) == (0, 0)
    assert report["before"]["first_pass_yield"] is None
