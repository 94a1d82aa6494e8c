"""What a service process says of itself, and what Prometheus and people make of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client.metrics_core import Metric

from broker.settings import Settings
from service.pulse import BOUNDS_S, Pulse, Times
from ui.api.service_metrics import of_alerts, of_services, of_watcher
from ui.books import balance, books_trouble
from ui.watching import Watching, watcher_trouble, watching

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)


def heartbeat(**facts: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"service": "yieldline-service-0", "age_s": 1.5, "facts": facts}


def samples(metric: Metric) -> dict[str, float]:
    """Return the samples of a metric by name and labels, without the service."""
    return {
        ",".join([each.name, *(v for k, v in each.labels.items() if k != "service")]): each.value
        for each in metric.samples
    }


def said_by(service: dict[str, Any]) -> dict[str, float]:
    """Return the samples of all metrics that a service's heartbeat becomes."""
    return {name: value for each in of_services([service]) for name, value in samples(each).items()}


@pytest.mark.parametrize(
    ("seconds", "place"),
    [(-1.0, 0), (0.0, 0), (0.001, 0), (0.0011, 1), (10.0, 12), (10.01, 13)],
)
def test_a_time_is_counted_in_the_class_whose_upper_end_holds_it(
    seconds: float, place: int
) -> None:
    times = Times()
    times.add(seconds)
    assert times.counts == [int(each == place) for each in range(len(BOUNDS_S) + 1)]
    assert times.sum_s == max(0.0, seconds)


def test_stage_times_are_a_histogram_to_prometheus() -> None:
    pulse = Pulse()
    with pulse.timed("judge"):
        pass
    for seconds in (0.002, 0.2, 60.0):
        pulse.stages["store"].add(seconds)
    with pytest.raises(ZeroDivisionError), pulse.timed("publish"):
        raise ZeroDivisionError
    found = said_by(heartbeat(**pulse.facts()))
    assert found["yieldline_stage_seconds_bucket,judge,0.001"] == 1.0
    assert found["yieldline_stage_seconds_bucket,store,0.0025"] == 1.0
    assert found["yieldline_stage_seconds_bucket,store,10.0"] == 2.0
    assert found["yieldline_stage_seconds_bucket,store,+Inf"] == 3.0
    assert found["yieldline_stage_seconds_count,store"] == 3.0
    assert found["yieldline_stage_seconds_sum,store"] == pytest.approx(60.202)
    assert found["yieldline_stage_seconds_count,publish"] == 0.0


def test_a_service_of_an_older_version_says_less() -> None:
    found = said_by(heartbeat(connected=True, pending=7))
    assert {name.removeprefix("yieldline_"): value for name, value in found.items()} == {
        "service_heartbeat_age_seconds": 1.5,
        "service_connected": 1.0,
        "service_pending_messages": 7.0,
        "service_lag_seconds": 0.0,
        "service_rulebook_version": 0.0,
        "service_rules_refused": 0.0,
        "answers_refused_total": 0.0,
    }


def test_a_service_that_is_silent_is_at_work_no_more() -> None:
    facts = {"pending": 7, "lag_s": 3.5, "rulebook_version": 4, "rules_trouble": "low above high."}
    found = said_by(heartbeat(connected=True, answers_refused=2, **facts))
    names = ("connected", "pending_messages", "lag_seconds", "rulebook_version", "rules_refused")
    assert [found[f"yieldline_service_{name}"] for name in names] == [1.0, 7.0, 3.5, 4.0, 1.0]
    gone = said_by(heartbeat(connected=True, answers_refused=2, **facts) | {"age_s": 11.0})
    assert [gone[f"yieldline_service_{name}"] for name in names] == [0.0] * 5
    assert gone["yieldline_answers_refused_total"] == 2.0, "a counter does not go back"


def test_answered_checks_and_living_alerts_are_counted() -> None:
    pulse = Pulse()
    pulse.checks["refused"] = 3
    assert said_by(heartbeat(**pulse.facts()))["yieldline_checks_total,refused"] == 3.0
    alerts = of_alerts([("silent", "major", "open", 2), ("silent", "major", "shelved", 1)])
    assert samples(alerts) == {
        "yieldline_alerts,silent,major,open": 2.0,
        "yieldline_alerts,silent,major,shelved": 1.0,
    }


@pytest.mark.parametrize(
    ("look_ages_s", "enabled", "elected", "trouble"),
    [
        ([1], True, True, None),
        ([900, 1], True, True, None),
        ([900], True, False, "nobody has looked for alerts for 900 s: none is raised or closed"),
        ([None], True, False, "nobody has looked for alerts: none is raised or closed"),
        ([], True, False, "nobody has looked for alerts: none is raised or closed"),
        ([], False, False, None),
    ],
)
def test_a_watcher_that_does_not_look_is_said(
    look_ages_s: list[float | None], trouble: str | None, *, enabled: bool, elected: bool
) -> None:
    heartbeats = []
    for age_s in look_ages_s:
        pulse = Pulse()
        pulse.looked_at = None if age_s is None else NOW - timedelta(seconds=age_s)
        heartbeats.append(heartbeat(**pulse.facts()))
    summary_s = 5 if enabled else 0
    settings = Settings.model_validate(
        {"alerts": {"enabled": enabled}, "service": {"summary_s": summary_s}}
    )
    found = watching(settings, heartbeats, NOW)
    assert found.is_elected is elected
    said = watcher_trouble(found)
    assert (said is None) if trouble is None else (said or "").startswith(trouble)
    elected_gauge, age = of_watcher(found)
    assert samples(elected_gauge) == {"yieldline_watcher_elected": float(elected)}
    assert len(age.samples) == (found.look_age_s is not None)


def test_nobody_is_missed_where_nobody_is_wanted() -> None:
    assert watcher_trouble(Watching(is_wanted=False, look_age_s=None, is_elected=False)) is None


def books_of(machine_id: str, *, missing: int) -> dict[str, Any]:
    counts = {"received": 10, "stored": 10 - missing, "rejected": 0, "duplicates": 0}
    return balance({"machine_id": machine_id, **counts}, None)


def test_books_that_do_not_balance_are_said_by_the_worst_of_them() -> None:
    good = books_of("M1", missing=0)
    assert books_trouble([]) is None
    assert books_trouble([good]) is None
    one = books_trouble([good, books_of("M2", missing=1)])
    assert one
    assert one.startswith("the books of M2 do not balance: 1 record is missing at the service. It")
    two = books_trouble([books_of("M2", missing=1), books_of("M3", missing=3)])
    assert two
    assert two.startswith("the books of M3 do not balance: 3 records are missing")
    assert two.endswith(" Nor do those of 1 more: see /api/v1/books.")
