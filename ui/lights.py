"""What stands beside each part of the house on the System page: is it well, what does that mean.

A light is a word and a sentence: what it means, and what to do when it is not well. Grey is normal:
`ok` is quiet. Pure: no I/O, no clock.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from ui.meter import AgentWord

Look: TypeAlias = Literal["ok", "warn", "bad", "off"]

HEARTBEAT_AGE_MAX_S: Final = 10.0
"""A service that last spoke longer ago is not taken for alive."""
AGENT_AGE_MAX_S: Final = 60.0
"""Agents speak every few seconds; one that was silent for longer is not taken for alive."""
AGENT_LAG_MAX_S: Final = 60.0
PENDING_MAX: Final = 1_000
DATABASE_SLOW_MS: Final = 250.0
LOOP_LATE_MS: Final = 250.0
DISK_FREE_MIN_BYTES: Final = 1_000_000_000


class Light(NamedTuple):
    """How one part does."""

    look: Look
    word: str
    """Short, for beside the light."""
    meaning: str
    """A sentence or two: what it means, and what to do."""


def books_light(difference: int, senders: int) -> Light:
    """Say whether every message is accounted for."""
    if difference:
        meaning = (
            "Some messages are not where they should be. The rows with a difference say at which"
            " hop, and what to do."
        )
        return Light("bad", f"difference {difference}", meaning)
    if not senders:
        return Light("off", "nobody yet", "No machine has sent anything yet.")
    meaning = "Every message is accounted for: nothing was lost, and nothing counted twice."
    return Light("ok", "difference 0", meaning)


def broker_light(*, is_connected: bool, trouble: str | None, dropped: int | None = None) -> Light:
    """Say whether the broker passes messages on to this process, and whether it gave any up."""
    if is_connected and dropped:
        return Light("bad", f"dropped {dropped}", str(dropped_meaning(dropped)))
    if is_connected:
        return Light("ok", "connected", "The broker passes on what machines and services say.")
    meaning = (
        f"Nothing live reaches the pages ({trouble or 'no reason given'}). Is the broker running?"
        " Check broker.host, broker.port and its access list. Agents keep their messages meanwhile."
    )
    return Light("bad", "away", meaning)


def database_light(
    trouble: str | None, p99_ms: float | None, free_bytes: int | None = None
) -> Light:
    """Say whether the database answers, quickly, and has room.

    Args:
        trouble: Why it does not answer.
        p99_ms: What one small question in a hundred takes longer than.
        free_bytes: Room on its disk; None: nobody tells.
    """
    if trouble is not None:
        meaning = f"{trouble} Nothing is lost: messages wait at the broker until it is back."
        return Light("bad", "away", meaning)
    if (fills := disk_meaning(free_bytes)) is not None:
        return Light("warn", "disk nearly full", fills)
    if p99_ms is not None and p99_ms > DATABASE_SLOW_MS:
        meaning = (
            f"One small question in a hundred takes over {DATABASE_SLOW_MS:.0f} ms. Look at its"
            " disk and at what else uses it; results come later meanwhile."
        )
        return Light("warn", "slow", meaning)
    return Light("ok", "answers", "Small questions are answered in time.")


def service_light(service: Mapping[str, Any], *, has_other: bool) -> Light:
    """Say whether one service process stores results.

    Args:
        service: Its age_s (seconds) and facts.
        has_other: Another one is alive and connected.
    """
    facts, age_s = service["facts"], float(service["age_s"])
    if age_s > HEARTBEAT_AGE_MAX_S:
        meaning = f"It has said nothing for {age_s:.0f} s: it was stopped, or its machine is down."
        if has_other:
            return Light("off", "silent", f"{meaning} Another service does its work.")
        advice = "Results wait at the broker. Start `yieldline service`."
        return Light("bad", "silent", f"{meaning} {advice}")
    if not facts.get("connected"):
        trouble = str(facts.get("trouble") or "it does not say why").rstrip(".")
        return Light("bad", "not connected", f"It runs but stores nothing: {trouble}.")
    return _working_light(facts)


def _working_light(facts: Mapping[str, Any]) -> Light:
    """Say how a service does that is alive and connected; the worst thing counts."""
    if (lost_s := facts.get("session_lost_s")) is not None:
        meaning = (
            f"The broker had forgotten its queue {_number(lost_s):.0f} s ago. Agents send again"
            " what has no receipt; what others sent meanwhile is lost. Give the broker persistence."
        )
        return Light("warn", "lost its queue", meaning)
    if refused := facts.get("answers_refused"):
        meaning = (
            f"The broker refused {_number(refused):.0f} of its answers; the results are stored."
            " Grant the service its result, receipt and rejected topics in the broker's ACL."
        )
        return Light("warn", "answers refused", meaning)
    if rules_trouble := facts.get("rules_trouble"):
        meaning = f"{rules_trouble} Mend the rules file, and restart the service."
        return Light("warn", "judges by older rules", meaning)
    if int(facts.get("pending") or 0) > PENDING_MAX:
        meaning = (
            "More arrives than it stores just now. After an outage this passes; if it lasts, look"
            " at the database, or start another service (PostgreSQL)."
        )
        return Light("warn", "catching up", meaning)
    return Light("ok", "up", "It judges and stores what arrives.")


def watcher_light(*, is_enabled: bool, is_elected: bool | None, has_service: bool | None) -> Light:
    """Say whether somebody looks for alerts.

    Args:
        is_enabled: The setting alerts.enabled, as this process knows it.
        is_elected: A service holds the mandate; None: the database does not tell.
        has_service: A service process is alive; None: the database does not tell that either.
    """
    if not is_enabled:
        meaning = (
            "No alert is raised or closed: alerts.enabled is false. Set it to true for alerts."
        )
        return Light("off", "switched off", meaning)
    if is_elected is None and has_service is None:
        meaning = "Whether one looks for alerts stands in the database, which does not answer."
        return Light("warn", "not known", meaning)
    if is_elected if is_elected is not None else has_service:
        return Light("ok", "watches", "One service process raises and closes alerts for all.")
    meaning = "Nobody raises or closes alerts now. Start `yieldline service`."
    return Light("bad", "nobody watches", meaning)


def agent_light(agent: AgentWord, age_s: float | None, own_version: str) -> Light:
    """Say how one machine's edge agent does; the worst thing counts."""
    error = agent.facts.get("last_error")
    lag_s, version = _number(agent.facts.get("lag_s")), agent.facts.get("version")
    if agent.is_offline:
        meaning = "It was stopped, or the broker lost it. Start it, or look at its network."
        return Light("off", "offline", meaning)
    if age_s is None or age_s > AGENT_AGE_MAX_S:
        meaning = "It speaks every few seconds, but not now. Is its computer overloaded or asleep?"
        return Light("warn", "silent", meaning)
    if error:
        return Light("bad", "in trouble", f"It says: {str(error)[:500]}")
    if lag_s > AGENT_LAG_MAX_S:
        meaning = (
            f"Its oldest unconfirmed message is {lag_s:.0f} s old. They wait in its spool and are"
            " repeated; look at the broker's access list for this machine, and at the services."
        )
        return Light("warn", "behind", meaning)
    if version != own_version:
        meaning = (
            f"It runs {version}, this web app {own_version}. It works; update it when it suits."
        )
        return Light("warn", "other version", meaning)
    return Light("ok", "up", "It reads, keeps and sends; all is confirmed or on its way.")


