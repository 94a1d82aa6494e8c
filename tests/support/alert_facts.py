"""Facts of machines for the alert rules, and what the rules say of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from broker.messages import AlertState, Outcome
from broker.plant_sections import AlertsSettings, MachineSettings, PlantSettings
from service.core.alert_facts import Facts, MachineFacts, RunFact
from service.core.alert_rules import Rules
from service.core.alerts import AlertRecord, Assessment, Finding

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LONG_AGO = NOW - timedelta(hours=9)


def seconds(count: float) -> timedelta:
    """Return so many seconds."""
    return timedelta(seconds=count)


def run(number: int, first_failure: str | None = None, **fields: Any) -> RunFact:  # noqa: ANN401
    """Return a run of this number, one second after the one before; failed first at this step."""
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
    """Return what is known of a floor of these machines, and what else a test says."""
    by_name = {each.machine_id: each for each in machines}
    return Facts(by_name, {}, {}, {}, LONG_AGO, {})._replace(**fields)


def rules(plant: dict[str, Any] | None = None, **alerts: Any) -> Rules:  # noqa: ANN401
    """Return the rules of a plant where only the machine FAST has an expected interval."""
    known = {"FAST": MachineSettings(expected_interval_s=100)}
    return Rules(AlertsSettings(**alerts), PlantSettings(**(plant or {})), known)


def assess(
    said: Facts, *living: AlertRecord, by: Rules | None = None, now: datetime = NOW
) -> Assessment:
    """Return what the rules say of these facts, with these alerts open."""
    return (by or rules()).assess(said, living, now)


def only(assessment: Assessment) -> Finding:
    """Return the one alert that was found."""
    (one,) = assessment.found.values()
    return one


def living(found: Finding, opened_at: datetime = NOW) -> AlertRecord:
    """Return the open alert that a finding has become."""
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
