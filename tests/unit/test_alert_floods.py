"""When a machine sends more than it may, and when the alert rules say that its flood is over."""

from typing import Any

import pytest

from service.core.alert_facts import Facts
from service.core.alerts import AlertKind
from service.core.floods import Allowance, Bucket, fill
from tests.support.alert_facts import NOW, assess, facts, living, machine, only, rules, seconds

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
