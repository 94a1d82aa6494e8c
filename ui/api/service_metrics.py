"""What service processes and the watcher say of themselves, for Prometheus. Pure: no I/O."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, Final

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from ui.lights import HEARTBEAT_AGE_MAX_S
from ui.watching import Watching

_GAUGES: Final = {
    "yieldline_service_connected": ("connected", "1 while a service takes in results."),
    "yieldline_service_pending_messages": ("pending", "Messages in its memory, not stored yet."),
    "yieldline_service_lag_seconds": ("lag_s", "For how long the oldest of them has waited."),
    "yieldline_service_rulebook_version": ("rulebook_version", "What it judges by; 0: no rules."),
}


def of_services(heartbeats: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    """Yield ages, states, answered checks and stage times by service, from what each last said."""
    said = "Seconds since a service process last reported."
    ages = GaugeMetricFamily("yieldline_service_heartbeat_age_seconds", said, labels=["service"])
    for each in heartbeats:
        ages.add_metric([each["service"]], each["age_s"])
    yield ages
    for name, (fact, said) in _GAUGES.items():
        gauge = GaugeMetricFamily(name, said, labels=["service"])
        for each in heartbeats:
            is_alive = each["age_s"] <= HEARTBEAT_AGE_MAX_S
            value = each["facts"].get(fact) if is_alive else 0  # else it is what was once
            gauge.add_metric([each["service"]], float(value or 0))
        yield gauge
    yield _rules_refused(heartbeats)
    yield _answers_refused(heartbeats)
    yield _checks(heartbeats)
    yield _stages(heartbeats)


def of_watcher(found: Watching) -> Iterator[Metric]:
    """Yield whether somebody watches, and when last; the age is left out where nobody ever did."""
    said = "1 while a service process looks for alerts."
    yield GaugeMetricFamily("yieldline_watcher_elected", said, value=float(found.is_elected))
    said = "Seconds since one last looked."
    age = GaugeMetricFamily("yieldline_watcher_last_look_age_seconds", said)
    if found.look_age_s is not None:
        age.add_metric([], found.look_age_s)
    yield age


def of_alerts(living: Iterable[tuple[str, str, str, int]]) -> Metric:
    """Return the alerts that are not closed.

    Args:
        living: Kind, severity, state and how many.
    """
    labels = ["kind", "severity", "state"]
    gauge = GaugeMetricFamily("yieldline_alerts", "Alerts that are not closed.", labels=labels)
    for kind, severity, state, count in living:
        gauge.add_metric([kind, severity, state], count)
    return gauge


def _rules_refused(heartbeats: Sequence[Mapping[str, Any]]) -> Metric:
    said = "1 while the newest rules are wrong, and older ones decide."
    gauge = GaugeMetricFamily("yieldline_service_rules_refused", said, labels=["service"])
    for each in heartbeats:
        is_alive = each["age_s"] <= HEARTBEAT_AGE_MAX_S
        gauge.add_metric(
            [each["service"]], float(is_alive and bool(each["facts"].get("rules_trouble")))
        )
    return gauge


def _answers_refused(heartbeats: Sequence[Mapping[str, Any]]) -> Metric:
    said = "Answers that the broker's access list denied."
    counter = CounterMetricFamily("yieldline_answers_refused", said, labels=["service"])
    for each in heartbeats:
        counter.add_metric([each["service"]], each["facts"].get("answers_refused") or 0)
    return counter


def _checks(heartbeats: Sequence[Mapping[str, Any]]) -> Metric:
    said = "Checks by what became of them: allowed, refused, invalid, late."
    counter = CounterMetricFamily("yieldline_checks", said, labels=["service", "answer"])
    for each in heartbeats:
        for answer, count in (each["facts"].get("checks") or {}).items():
            counter.add_metric([each["service"], answer], count)
    return counter


def _stages(heartbeats: Sequence[Mapping[str, Any]]) -> Metric:
    said = "Seconds that a batch takes: judge, store, publish, and whole until acknowledged."
    histogram = HistogramMetricFamily("yieldline_stage_seconds", said, labels=["service", "stage"])
    for each in heartbeats:
        for stage, times in (each["facts"].get("stages") or {}).items():
            counts, bounds = times["counts"], [str(float(bound)) for bound in times["bounds_s"]]
            buckets = list(zip([*bounds, "+Inf"], accumulate(counts), strict=True))
            histogram.add_metric([each["service"], stage], buckets, times["sum_s"])
    return histogram
