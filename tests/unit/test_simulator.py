"""The simulated floor: the same again by seed, and alive in the ways that a floor is."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile

import orjson
import pytest
from pydantic import TypeAdapter

from broker.errors import SettingsError
from broker.messages import MEASUREMENT, RUN, Measurement, Run, State
from broker.topics import Channel
from service.simulator.floor import HISTORY_RUNS_MAX, Floor
from service.simulator.life import Event, Life, first_runs
from service.simulator.plant import Shape, machines, plant
from service.simulator.play import SimulateOptions

START = datetime(2026, 11, 23, 10, tzinfo=UTC)
HALF_HOUR_S = 1_800.0
PANEL = TypeAdapter(list[Run])
AILING = {"FCT-12", "ICT-21", "EOL-21"}


def events_until(until_s: float, life: Life, **options: float) -> list[Event]:
    floor = Floor(life, **options)  # type: ignore[arg-type]
    return list(takewhile(lambda event: event.due_s < until_s, floor.events()))


@pytest.fixture(scope="module")
def half_hour() -> list[Event]:
    return events_until(HALF_HOUR_S, Life(7, START))


@pytest.fixture(scope="module")
def reports(half_hour: list[Event]) -> dict[str, list[Measurement | Run]]:
    """Every good message of the half hour as the service reads it, by machine, in order."""
    by_machine: dict[str, list[Measurement | Run]] = defaultdict(list)
    for event in half_hour:
        by_machine[event.machine_id].extend(read(event))
    return by_machine


def read(event: Event) -> Sequence[Measurement | Run]:
    if event.channel is not Channel.TEST or not event.runs:
        return []
    if isinstance(event.message, list):
        return PANEL.validate_json(event.payload())
    adapter = MEASUREMENT if event.machine_id == "LEAK-31" else RUN
    return [adapter.validate_json(event.payload())]


def values(runs: list[Measurement | Run], test_step: str) -> list[tuple[Run, object]]:
    return [
        (run, step.measured_value)
        for run in runs
        if isinstance(run, Run)
        for step in run.measurements
        if step.test_step == test_step
    ]


def moment_of(report: Measurement | Run) -> datetime:
    return report.timestamp if isinstance(report, Measurement) else report.started_at


def first_pass_yield(reports: list[Measurement | Run]) -> float:
    first: dict[str, bool] = {}
    for report in reports:
        first.setdefault(report.barcode, report.reported_outcome == "PASS")
    return statistics.mean(first.values())


def test_the_same_seed_is_the_same_floor() -> None:
    once, again = (events_until(300, Life(3, START)) for _ in range(2))
    assert once == again
    assert len(once) > 1_000


def test_another_seed_is_another_floor() -> None:
    one, other = (events_until(60, Life(seed, START)) for seed in (3, 4))
    assert [event.due_s for event in one] != [event.due_s for event in other]


def test_events_come_in_the_order_they_are_due(half_hour: list[Event]) -> None:
    assert all(earlier.due_s <= later.due_s for earlier, later in pairwise(half_hour))
    assert half_hour[0].due_s >= 0


def test_another_start_repeats_neither_a_message_id_nor_a_barcode() -> None:
    def names(start: datetime) -> set[str]:
        events = events_until(60, Life(3, start))
        reports = [report for event in events for report in read(event)]
        return {each.message_id for each in reports if each.message_id} | {
            each.barcode for each in reports
        }

    one, other = names(START), names(START + timedelta(seconds=1))
    assert len(one) > 250
    assert not one & other


def test_every_message_but_the_spoilt_ones_is_valid(
    half_hour: list[Event], reports: dict[str, list[Measurement | Run]]
) -> None:
    runs = sum(event.runs for event in half_hour)
    assert sum(len(each) for each in reports.values()) == runs
    for event in half_hour:
        for report in read(event):
            assert report.machine_id in {None, event.machine_id}


def test_only_one_machine_spoils_messages_and_seldom(half_hour: list[Event]) -> None:
    tests = [event for event in half_hour if event.channel is Channel.TEST]
    spoilt = [event for event in tests if not event.runs]
    assert {event.machine_id for event in spoilt} == {"RF-21"}
    assert 1 / 600 < len(spoilt) / len(tests) < 1 / 250
    broken = [event for event in spoilt if isinstance(event.message, bytes)]
    assert 0 < len(broken) < len(spoilt)
    for event in broken:
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(event.payload())
    assert all(b'"barcode":""' in event.payload() for event in spoilt if event not in broken)


def test_a_floor_of_thirteen_machines_makes_four_to_six_runs_a_second(
    half_hour: list[Event],
) -> None:
    assert len({event.machine_id for event in half_hour}) == 13
    assert {event.line for event in half_hour} == {"L1", "L2", "L3"}
    assert 4 < sum(event.runs for event in half_hour) / HALF_HOUR_S < 6


@pytest.mark.parametrize("seed", range(8))
def test_results_arrive_in_the_first_two_seconds(seed: int) -> None:
    assert sum(event.runs for event in events_until(2, Life(seed, START))) >= 3


def test_healthy_machines_have_a_healthy_first_pass_yield(
    reports: dict[str, list[Measurement | Run]],
) -> None:
    yields = {name: first_pass_yield(reports[name]) for name in reports.keys() - AILING}
    assert min(yields.values()) >= 0.96  # a few hundred units each: chance plays its part
    assert 0.975 <= statistics.mean(yields.values()) <= 0.995


def test_the_bad_fixture_fails_more_than_the_others(
    reports: dict[str, list[Measurement | Run]],
) -> None:
    failed: Counter[bool] = Counter()
    tested: Counter[bool] = Counter()
    for run, ohms in values(reports["ICT-21"], "r_shunt"):
        assert isinstance(ohms, float)
        tested[run.fixture == "F3"] += 1
        failed[run.fixture == "F3"] += not 28.0 <= ohms <= 28.4
    assert 0.1 < failed[True] / tested[True] < 0.3
    assert failed[False] / tested[False] < 0.02


def test_a_step_drifts_until_the_machine_is_repaired(
    reports: dict[str, list[Measurement | Run]],
) -> None:
    ripple = [
        ((run.started_at - START).total_seconds(), value)
        for run, value in values(reports["FCT-12"], "vbat_ripple")
    ]

    def share_above_55(from_s: float, until_s: float) -> float:
        inside = [value for at_s, value in ripple if from_s <= at_s < until_s]
        return statistics.mean(isinstance(value, float) and value > 55 for value in inside)

    assert share_above_55(1_080, 1_190) > 0.6  # just before the second repair, at 20 minutes
    assert share_above_55(1_220, 1_500) < 0.05  # and after it
    others = [value for _, value in values(reports["FCT-11"], "vbat_ripple")]
    assert statistics.mean(isinstance(value, float) and value > 55 for value in others) < 0.02


def test_tester_and_rule_disagree_on_the_drifting_step(
    reports: dict[str, list[Measurement | Run]],
) -> None:
    passed_by_the_tester = [
        value
        for run, value in values(reports["FCT-12"], "vbat_ripple")
        if run.reported_outcome == "PASS" and isinstance(value, float) and value > 55
    ]
    assert len(passed_by_the_tester) > 20
    assert max(passed_by_the_tester) <= 65


def test_a_step_has_no_value_now_and_then(reports: dict[str, list[Measurement | Run]]) -> None:
    leak = values(reports["EOL-21"], "hipot_leak")
    empty = [run for run, value in leak if value is None]
    assert 0.005 < len(empty) / len(leak) < 0.03
    assert {run.reported_outcome for run in empty} <= {"ERROR", "FAIL"}


def test_a_failing_unit_is_tested_again_and_mostly_passes(
    reports: dict[str, list[Measurement | Run]],
) -> None:
    lives: dict[str, list[Measurement | Run]] = defaultdict(list)
    for report in reports["ICT-21"]:
        lives[report.barcode].append(report)
    failing = [life for life in lives.values() if life[0].reported_outcome != "PASS"]
    again = [life for life in failing if len(life) > 1]
    assert len(again) >= len(failing) - 1  # the last one's retest may be after the end
    assert all(
        moment_of(second) - moment_of(first) < timedelta(seconds=30) for first, second, *_ in again
    )
    assert statistics.mean(life[-1].reported_outcome == "PASS" for life in again) > 0.85


def test_only_good_units_go_on(reports: dict[str, list[Measurement | Run]]) -> None:
    never_good = {report.barcode for report in reports["ICT-21"]} - {
        report.barcode for report in reports["ICT-21"] if report.reported_outcome == "PASS"
    }
    assert never_good
    assert not never_good & {report.barcode for report in reports["RF-21"]}


def test_one_machine_goes_silent_while_its_units_go_on(half_hour: list[Event]) -> None:
    def longest_gap_s(machine_id: str) -> float:
        due = [event.due_s for event in half_hour if event.machine_id == machine_id]
        return max(later - earlier for earlier, later in pairwise(due))

    assert 200 < longest_gap_s("LEAK-31") < 300
    assert longest_gap_s("EOL-31") < 20


def test_one_machine_goes_offline_and_comes_back(half_hour: list[Event]) -> None:
    mine = [event for event in half_hour if event.machine_id == "FLASH-11"]
    states = [event for event in mine if event.channel is Channel.STATE]
    assert [State.model_validate(event.message).status for event in states][:4] == [
        "offline",
        "online",
    ] * 2
    gone, back = states[0], states[1]
    assert gone.goes_offline
    assert not back.goes_offline
    assert 20 < back.due_s - gone.due_s < 60
    assert not [event for event in mine if gone.due_s < event.due_s < back.due_s]
    assert {event.machine_id for event in half_hour if event.channel is Channel.STATE} == {
        "FLASH-11"
    }


def test_messages_are_numbered_without_a_gap(
    reports: dict[str, list[Measurement | Run]],
) -> None:
    for machine_id in reports.keys() - {"LEAK-31"}:
        numbers = [each.sequence.seq for each in reports[machine_id] if each.sequence]
        assert numbers == list(range(1, len(reports[machine_id]) + 1)), machine_id
        assert len({each.message_id for each in reports[machine_id]}) == len(numbers)


def test_machines_word_their_results_in_three_ways(
    half_hour: list[Event], reports: dict[str, list[Measurement | Run]]
) -> None:
    assert all(isinstance(each, Measurement) for each in reports["LEAK-31"])
    assert all(each.message_id is None for each in reports["LEAK-31"])
    panels = [event for event in half_hour if event.machine_id == "SPI-11"]
    assert all(isinstance(event.message, list) for event in panels)
    assert Counter(event.runs for event in panels).most_common(1)[0][0] == 4
    counts = {
        len(each.measurements)
        for runs in reports.values()
        for each in runs
        if isinstance(each, Run)
    }
    assert min(counts) == 4
    assert max(counts) <= 12


def test_history_is_bounded_and_in_order_and_ends_where_the_live_part_begins() -> None:
    events = events_until(60, Life(7, START), history_s=90 * 60)
    past = [event for event in events if event.due_s < 0]
    runs = sum(event.runs for event in past)
    assert HISTORY_RUNS_MAX * 0.8 < runs <= HISTORY_RUNS_MAX
    assert all(earlier.due_s <= later.due_s for earlier, later in pairwise(events))
    assert -5_400 <= past[0].due_s < -5_300
    assert sum(event.runs for event in events if 0 <= event.due_s < 10) > 30
    assert all(event.channel is Channel.TEST for event in past)


def test_a_short_history_is_not_thinned() -> None:
    events = events_until(0, Life(7, START), history_s=300)
    assert 4 < sum(event.runs for event in events) / 300 < 6


@pytest.mark.parametrize("runs", [1, 2, 3, 50, 301])
def test_a_number_of_runs_is_met_exactly(runs: int) -> None:
    events = list(first_runs(Floor(Life(7, START)).events(), runs))
    assert sum(event.runs for event in events) == runs


def test_a_faster_floor_still_tells_the_time_of_the_clock() -> None:
    life = Life(7, START, speed=10)
    last = [report for event in events_until(120, life) for report in read(event)][-1]
    assert START + timedelta(seconds=10) < moment_of(last) <= START + timedelta(seconds=12)


def test_more_lines_are_more_of_the_same_without_its_troubles() -> None:
    lines = plant(9)
    names = [machine.machine_id for _, machine in machines(lines)]
    assert len(set(names)) == len(names) == 39
    assert [machine.shape for _, machine in machines(lines)].count(Shape.PANEL) == 3
    assert "FCT-42" in names
    assert all(
        machine.troubles.drift is None
        for line, machine in machines(lines)
        if line.name not in {"L1", "L2", "L3"}
    )


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"speed": 0}, "--speed 0"),
        ({"lines": 10}, "--lines 10"),
        ({"runs": 0}, "--runs 0"),
        ({"history_minutes": -1}, "--history -1"),
        ({"seed": -5}, "--seed -5"),
    ],
)
def test_an_option_out_of_range_is_one_sentence(options: dict[str, float], flag: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{flag} is out of range\. Use .+ to .+\.$"):
        SimulateOptions(**options)  # type: ignore[arg-type]
