"""Every part of the house, asked once, in the words of `GET /api/v1/system`."""

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from prometheus_client import ProcessCollector

from broker.errors import YieldlineError
from broker.live import DROPPED
from broker.messages import format_time
from broker.origins import explain_settings
from service.store.database import Database
from service.store.election import is_watched
from service.store.queries.backups import last_backup
from service.store.queries.changes import first_forged_change, list_changes
from service.store.queries.health import books, services
from service.store.queries.strain import read_strain
from service.store.queries.system import database_facts
from ui import lights
from ui.books import add_up, balance_all
from ui.meter import AgentWord, FeedFacts, quantile, quantile_of_classes
from ui.state import AppState
from ui.watching import watching

Facts = dict[str, Any]

AUDIT_SHOWN: Final = 8
SPARK_POINTS: Final = 60
_TIMES_MIN: Final = 100
"""Fewer times say nothing of the slowest in a hundred."""
_AUDIT_CHECK: Final = timedelta(minutes=1)
_UNKNOWN_DATABASE: Final = (
    "kind",
    "version",
    "size_bytes",
    "free_bytes",
    "runs",
    "rejections",
    "oldest_result_at",
    "last_backup",
)


class _Stored(NamedTuple):
    """What only the database knows; the defaults: it told nothing."""

    trouble: str | None
    """Why it told nothing; None: it did."""
    heartbeats: Sequence[Facts] = ()
    is_elected: bool | None = None
    books: Facts | None = None
    database: Mapping[str, Any] = MappingProxyType({})
    audit: Facts | None = None


def system_facts(state: AppState, now: datetime) -> Facts:
    """Return what every part says of itself, with a light for each; see `ui.api.system_models`.

    Blocks: it asks the database. Without it, what only the database knows is null or empty.
    """
    feed = state.feed_facts()
    return _put_together(state, feed, _ask_database(state, feed, now), now)


def facts_without_database(state: AppState, now: datetime, trouble: str) -> Facts:
    """Return the same without asking the database, and why: `trouble`, a sentence."""
    return _put_together(state, state.feed_facts(), _Stored(trouble), now)


def _put_together(state: AppState, feed: FeedFacts, stored: _Stored, now: datetime) -> Facts:
    heartbeats = stored.heartbeats
    known = _database(state.database, stored.database, stored.trouble, feed.pings_ms)
    return {
        "at": format_time(now),
        "broker": _broker(state),
        "services": [_service(each, heartbeats) for each in heartbeats],
        "watcher": _watcher(state, stored, now),
        "agents": _agents(feed.agents, now),
        "web": _web(state, feed),
        "settings": [each._asdict() for each in explain_settings(state.settings, state.layers)],
        "books": stored.books,
        "audit": stored.audit,
        "database": known | {"write_ms": write_times(heartbeats)},
    }


# -- the database --------------------------------------------------------------------------------


def _ask_database(state: AppState, feed: FeedFacts, now: datetime) -> _Stored:
    """Return what only the database knows, or why it does not answer."""
    try:
        return _Stored(
            None,
            heartbeats=services(state.database, now),
            is_elected=is_watched(state.database),
            books=_books(state.database, feed.agents),
            database=_known_of(state.database, now),
            audit=_audit(state.database, now),
        )
    except YieldlineError as error:
        return _Stored(str(error))


def _known_of(database: Database, now: datetime) -> Facts:
    free_bytes, backup = read_strain(database).free_bytes, last_backup(database, now)
    return {**database_facts(database), "free_bytes": free_bytes, "last_backup": backup}


def _books(database: Database, agents: Sequence[AgentWord]) -> Facts:
    told = {each.machine_id: each.facts for each in agents}
    items = balance_all(books(database), told)
    difference = add_up(items)["difference"]
    light = lights.books_light(difference, len(items))
    return {"items": items, "difference": difference, "light": light._asdict()}


def _database(
    database: Database,
    known: Mapping[str, Any],
    trouble: str | None,
    pings_ms: Sequence[float],
) -> Facts:
    times = _times(pings_ms)
    return {
        **dict.fromkeys(_UNKNOWN_DATABASE),
        "address": database.label,
        **known,
        "answer_ms": times,
        "light": lights.database_light(
            trouble, _p99_known(times), known.get("free_bytes")
        )._asdict(),
    }


def write_times(heartbeats: Sequence[Mapping[str, Any]]) -> Facts:
    """Return p50 and p99 in milliseconds, at most, of the batches that services have committed."""
    told = [each["facts"].get("stages", {}).get("store") for each in heartbeats]
    stages = [each for each in told if each]
    counts = [sum(column) for column in zip(*(each["counts"] for each in stages), strict=True)]
    bounds = stages[0]["bounds_s"] if stages else []
    ends = {
        name: quantile_of_classes(bounds, counts, share)
        for name, share in (("p50", 0.5), ("p99", 0.99))
    }
    in_ms = {name: None if each is None else each * 1_000 for name, each in ends.items()}
    return {**in_ms, "count": sum(counts)}


class _Checked(NamedTuple):
    at: datetime
    forged: int | None


_checks: dict[str, _Checked] = {}
"""By database: when its whole trail was last read, and what that said."""
_checking = threading.Lock()


def _audit(database: Database, now: datetime) -> Facts:
    """Return the newest changes; the whole trail is read through once a minute at most."""
    items, _ = list_changes(database, AUDIT_SHOWN)
    with _checking:
        checked = _checks.get(database.label)
        if checked is None or now - checked.at > _AUDIT_CHECK:
            checked = _checks[database.label] = _Checked(now, first_forged_change(database))
    light = lights.audit_light(checked.forged)
    return {"items": items, "first_forged": checked.forged, "light": light._asdict()}


