"""Is it alive, can it work: `/healthz`, `/readyz`, and Prometheus' `/metrics`."""

from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from broker.errors import YieldlineError
from broker.messages import format_time
from service.store.queries.health import books, overview, services
from service.store.queries.held import why_held
from service.store.queries.strain import read_strain
from service.store.revision import is_current
from ui import troubles
from ui.api.answers import answer
from ui.api.parameters import State
from ui.api.problems import answers, problem_response
from ui.books import balance, books_trouble
from ui.lights import HEARTBEAT_AGE_MAX_S, disk_meaning
from ui.state import AppState
from ui.system import broker_counters
from ui.watching import watcher_trouble, watching

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """This process answers."""

    status: str = Field(description="Always ok.")


class Check(BaseModel):
    """One thing that must be well."""

    ok: bool
    reason: str | None = Field(description="What is wrong and what to do; null: nothing.")


class Ready(BaseModel):
    """Everything works."""

    status: str = Field(description="ready")
    checks: dict[str, Check] = Field(
        description="broker, database, service; and what results flow without too: watcher, books,"
        " services, outbox, disk, clocks (while the database answers), broker_queues,"
        " agents, certificates."
    )
    warnings: list[str] = Field(description="What is wrong although results flow, and what to do.")
    rulebook_version: int = Field(description="The active rulebook; 0: none.")
    newest_result_at: str | None = Field(description="When the newest result was taken in.")
    services: list[dict[str, Any]] = Field(description="What each service process last said.")


@router.get("/healthz", response_model=Alive)
async def get_alive() -> Response:
    """Say that this process is alive, and nothing more."""
    return answer({"status": "ok"})


@router.get("/readyz", response_model=Ready, responses=answers(HTTPStatus.SERVICE_UNAVAILABLE))
async def get_ready(state: State) -> Response:
    """Say whether results flow: the broker, the database and a service process that is connected.

    503 names every reason. `warnings` name what is wrong although results flow.
    """
    broker = _broker_trouble(state)
    minor = _troubles_we_see(state)
    try:
        stored = await state.ready_question.ask(partial(_ask_database, state))
    except YieldlineError as error:
        stored = _nothing_stored(database=str(error), service=None)
    major = {"broker": broker, **stored["major"]}
    minor |= stored["minor"]
    facts = {"checks": _checks(major | minor), "warnings": _sentences(minor)}
    if reasons := _sentences(major):
        detail = " ".join(reasons)
        return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, detail, reasons=reasons, **facts)
    return answer({"status": "ready", **facts, **stored["known"]})


def _checks(troubles: dict[str, str | None]) -> dict[str, Any]:
    return {name: {"ok": each is None, "reason": each} for name, each in troubles.items()}


def _sentences(troubles: dict[str, str | None]) -> list[str]:
    return [each for each in troubles.values() if each is not None]


def _troubles_we_see(state: AppState) -> dict[str, str | None]:
    """Return what is wrong although results flow, by check; what this process knows by itself."""
    now, counters = datetime.now(UTC), state.counters
    dropped = broker_counters(counters.counters)["dropped"]
    return {
        "broker_queues": troubles.dropped_trouble(dropped, counters.dropped_at, now),
        "agents": _agents_trouble(state, now),
        "certificates": troubles.certificate_trouble(state.certificates.ends, now),
    }


def _agents_trouble(state: AppState, now: datetime) -> str | None:
    if not state.live.connected:
        return None  # then none is heard, whatever it says
    forget_s = state.settings.alerts.silent_forget_s
    return troubles.agents_trouble(state.feed_facts().agents, now, forget_s=forget_s)


def _stored_troubles(state: AppState, heartbeats: list[dict[str, Any]]) -> dict[str, str | None]:
    """Return likewise what the database tells."""
    now, strain = datetime.now(UTC), read_strain(state.database)
    items = [balance(each, state.agent_of(each["machine_id"])) for each in books(state.database)]
    agents = state.feed_facts().agents
    return {
        "watcher": watcher_trouble(watching(state.settings, heartbeats, now)),
        "books": books_trouble(items),
        "services": troubles.services_trouble(heartbeats),
        "outbox": troubles.outbox_trouble(strain.outbox_count),
        "disk": disk_meaning(strain.free_bytes),
        "clocks": troubles.clock_trouble(strain.clock_ahead_s, heartbeats, agents, now),
    }


def _broker_trouble(state: AppState) -> str | None:
    if state.live.connected:
        return None
    settings = state.settings.broker
    return (
        f"broker {settings.host}:{settings.port} is away since"
        f" {format_time(state.live.changed_at)} ({state.live.trouble})."
        " Is it running? Check YIELDLINE_BROKER__HOST and __PORT."
    )


def _ask_database(state: AppState) -> dict[str, Any]:
    """Return all that it tells for /readyz: `major` and `minor` troubles, what else is `known`."""
    if not is_current(state.database):
        sentence = (
            "the database has no tables of this version yet. They come with the start of"
            " `yieldline service`; wait for it, or start it."
        )
        return _nothing_stored(database=sentence, service=_service_trouble([], None))
    found = overview(state.database)
    heartbeats = services(state.database, datetime.now(UTC))
    is_silent = bool(heartbeats) and all(not _speaks(each) for each in heartbeats)
    held = why_held(state.database) if is_silent else None
    return {
        "major": {"database": None, "service": _service_trouble(heartbeats, held)},
        "minor": _stored_troubles(state, heartbeats),
        "known": {"services": heartbeats, **found},
    }


def _nothing_stored(**major: str | None) -> dict[str, Any]:
    return {"major": major, "minor": {}, "known": {}}


def _speaks(heartbeat: dict[str, Any]) -> bool:
    return float(heartbeat["age_s"]) < HEARTBEAT_AGE_MAX_S


def _service_trouble(heartbeats: list[dict[str, Any]], held: str | None) -> str | None:
    """Return what is wrong with the service processes; None while one of them works.

    Args:
        heartbeats: What each last said.
        held: What keeps silent ones from saying anything, where that is known.
    """
    alive = [each for each in heartbeats if _speaks(each)]
    if any(each["facts"].get("connected") for each in alive):
        return None
    if alive:
        trouble = alive[0]["facts"].get("trouble") or "it does not say why"
        return f"{alive[0]['service']} runs but is not connected: {str(trouble).rstrip('.')}."
    if heartbeats:
        last = min(heartbeats, key=lambda each: float(each["age_s"]))
        silence = f"{last['service']} has been silent for {last['age_s']:.0f} s"
        if held is not None:
            return f"{silence}: {held} Results wait at the broker."
        return (
            f"{silence}. Results wait at the broker. Start `yieldline service`; if it runs, its"
            " clock is behind, or its log says what it waits for."
        )
    return "no service has ever reported. Results wait at the broker. Start `yieldline service`."
