"""What is wrong although results flow, for `/readyz` and `yieldline health`: sentences for people.

Each says what is wrong and what to do; None: nothing. Pure: no I/O, no clock.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from broker.messages import parse_time
from ui import lights
from ui.meter import AgentWord

Heartbeats = Sequence[Mapping[str, Any]]

OUTBOX_MAX: Final = 100
CLOCK_OFF_MAX_S: Final = 5.0
AGENT_CLOCK_OFF_MAX_S: Final = 60.0
RENEW_BEFORE: Final = timedelta(days=30)
DROPPED_SHOWN: Final = timedelta(minutes=10)


def services_trouble(heartbeats: Heartbeats) -> str | None:
    """Return what hinders a service that is at work: its queue, its answers, its rules."""
    for each in heartbeats:
        if lights.is_alive([each]):
            light = lights.service_light(each, has_other=True)
            if light.look != "ok":
                return f"{each['service']} {light.word}: {light.meaning}"
    return None


def outbox_trouble(count: int) -> str | None:
    """Return what it means that answers pile up.

    Args:
        count: Committed batches whose answers are not confirmed.
    """
    if count <= OUTBOX_MAX:
        return None
    return (
        f"the answers of {count} stored batches are not published: their results are in the"
        " database, but nobody was told. Start as many services as there were, or look at their"
        " logs for what the broker refuses; they publish them as soon as they can."
    )


def dropped_trouble(dropped: int | None, dropped_at: datetime | None, now: datetime) -> str | None:
    """Return what it means that the broker gives messages up, while it does.

    Args:
        dropped: How many it gave up since it started.
        dropped_at: When the last of them; None: before anybody looked.
        now: Aware.
    """
    if dropped_at is None or now - dropped_at > DROPPED_SHOWN:
        return None
    ago_s = (now - dropped_at).total_seconds()
    return f"The broker gave up messages {ago_s:.0f} s ago. {lights.dropped_meaning(dropped) or ''}"


def expected_agents(agents: Sequence[AgentWord], now: datetime, forget_s: float) -> list[AgentWord]:
    """Return the agents that said something, or were lost, within the last `forget_s` seconds."""
    oldest_s = now.timestamp() - forget_s
    return [each for each in agents if each.said_s is None or each.said_s >= oldest_s]


def agents_trouble(agents: Sequence[AgentWord], now: datetime, *, forget_s: float) -> str | None:
    """Return what the first agent in trouble says, and how many more are.

    Args:
        agents: What each last said.
        now: Aware.
        forget_s: One that has said nothing for so many seconds is no longer expected.
    """
    expected = expected_agents(agents, now, forget_s)
    wrong = [(each.machine_id, said) for each in expected if (said := _agent_trouble(each, now))]
    if not wrong:
        return None
    machine_id, said = min(wrong)
    more = f" Also {len(wrong) - 1} more: see the System page." if len(wrong) > 1 else ""
    return f"the agent of {machine_id} is {said}{more}"


def _agent_trouble(agent: AgentWord, now: datetime) -> str | None:
    age_s = None if agent.said_s is None else max(0.0, now.timestamp() - agent.said_s)
    light = lights.agent_light(agent, age_s, own_version=str(agent.facts.get("version")))
    return None if light.look == "ok" else f"{light.word}: {light.meaning}"


def clock_trouble(
    ahead_s: float, heartbeats: Heartbeats, agents: Sequence[AgentWord], now: datetime
) -> str | None:
    """Return whose clock is off: times of results, alerts and logins depend on them.

    Args:
        ahead_s: How far our clock is ahead of the database's.
        heartbeats: What each service process last said.
        agents: What each agent last said.
        now: Aware, by our clock.
    """
    if abs(ahead_s) > CLOCK_OFF_MAX_S:
        return _off("the web app's clock", ahead_s, "the database's")
    for each in heartbeats:
        service_s = (parse_time(each["reported_at"]) - now).total_seconds()
        if service_s > CLOCK_OFF_MAX_S:
            return _off(f"the clock of {each['service']}", service_s, "the web app's")
    skews = [(each.skew_s, each.machine_id) for each in agents if each.skew_s is not None]
    worst_s, machine_id = max(skews, key=lambda skew: abs(skew[0]), default=(0.0, ""))
    if abs(worst_s) > AGENT_CLOCK_OFF_MAX_S:
        return _off(f"the clock of {machine_id}", worst_s, "the web app's")
    return None


def _off(whose: str, ahead_s: float, than: str) -> str:
    where = "ahead of" if ahead_s > 0 else "behind"
    return f"{whose} is {abs(ahead_s):.0f} s {where} {than}. Let all computers set theirs by NTP."


def certificate_trouble(ends: Mapping[str, datetime], now: datetime) -> str | None:
    """Return which certificate is to be renewed, the one that ends first.

    Args:
        ends: When which ends to be valid, `broker` or `client`.
        now: Aware.
    """
    if not ends:
        return None
    end, name = min((end, name) for name, end in ends.items())
    if end - now > RENEW_BEFORE:
        return None
    whose = "the broker" if name == "broker" else "the web app (broker.cert_file)"
    left = "has expired" if end <= now else f"is valid for {(end - now).days} more days"
    return (
        f"the certificate of {whose} {left}, until {end:%Y-%m-%d %H:%M} UTC. Put a renewed one in"
        " its place: after that day nothing connects."
    )
