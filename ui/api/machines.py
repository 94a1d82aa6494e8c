"""Machines: `/api/v1/machines`."""

from datetime import UTC, datetime, time
from http import HTTPStatus
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from broker.messages import format_time, parse_time
from service.store.queries.machine_history import Period, PlantBreaks, machine_history
from service.store.queries.machines import machine, machines
from ui.api.answers import answer
from ui.api.machine_models import MachineHistory
from ui.api.models import Machines, MachineView
from ui.api.parameters import Moment, State
from ui.api.problems import Problem, answers, not_found
from ui.state import AppState

router = APIRouter(prefix="/api/v1/machines", tags=["machines"])
_ONE = answers(
    HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
)


class HistoryQuery(BaseModel):
    """Which period."""

    model_config = ConfigDict(extra="forbid")

    since: Moment = Field(description="From here, 1970 or later; ISO 8601.")
    until: Moment | None = Field(
        default=None, description="Up to here, before 3000; by default now."
    )
    silent_after_s: float | None = Field(
        default=None,
        gt=0,
        le=1e9,
        description="A longer time between two results is a silence; default plant.stale_after_s.",
    )


@router.get("", response_model=Machines, responses=answers(HTTPStatus.SERVICE_UNAVAILABLE))
def get_machines(state: State) -> Response:
    """List every machine that ever sent something: status, last result, today's figures."""
    now = datetime.now(UTC)
    found = machines(state.database, _today(state, now))
    return answer({"items": [_with_age(state, each, now) for each in found]})


@router.get(
    "/{machine_id}",
    response_model=MachineView,
    responses=answers(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
)
def get_machine(state: State, machine_id: Annotated[str, Path(max_length=128)]) -> Response:
    """Show one machine: status, last result, today's figures."""
    now = datetime.now(UTC)
    found = machine(state.database, machine_id, _today(state, now))
    if found is None:
        raise not_found(f"Machine {machine_id!r} never sent anything.")
    return answer(_with_age(state, found, now))


@router.get("/{machine_id}/history", response_model=MachineHistory, responses=_ONE)
def get_history(
    state: State,
    machine_id: Annotated[str, Path(max_length=128)],
    query: Annotated[HistoryQuery, Query()],
) -> Response:
    """Say when a machine was silent, offline or in trouble, and with which programs it tested."""
    plant, until = state.settings.plant, query.until or datetime.now(UTC)
    if query.since >= until:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "since is not before until. Swap them.")
    period = Period(query.since, until, query.silent_after_s or plant.stale_after_s)
    breaks = PlantBreaks(plant.breaks, ZoneInfo(plant.time_zone))
    found = machine_history(state.database, machine_id, period, breaks)
    if found is None:
        raise not_found(f"Machine {machine_id!r} never sent anything.")
    said = {"since": format_time(period.since), "until": format_time(period.until)}
    asked = {"machine_id": machine_id, "silent_after_s": period.silent_after_s}
    return answer({**asked, **said, **found})


def _today(state: AppState, now: datetime) -> datetime:
    """Return the start of today where the plant is."""
    zone = ZoneInfo(state.settings.plant.time_zone)
    return datetime.combine(now.astimezone(zone).date(), time(), zone).astimezone(UTC)


def _with_age(state: AppState, entry: dict[str, Any], now: datetime) -> dict[str, Any]:
    heard_at = parse_time(entry["last_received_at"])
    return {
        "machine_id": entry["machine_id"],
        "line": entry["line"],
        "status": state.status_of(entry["machine_id"]),
        "age_s": max(0.0, (now - heard_at).total_seconds()),
        **entry,
    }
