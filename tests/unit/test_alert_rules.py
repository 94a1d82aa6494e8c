"""When the alert rules say trouble, over, or nothing: yields, steps, retests and rejections."""

from datetime import timedelta

from broker.plant_sections import (
    AlertsSettings,
    LineSettings,
    MachineSettings,
    PlantSettings,
    ProductSettings,
)
from broker.targets import Targets
from service.core.alert_facts import Facts, RunFact, ShiftYield
from service.core.alert_rules import Rules
from service.core.alerts import AlertKind, key_of
from service.core.intervals import wilson_interval
from tests.support.alert_facts import (
    MINUTE,
    NOW,
    assess,
    facts,
    living,
    machine,
    only,
    run,
    seconds,
)

# -- yield -----------------------------------------------------------------------------------------


def yields(units: int, passed: int, *products: str) -> Facts:
    failing = run(1, "vcc"), run(2, "vcc", attempt=2), run(3, procedure="ICT"), run(4)
    found = ShiftYield(units, passed, frozenset(products))
    return facts(machine("M1", *failing), yields={("M1", "FCT"): found})


def test_a_yield_alert_takes_the_target_of_the_machine_of_the_product_or_of_the_line() -> None:
    plant = PlantSettings(target_fpy_percent=60)
    of_line = LineSettings(target_fpy_percent=70)
    of_product = ProductSettings(target_fpy_percent=80)
    of_machine = {"M1": MachineSettings(target_fpy_percent=90)}

    def below(targets: Targets) -> str:
        rules = Rules(AlertsSettings(), plant, targets.machines, targets=targets)
        found = only(rules.assess(yields(200, 50, "P1"), [], NOW))
        return found.message.partition(" target of ")[2]

    assert below(Targets(plant)) == "60 %."
    assert below(Targets(plant, lines={"L1": of_line})) == "70 %."
    assert below(Targets(plant, lines={"L1": of_line}, products={"P1": of_product})) == "80 %."
    assert below(Targets(plant, of_machine, {"P1": of_product}, {"L1": of_line})) == "90 %."


def test_a_yield_is_low_when_its_whole_interval_is_below_the_target() -> None:
    for passed in range(101):
        interval = wilson_interval(passed, 100)
        assert interval
        assert bool(assess(yields(100, passed)).found) == (interval[1] < 0.95)


def test_a_yield_alert_says_the_figures_and_has_the_failing_runs_as_evidence() -> None:
    found = only(assess(yields(40, 30)))
    assert found.message == (
        "First pass yield of FCT at M1 is 75.0 % of 40 units this shift (59.8 % to 85.8 %), below"
        " the target of 95 %."
    )
    assert found.evidence == (1,)


def test_few_units_say_nothing_of_a_yield() -> None:
    assert not assess(yields(19, 0)).found
    assert assess(yields(20, 0)).found


def test_a_yield_alert_closes_a_little_above_the_target_and_not_at_it() -> None:
    alert = living(only(assess(yields(100, 80))))
    between = next(
        passed
        for passed in range(100, 0, -1)
        if (high := (wilson_interval(passed, 100) or (0, 0))[1]) and 0.95 <= high < 0.96
    )
    said = assess(yields(100, between), alert)
    assert (dict(said.found), said.cleared) == ({}, set())
    assert assess(yields(100, between + 1), alert).cleared == {alert.key}


def test_a_yield_alert_closes_with_its_shift() -> None:
    alert = living(only(assess(yields(100, 80))), opened_at=NOW - timedelta(hours=4, seconds=1))
    assert assess(facts(machine()), alert).cleared == {alert.key}
    later = living(only(assess(yields(100, 80))), opened_at=NOW - timedelta(hours=4))
    assert assess(facts(machine()), later).cleared == set()
    again = assess(yields(100, 80), alert)
    assert (set(again.found), again.cleared) == ({alert.key}, set()), "it goes on in this shift"


# -- the same step ---------------------------------------------------------------------------------


def test_three_runs_in_a_row_that_fail_first_at_one_step_are_an_alert() -> None:
    two = [run(1), run(2, "vcc"), run(3, "vcc")]
    assert not assess(facts(machine("M1", *two))).found
    found = only(assess(facts(machine("M1", *two, run(4, "vcc")))))
    assert (found.kind, found.subject.step) == (AlertKind.STEP_REPEATS, "vcc")
    assert found.evidence == (4, 3, 2)
    assert not assess(facts(machine("M1", *two, run(4, "r7")))).found
    assert not assess(facts(machine("M1", *two, run(4), run(5, "vcc")))).found


def test_a_late_run_that_breaks_the_row_is_seen_whenever_it_comes() -> None:
    row = [run(1, "vcc"), run(2, "vcc"), run(4, "vcc")]
    assert assess(facts(machine("M1", *row))).found
    late = run(3, received_at=NOW + MINUTE)
    assert not assess(facts(machine("M1", *row, late))).found


def test_it_closes_when_as_many_runs_in_a_row_do_not_fail_there() -> None:
    row = [run(each, "vcc") for each in (1, 2, 3)]
    alert = living(only(assess(facts(machine("M1", *row)))))
    good = [run(each) for each in (4, 5, 6)]
    for count, is_over in ((0, False), (1, False), (2, False), (3, True)):
        said = assess(facts(machine("M1", *row, *good[:count])), alert)
        assert (alert.key in said.cleared) == is_over, count
    assert not assess(facts(), alert).cleared, "nothing is known of the machine"


# -- retests, rejections ---------------------------------------------------------------------------


def test_a_unit_with_more_runs_than_allowed_is_one_alert_wherever_it_is_run() -> None:
    def attempt(number: int, place: int) -> RunFact:
        return run(number, barcode="SN-1", attempt=place)

    three = machine("M1", *(attempt(each, each) for each in (1, 2, 3)))
    assert not assess(facts(three)).found
    both = facts(three, machine("M2", attempt(4, 4), attempt(5, 5)))
    found = only(assess(both))
    assert found.message.startswith("Unit SN-1 was run 5 times at FCT, last at M2.")
    assert (found.subject.barcode, found.evidence) == ("SN-1", (5, 4))


def test_a_retest_alert_closes_when_the_unit_has_rested() -> None:
    again = run(1, attempt=4)
    alert = living(only(assess(facts(machine("M1", again)))))
    hour = timedelta(hours=1)
    assert not assess(facts(machine("M1")), alert, now=NOW + hour - seconds(1)).cleared
    assert assess(facts(machine("M1", again)), alert, now=NOW + hour).cleared == {alert.key}


def test_a_burst_of_rejections_is_an_alert_until_there_are_half_as_many() -> None:
    assert not assess(facts(machine(), rejections={"M1": 19})).found
    alert = living(only(assess(facts(machine(), rejections={"M1": 20}))))
    assert alert.kind is AlertKind.REJECTIONS
    assert not assess(facts(machine(), rejections={"M1": 10}), alert).cleared
    assert assess(facts(machine(), rejections={"M1": 9}), alert).cleared == {alert.key}
    assert assess(facts(machine()), alert).cleared == {alert.key}


def test_keys_of_different_kinds_differ() -> None:
    assert len({key_of(kind, "M1") for kind in AlertKind}) == len(AlertKind)
