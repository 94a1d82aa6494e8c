"""Machines: `/api/v1/machines`."""

from datetime import UTC, datetime, time
from http import HTTPStatus
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Response

from broker.messages import parse_time
from service.store.queries.machines import machine, machines
from ui.api.answers import answer
from ui.api.models import Machines, MachineView
from ui.api.parameters import State
from ui.api.problems import answers, not_found
from ui.state import AppState

router = APIRouter(prefix="/api/v1/machines", tags=["machines"])


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
