"""What is wrong although results flow: a sentence each, with what to do."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from broker.messages import format_time
from ui import troubles
from ui.meter import AgentWord

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAY_S = 86_400.0


def heartbeat(*, age_s: float = 1.0, **facts: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    reported_at = format_time(NOW - timedelta(seconds=age_s))
    facts = {"connected": True, "pending": 0, **facts}
    return {"service": "s-0", "age_s": max(0.0, age_s), "reported_at": reported_at, "facts": facts}


def agent(machine_id: str, *, said_s: float = 1.0, **changes: Any) -> AgentWord:  # noqa: ANN401
    facts = {"version": "1.0", "lag_s": 0.0, "last_error": changes.pop("last_error", None)}
    word = AgentWord(machine_id, "L1", "live", facts, NOW.timestamp() - said_s, is_offline=False)
    return word._replace(**changes)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (heartbeat(), None),
        (heartbeat(age_s=11, pending=5_000), None),  # it is silent, and said to be
        (heartbeat(connected=False, trouble="no broker."), None),  # likewise
        (heartbeat(pending=5_000), "s-0 catching up: More arrives than it stores just now."),
        (heartbeat(answers_refused=3), "s-0 answers refused: The broker refused 3 of its"),
        (heartbeat(rules_trouble="low 9 is above high 5."), "s-0 judges by older rules: low 9 is"),
        (heartbeat(session_lost_s=9), "s-0 lost its queue: The broker had forgotten its queue"),
    ],
)
def test_what_hinders_a_service_at_work_is_said(one: dict[str, Any], said: str | None) -> None:
    found = troubles.services_trouble([one])
    assert (found is None) if said is None else (found or "").startswith(said)


@pytest.mark.parametrize(("count", "is_well"), [(0, True), (100, True), (101, False)])
def test_a_few_answers_are_always_under_way(count: int, *, is_well: bool) -> None:
    assert (troubles.outbox_trouble(count) is None) is is_well


@pytest.mark.parametrize(
    ("ago_s", "is_well"), [(None, True), (5, False), (599, False), (601, True)]
)
def test_messages_that_the_broker_gives_up_are_said_for_ten_minutes(
    ago_s: float | None, *, is_well: bool
) -> None:
    dropped_at = None if ago_s is None else NOW - timedelta(seconds=ago_s)
    said = troubles.dropped_trouble(7, dropped_at, NOW)
    assert (said is None) is is_well
    if said:
        assert said.startswith(f"The broker gave up messages {ago_s} s ago. Since it started the")


@pytest.mark.parametrize(
    ("agents", "said"),
    [
        ([agent("A"), agent("B", said_s=30)], None),
        ([agent("A", said_s=DAY_S + 1, is_offline=True)], None),  # no longer expected
        ([agent("A", said_s=61)], "the agent of A is silent: It speaks every few seconds"),
        ([agent("A", is_offline=True)], "the agent of A is offline: It was stopped"),
        ([agent("B", last_error="disk full"), agent("C")], "the agent of B is in trouble: It says"),
        ([agent("A"), agent("C", said_s=61), agent("B", said_s=61)], "the agent of B is silent"),
    ],
)
def test_an_agent_in_trouble_is_said(agents: list[AgentWord], said: str | None) -> None:
    found = troubles.agents_trouble(agents, NOW, forget_s=DAY_S)
    assert (found is None) if said is None else (found or "").startswith(said)


def test_more_agents_in_trouble_are_counted() -> None:
    wrong = [agent(name, said_s=61) for name in "ABC"]
    said = troubles.agents_trouble(wrong, NOW, forget_s=DAY_S)
    assert (said or "").endswith(" Also 2 more: see the System page.")


@pytest.mark.parametrize(
    ("ahead_s", "age_s", "skew_s", "said"),
    [
        (5.0, 1.0, 60.0, None),
        (-5.0, -4.0, -60.0, None),
        (0.0, 3_600.0, None, None),  # silent, or behind: it is said to be silent
        (6.0, 1.0, None, "the web app's clock is 6 s ahead of the database's."),
        (-90.0, 1.0, None, "the web app's clock is 90 s behind the database's."),
        (0.0, -6.0, None, "the clock of s-0 is 6 s ahead of the web app's."),
        (0.0, 1.0, -3_600.0, "the clock of A is 3600 s behind the web app's."),
    ],
)
def test_a_clock_that_is_off_is_said(
    ahead_s: float, age_s: float, skew_s: float | None, said: str | None
) -> None:
    agents = [agent("A", skew_s=skew_s), agent("B", skew_s=0.1), agent("C")]
    found = troubles.clock_trouble(ahead_s, [heartbeat(age_s=age_s)], agents, NOW)
    assert found == (said and f"{said} Let all computers set theirs by NTP.")


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ({}, None),
        ({"broker": 31.0, "client": 400.0}, None),
        ({"broker": 12.5, "client": 400.0}, "the certificate of the broker is valid for 12 more"),
        (
            {"broker": 400.0, "client": -1.0},
            "the certificate of the web app (broker.cert_file) has",
        ),
    ],
)
def test_a_certificate_is_said_a_month_before_its_end(
    days: dict[str, float], said: str | None
) -> None:
    ends = {name: NOW + timedelta(days=count) for name, count in days.items()}
    found = troubles.certificate_trouble(ends, NOW)
    assert (found is None) if said is None else (found or "").startswith(said)