def web_light(late_p99_ms: float | None) -> Light:
    """Say whether this process keeps up with its viewers."""
    if late_p99_ms is not None and late_p99_ms > LOOP_LATE_MS:
        meaning = (
            f"One frame in a hundred is over {LOOP_LATE_MS:.0f} ms late: the processor is busy."
            " Pages lag a little; storing is not touched. Give the machine more room."
        )
        return Light("warn", "late", meaning)
    return Light("ok", "keeps up", "Frames leave in time. Viewers that are slow get fewer.")


def audit_light(first_forged: int | None) -> Light:
    """Say whether nobody has touched the trail of changes."""
    if first_forged is not None:
        meaning = (
            f"Entry {first_forged} does not fit the one before it: somebody changed the database by"
            " hand. Compare with a backup."
        )
        return Light("bad", "broken", meaning)
    meaning = "Each entry seals the one before it, and every seal fits: nothing was changed."
    return Light("ok", "intact", meaning)


def dropped_meaning(dropped: int | None) -> str | None:
    """Say what messages mean that the broker dropped; None: it dropped none, or does not tell."""
    if not dropped:
        return None
    return (
        f"Since it started the broker gave up {dropped} messages for somebody whose queue was full:"
        " a service that was away too long, or a slow listener. Agents repeat what has no receipt;"
        " raise max_queued_messages if the number goes on rising."
    )


def disk_meaning(free_bytes: int | None) -> str | None:
    """Say what to do before the database's disk is full; None: there is room, or nobody tells."""
    if free_bytes is None or free_bytes >= DISK_FREE_MIN_BYTES:
        return None
    return (
        f"The disk of the database has {free_bytes // 1_000_000} MB left. When it is full nothing"
        " is stored and results wait at the broker. Make room, or delete old results"
        " (`yieldline db prune`)."
    )


def is_alive(services: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether any service process is alive and connected."""
    return any(
        each["age_s"] <= HEARTBEAT_AGE_MAX_S and each["facts"].get("connected") for each in services
    )


def _number(value: object) -> float:
    """Return a number that an agent told; 0 where it told none."""
    return float(value) if type(value) in {int, float} else 0.0  # type: ignore[arg-type]
