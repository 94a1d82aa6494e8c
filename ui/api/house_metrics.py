"""What the broker, agents, the disk and certificates are like, for Prometheus. Pure: no I/O."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from service.store.queries.strain import Strain
from ui.lights import AGENT_AGE_MAX_S
from ui.meter import AgentWord
from ui.troubles import expected_agents

_OF_MACHINE = ("machine_id", "line")


def of_broker(counters: Mapping[str, Any]) -> Iterator[Metric]:
    """Yield what the broker counts of itself, as far as it tells.

    Args:
        counters: As `ui.system.broker_counters` returns them.
    """
    if (dropped := counters["dropped"]) is not None:
        said = "Messages that the broker gave up: somebody's queue was full."
        counter = CounterMetricFamily("yieldline_broker_dropped_messages", said)
        counter.add_metric([], dropped)
        yield counter
    if (held := counters["held"]) is not None:
        said = "Messages in the broker's memory: waiting for somebody, or retained."
        yield GaugeMetricFamily("yieldline_broker_held_messages", said, value=held)


def of_agents(agents: Sequence[AgentWord], now: datetime, *, forget_s: float) -> Iterator[Metric]:
    """Yield by machine whether its agent speaks, and how much it has not been confirmed.

    Args:
        agents: What each last said; anyone may have said anything.
        now: Aware.
        forget_s: One that has said nothing for so many seconds is left out.
    """
    up, spooled, lag = (
        GaugeMetricFamily(name, said, labels=_OF_MACHINE)
        for name, said in (
            ("yieldline_agent_up", "1 while a machine's edge agent speaks."),
            ("yieldline_agent_spool_messages", "Messages in its spool that are not confirmed."),
            ("yieldline_agent_lag_seconds", "Age of the oldest of them."),
        )
    )
    for each in expected_agents(agents, now, forget_s):
        labels = [each.machine_id, each.line]
        is_heard = each.said_s is not None and now.timestamp() - each.said_s <= AGENT_AGE_MAX_S
        up.add_metric(labels, float(is_heard and not each.is_offline))
        for gauge, fact in ((spooled, "spool_depth"), (lag, "lag_s")):
            if type(value := each.facts.get(fact)) in {int, float}:
                gauge.add_metric(labels, value)  # type: ignore[arg-type]
    yield from (up, spooled, lag)


def of_certificates(ends: Mapping[str, datetime]) -> Metric:
    """Return when each certificate ends to be valid, by whose it is: `broker` or `client`."""
    said = "When the certificate ends to be valid, in seconds since 1970."
    gauge = GaugeMetricFamily("yieldline_certificate_end_timestamp_seconds", said, labels=["whose"])
    for whose, end in ends.items():
        gauge.add_metric([whose], end.timestamp())
    return gauge


def of_strain(strain: Strain) -> Iterator[Metric]:
    """Yield what piles up in the database, its room and its clock."""
    said = "Stored batches whose answers no broker has confirmed; a few are those of this moment."
    yield GaugeMetricFamily("yieldline_outbox_batches", said, value=strain.outbox_count)
    said = "How far the web app's clock is ahead of the database's."
    yield GaugeMetricFamily("yieldline_clock_ahead_seconds", said, value=strain.clock_ahead_s)
    if strain.free_bytes is not None:
        said = "Room on the disk of the SQLite file."
        yield GaugeMetricFamily("yieldline_database_free_bytes", said, value=strain.free_bytes)