# -- the broker, services, agents ------------------------------------------------------------------


def _broker(state: AppState) -> Facts:
    settings, live = state.settings.broker, state.live
    counters = broker_counters(state.counters.counters)
    return {
        "host": settings.host,
        "port": settings.port,
        "tls": settings.tls,
        "connected": live.connected,
        "since": format_time(live.changed_at),
        "counters": counters,
        "dropped_meaning": lights.dropped_meaning(counters["dropped"]),
        "light": lights.broker_light(
            is_connected=live.connected, trouble=live.trouble, dropped=counters["dropped"]
        )._asdict(),
    }


def broker_counters(said: Mapping[str, str]) -> Facts:
    """Return the broker's counters as numbers; None where it says none, or something else."""
    release = said.get("version", "").removeprefix("mosquitto version ").strip()
    return {
        "version": release or None,
        "uptime_s": _whole(said.get("uptime", "").partition(" ")[0]),
        "clients": _whole(said.get("clients/connected")),
        "dropped": _whole(said.get(DROPPED)),
        "held": _whole(said.get("store/messages/count")),
        "heap_bytes": _whole(said.get("heap/current")),
        "received_per_minute": _number(said.get("load/messages/received/1min")),
        "sent_per_minute": _number(said.get("load/messages/sent/1min")),
    }


def _watcher(state: AppState, stored: _Stored, now: datetime) -> Facts:
    is_enabled = state.settings.alerts.enabled
    found = watching(state.settings, stored.heartbeats, now)
    is_elected = stored.is_elected if found.look_age_s is None else found.is_elected
    light = lights.watcher_light(
        is_enabled=is_enabled,
        is_elected=is_elected,
        has_service=lights.is_alive(stored.heartbeats) if stored.trouble is None else None,
    )
    return {"enabled": is_enabled, "elected": is_elected, "light": light._asdict()}


def _service(service: Facts, heartbeats: Sequence[Facts]) -> Facts:
    facts = service["facts"]
    others = [each for each in heartbeats if each is not service]
    light = lights.service_light(service, has_other=lights.is_alive(others))
    return {
        "service": service["service"],
        "reported_at": service["reported_at"],
        "age_s": round(service["age_s"], 1),
        "connected": bool(facts.get("connected")),
        "rulebook_version": facts.get("rulebook_version"),
        **{name: facts.get(name) or 0 for name in ("pending", "runs", "duplicates", "rejections")},
        "light": light._asdict(),
    }


def _agents(agents: Sequence[AgentWord], now: datetime) -> list[Facts]:
    own = version("yieldline")
    return [
        agent_row(each, now, own) for each in sorted(agents, key=lambda agent: agent.machine_id)
    ]


def agent_row(agent: AgentWord, now: datetime, own_version: str) -> Facts:
    """Return what an agent said; anyone may have said anything, so only what makes sense."""
    age_s = None if agent.said_s is None else max(0.0, now.timestamp() - agent.said_s)
    said_at = None if agent.said_s is None else datetime.fromtimestamp(agent.said_s, UTC)
    facts = agent.facts
    lag_s = facts.get("lag_s")
    return {
        "machine_id": agent.machine_id,
        "line": agent.line,
        "version": _text(facts.get("version")),
        **{name: _count(facts.get(name)) for name in ("spool_depth", "spool_bytes", "lag_bytes")},
        "lag_s": lag_s if type(lag_s) in {int, float} else None,
        "last_error": _text(facts.get("last_error")),
        "said_at": said_at and format_time(said_at),
        "light": lights.agent_light(agent, age_s, own_version)._asdict(),
    }


# -- this process --------------------------------------------------------------------------------


def _web(state: AppState, feed: FeedFacts) -> Facts:
    http, late_ms = state.settings.http, _times(feed.late_ms)
    return {
        "host": http.host,
        "port": http.port,
        "version": version("yieldline"),
        "started_at": format_time(state.started_at),
        "viewers": feed.viewers,
        "stream_readers": state.viewer_count,
        "exports": state.export_count,
        "frames": feed.frames,
        "frames_skipped": feed.frames_skipped,
        "frame_ms": _times(feed.frame_ms),
        "frame_spark": [round(each, 2) for each in feed.frame_ms[-SPARK_POINTS:]],
        "late_ms": late_ms,
        "memory_bytes": _resident_bytes(),
        "light": lights.web_light(_p99_known(late_ms))._asdict(),
    }


def _resident_bytes() -> int | None:
    """Return the memory of this process; None where the system does not tell."""
    for metric in ProcessCollector(registry=None).collect():
        if metric.name == "process_resident_memory_bytes":
            return int(metric.samples[0].value)
    return None


def _times(values_ms: Sequence[float]) -> Facts:
    p50, p99 = quantile(values_ms, 0.5), quantile(values_ms, 0.99)
    rounded = {
        name: None if each is None else round(each, 2)
        for name, each in (("p50", p50), ("p99", p99))
    }
    return {**rounded, "count": len(values_ms)}


def _p99_known(times: Facts) -> float | None:
    p99: float | None = times["p99"]
    return p99 if times["count"] >= _TIMES_MIN else None


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _count(value: object) -> int | None:
    return value if type(value) is int else None


def _text(value: object) -> str | None:
    return value[:500] if isinstance(value, str) else None
