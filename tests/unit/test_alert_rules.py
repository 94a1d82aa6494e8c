"""When the alert rules say trouble, over, or nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from broker.messages import AlertState, Outcome
from broker.plant_sections import (
    AlertsSettings,
    LineSettings,
    MachineSettings,
    PlantSettings,
    ProductSettings,
)
from broker.targets import Targets
from service.core.alert_facts import (
    Facts,
    MachineFacts,
    Offline,
    RunFact,
    ShiftYield,
    still_offline,
    usual_interval_s,
)
from service.core.alert_rules import Rules
from service.core.alerts import AlertKind, AlertRecord, Assessment, Finding, key_of
from service.core.breaks import breaks_of, breaks_within, last_break_end
from service.core.floods import Allowance, Bucket, fill
from service.core.intervals import wilson_interval

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LONG_AGO = NOW - timedelta(hours=9)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def run(number: int, first_failure: str | None = None, **fields: Any) -> RunFact:  # noqa: ANN401
    started_at = NOW - MINUTE + seconds(number)
    one = RunFact(
        number,
        started_at,
        started_at,
        "P1",
        "FCT",
        f"U{number}",
        Outcome.FAIL if first_failure else Outcome.PASS,
        first_failure,
        1,
    )
    return one._replace(**fields)


def machine(machine_id: str = "M1", *runs: RunFact, **fields: Any) -> MachineFacts:  # noqa: ANN401
    """A machine with runs, newest first, that sent a result just now."""
    newest_first = tuple(sorted(runs, key=lambda each: each.started_at, reverse=True))
    topic = f"factory/v1/L1/{machine_id}/alert"
    return MachineFacts(machine_id, "L1", topic, NOW, newest_first)._replace(**fields)


def facts(*machines: MachineFacts, **fields: Any) -> Facts:  # noqa: ANN401
    by_name = {each.machine_id: each for each in machines}
    return Facts(by_name, {}, {}, {}, LONG_AGO, {})._replace(**fields)


def rules(plant: dict[str, Any] | None = None, **alerts: Any) -> Rules:  # noqa: ANN401
    known = {"FAST": MachineSettings(expected_interval_s=100)}
    return Rules(AlertsSettings(**alerts), PlantSettings(**(plant or {})), known)


def assess(
    said: Facts, *living: AlertRecord, by: Rules | None = None, now: datetime = NOW
) -> Assessment:
    return (by or rules()).assess(said, living, now)


def only(assessment: Assessment) -> Finding:
    (one,) = assessment.found.values()
    return one


def living(found: Finding, opened_at: datetime = NOW) -> AlertRecord:
    return AlertRecord(
        1,
        found.key,
        found.kind,
        found.severity,
        found.subject,
        found.line,
        found.topic or "",
        found.message,
        found.evidence,
        AlertState.OPEN,
        opened_at,
    )


# -- silence ---------------------------------------------------------------------------------------


def silent_for(s: float, **fields: Any) -> MachineFacts:  # noqa: ANN401
    return machine(last_result_at=NOW - seconds(s), **fields)


@pytest.mark.parametrize(
    ("silence_s", "interval_s", "is_trouble"),
    [(60, None, False), (61, None, True), (61, 20, False), (80, 20, False), (81, 20, True)],
)
def test_a_machine_is_silent_after_the_plants_silence_and_four_usual_intervals(
    silence_s: float, interval_s: float | None, *, is_trouble: bool
) -> None:
    said = assess(facts(silent_for(silence_s, interval_s=interval_s)))
    assert bool(said.found) == is_trouble
    if is_trouble:
        assert only(said).kind is AlertKind.SILENT
        assert "M1 has sent no result since 09:58:" in only(said).message


def test_the_expected_interval_of_the_settings_beats_what_was_seen() -> None:
    def fast(s: float) -> Facts:
        return facts(machine("FAST", last_result_at=NOW - seconds(s), interval_s=1.0))

    assert not assess(fast(400)).found
    assert assess(fast(401)).found


def test_a_silence_is_over_with_the_next_result_and_not_before() -> None:
    alert = living(only(assess(facts(silent_for(90)))))
    assert assess(facts(silent_for(3000)), alert).cleared == set()
    assert assess(facts(silent_for(1)), alert).cleared == {alert.key}


def test_a_machine_that_is_no_longer_expected_raises_nothing_and_its_alert_closes() -> None:
    alert = living(only(assess(facts(silent_for(90)))))
    said = assess(facts(silent_for(86_401)), alert)
    assert (dict(said.found), said.cleared) == ({}, {alert.key})
    assert not assess(facts(machine(last_result_at=None))).found


def test_silence_counts_only_while_we_can_hear() -> None:
    silent = silent_for(3000)
    assert not assess(facts(silent, listening_since=None)).found
    assert not assess(facts(silent, listening_since=NOW - seconds(60))).found
    assert assess(facts(silent, listening_since=NOW - seconds(61))).found
    alert = living(only(assess(facts(silent))))
    assert not assess(facts(silent, listening_since=None), alert).cleared


def test_a_planned_break_holds_silence_back_and_the_machine_has_its_time_after_it() -> None:
    silent = facts(silent_for(3000))
    during = rules({"breaks": ("09:45-10:15",)})
    just_after = rules({"breaks": ("09:30-09:59",)})
    long_after = rules({"breaks": ("09:30-09:58",)})
    assert not assess(silent, by=during).found
    assert not assess(silent, by=just_after).found
    assert assess(silent, by=long_after).found


def test_the_usual_interval_is_the_median_of_the_runs_starts() -> None:
    starts = [NOW + seconds(each) for each in (0, 0, 0, 10, 20, 20, 90)]
    assert usual_interval_s(starts) == 10
    assert usual_interval_s(starts[:3]) is None


# -- offline ---------------------------------------------------------------------------------------


def offline(s: float, line: str = "L1") -> Offline:
    return Offline(NOW - seconds(s), NOW - seconds(s), line, f"factory/v1/{line}/x/alert")


def test_a_machine_that_is_offline_for_ten_seconds_is_an_alert_until_it_is_back() -> None:
    assert not assess(facts(offline={"M1": offline(9.9)})).found
    found = only(assess(facts(offline={"M1": offline(10)})))
    assert (found.kind, found.topic) == (AlertKind.OFFLINE, "factory/v1/L1/x/alert")
    alert = living(found)
    assert alert.key in assess(facts(), alert).cleared
    assert alert.key not in assess(facts(offline={"M1": offline(99)}), alert).cleared
    assert not assess(facts(listening_since=None), alert).cleared


def test_500_last_wills_at_once_are_one_alert_after_ten_seconds() -> None:
    wills = {f"M{each}": offline(9.8 - each / 500) for each in range(500)}
    assert not assess(facts(offline=wills)).found
    found = only(assess(facts(offline=wills), now=NOW + seconds(0.3)))
    assert found.message.startswith("500 machines went offline together on L1: M0, M1, M10 and 497")
    assert found.severity == "critical"
    alert = living(found)
    back = dict(list(wills.items())[:3])
    said = assess(facts(offline=back), alert, now=NOW + MINUTE)
    assert alert.key in said.cleared
    assert {each.subject.machine_id for each in said.found.values()} == {"M0", "M1", "M2"}


def test_who_is_offline_is_not_silent_too() -> None:
    said = assess(facts(silent_for(3000), offline={"M1": offline(20)}))
    assert only(said).kind is AlertKind.OFFLINE


def test_offline_is_what_was_said_last_and_of_late() -> None:
    day = timedelta(days=1)
    said = {"M1": offline(60), "OLD": offline(0)._replace(said_at=NOW - 2 * day)}

    def still(*machines: MachineFacts) -> set[str]:
        return set(still_offline(said, facts(*machines).machines, NOW, day))

    assert still() == {"M1"}
    assert still(silent_for(61)) == {"M1"}
    assert still(silent_for(59)) == set(), "it sent a result since"
    assert still(machine("OLD", last_result_at=NOW - MINUTE)) == {"M1", "OLD"}


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


# -- floods ----------------------------------------------------------------------------------------

MAY = Allowance(per_s=10, burst=100)


def flow(*received: int, every_s: float = 1, buckets: dict[str, Bucket] | None = None) -> Bucket:
    """Return the bucket of M1 after looks, one each `every_s`, at what was ever received of it."""
    for look, count in enumerate(received):
        buckets = fill(buckets or {}, {"M1": count}, NOW + look * seconds(every_s), MAY)
    assert buckets
    return buckets["M1"]


@pytest.mark.parametrize(
    ("received", "room"),
    [
        ((5_000,), 50),  # what was sent before we looked says nothing
        ((0, 10, 20, 30), 50),  # as much as it may, for ever
        ((0, 0, 0, 0, 0, 0, 0), 100),  # no more than a burst is saved up
        ((0, 59), 1),
        ((0, 60), 0),
        ((0, 10_000), 0),  # an excess is not carried on: it is over soon after its end
        ((0, 10_000, 10_000), 10),
    ],
)
def test_a_machine_may_send_its_rate_for_good_and_a_burst_beyond(
    received: tuple[int, ...], room: float
) -> None:
    assert flow(*received).room == room


def test_a_clock_that_steps_back_gives_and_takes_nothing() -> None:
    assert flow(0, 20, every_s=-60).room == 30


def test_a_flood_is_an_alert_that_names_its_machine_until_half_a_burst_is_free() -> None:
    by = rules(flood_per_s=10, flood_burst=100)

    def said(*received: int, **bucket: Any) -> Facts:  # noqa: ANN401
        return facts(machine(), buckets={"M1": flow(*received)._replace(**bucket)})

    assert not assess(said(0, 59), by=by).found
    found = only(assess(said(0, 3_000), by=by))
    assert (found.kind, found.subject.machine_id) == (AlertKind.FLOOD, "M1")
    assert found.message == (
        "M1 floods the service: 3,000 messages a second, where 10 and bursts of 100 are allowed."
        " All are stored. Look at what it repeats."
    )
    alert = living(found)
    assert not assess(said(0, 3_000, room=50.0), alert, by=by).cleared
    assert assess(said(0, 3_000, room=50.1), alert, by=by).cleared == {alert.key}


def test_a_watcher_that_starts_amid_a_flood_does_not_end_it() -> None:
    by = rules(flood_per_s=10, flood_burst=100)
    flooding = facts(machine(), buckets={"M1": flow(0, 3_000)})
    alert = living(only(assess(flooding, by=by)))
    for received in ((9_000,), (9_000, 9_020), (9_000, 12_000)):
        assert not assess(facts(machine(), buckets={"M1": flow(*received)}), alert, by=by).cleared


def test_without_a_limit_nothing_is_a_flood_and_what_was_one_is_over() -> None:
    assert fill({}, {"M1": 10**9}, NOW, Allowance(0, 100)) == {}
    alert = living(only(assess(facts(machine(), buckets={"M1": flow(0, 3_000)}))))
    assert assess(facts(machine()), alert, by=rules(flood_per_s=0)).cleared == {alert.key}


def test_keys_of_different_kinds_differ() -> None:
    assert len({key_of(kind, "M1") for kind in AlertKind}) == len(AlertKind)


# -- breaks ----------------------------------------------------------------------------------------

BERLIN = ZoneInfo("Europe/Berlin")


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("text", "now", "end"),
    [
        ("12:00-12:30", "2026-11-23T12:10", "2026-11-23T12:30"),
        ("12:00-12:30", "2026-11-23T13:00", "2026-11-23T12:30"),
        ("12:00-12:30", "2026-11-23T11:59", "2026-11-22T12:30"),
        ("22:00-06:00", "2026-11-24T03:00", "2026-11-24T06:00"),
        ("sat-sun 00:00-24:00", "2026-11-28T23:59", "2026-11-30T00:00"),
        ("sat-sun 00:00-24:00", "2026-11-30T08:00", "2026-11-30T00:00"),
        ("fri-mon 14:00-06:00", "2026-11-30T15:00", "2026-12-01T06:00"),
        ("sun 02:00-04:00", "2026-10-25T03:30", "2026-10-25T04:00"),
    ],
)
def test_a_break_ends_by_the_clock_on_the_wall(text: str, now: str, end: str) -> None:
    assert last_break_end(local(now), BERLIN, breaks_of([text])) == local(end)


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ((), []),
        (("05:00-05:30", "15:00-15:30"), []),
        (("12:00-12:30", "09:00-09:15"), [("09:00", "09:15"), ("12:00", "12:30")]),
        (("05:30-06:30", "13:30-14:30"), [("06:00", "06:30"), ("13:30", "14:00")]),
        (("12:00-12:30", "12:15-12:45", "12:45-13:00"), [("12:00", "13:00")]),
        (("sat-sun 00:00-24:00",), []),
        (("22:00-08:00",), [("06:00", "08:00")]),
        (("mon 00:00-24:00",), [("06:00", "14:00")]),
    ],
)
def test_the_breaks_of_a_period_are_cut_to_it_and_never_overlap(
    texts: tuple[str, ...], found: list[tuple[str, str]]
) -> None:
    monday = [local(f"2026-11-23T{clock}") for clock in ("06:00", "14:00")]
    assert breaks_within(monday[0], monday[1], BERLIN, breaks_of(texts)) == [
        (local(f"2026-11-23T{start}"), local(f"2026-11-23T{end}")) for start, end in found
    ]


def test_outside_its_days_there_is_no_break() -> None:
    weekend = breaks_of(["sat-sun 00:00-24:00"])
    assert last_break_end(local("2026-11-26T12:00"), BERLIN, weekend) is None


@pytest.mark.parametrize(
    "text", ["12:00", "12:00-25:00", "24:00-01:00", "someday 12:00-13:00", "12.00-13.00", ""]
)
def test_what_is_no_break_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a break such as 12:00-12:30"):
        PlantSettings(breaks=(text,))
