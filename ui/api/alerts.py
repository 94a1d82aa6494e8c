"""Alerts: `/api/v1/alerts`."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from broker.errors import AlertError
from broker.messages import AlertState
from service.commands.alerts import acknowledge_alerts, shelve_alerts
from service.store.queries.alerts import (
    AlertFilters,
    alert,
    alert_facts,
    alert_load,
    alert_pulse,
    list_alerts,
)
from ui.api.alert_models import (
    Acknowledgement,
    AcknowledgementOfMany,
    AlertLoad,
    AlertPage,
    AlertQuery,
    DetailedAlert,
    Shelving,
    ShelvingOfMany,
    StoredAlert,
)
from ui.api.answers import answer
from ui.api.parameters import State, Who
from ui.api.problems import Problem, answers, not_found

router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"])
AlertId = Annotated[int, Path(ge=1, lt=2**63, description="alert_id of an Alert.")]
_INVALID = HTTPStatus.UNPROCESSABLE_ENTITY
_LIST = answers(_INVALID, HTTPStatus.SERVICE_UNAVAILABLE)
_ONE = answers(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)
_ACT = answers(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, _INVALID, HTTPStatus.SERVICE_UNAVAILABLE)
_LOAD_HOURS = 24


@router.get("", response_model=AlertPage, responses=_LIST)
def get_alerts(state: State, query: Annotated[AlertQuery, Query()]) -> Response:
    """List alerts, newest first."""
    filters = AlertFilters(**{name: getattr(query, name) for name in AlertFilters._fields})
    try:
        items, following = list_alerts(state.database, filters, query.limit, query.cursor)
    except ValueError as error:
        raise Problem(_INVALID, str(error)) from error
    return answer({"items": items, "next_cursor": following})


@router.get("/load", response_model=AlertLoad, responses=answers(HTTPStatus.SERVICE_UNAVAILABLE))
def get_load(state: State) -> Response:
    """Say how many alerts live, how many opened an hour of the last day, and which ring most."""
    load = alert_load(state.database, datetime.now(UTC), _LOAD_HOURS)
    return answer({"counts": alert_pulse(state.database).counts} | load)


@router.get("/{alert_id}", response_model=DetailedAlert, responses=_ONE)
def get_alert(state: State, alert_id: AlertId) -> Response:
    """Show one alert with its history and the runs of its evidence."""
    found = alert(state.database, alert_id)
    if found is None:
        raise _missing(alert_id)
    return answer(found)


@router.post("/acknowledge", response_model=AlertPage, responses=_LIST)
def post_acknowledge_many(state: State, body: AcknowledgementOfMany, who: Who) -> Response:
    """Acknowledge alerts; those that are acknowledged or closed stay as they are."""
    return answer({"items": _acknowledge(state, body.alert_ids, body, who), "next_cursor": None})


@router.post("/shelve", response_model=AlertPage, responses=_LIST)
def post_shelve_many(state: State, body: ShelvingOfMany, who: Who) -> Response:
    """Shelve alerts; those that are closed stay as they are."""
    return answer({"items": _shelve(state, body.alert_ids, body, who), "next_cursor": None})


@router.post("/{alert_id}/acknowledge", response_model=StoredAlert, responses=_ACT)
def post_acknowledge(
    state: State, alert_id: AlertId, who: Who, body: Acknowledgement | None = None
) -> Response:
    """Say that somebody has seen an alert; again changes nothing."""
    _check_living(state, alert_id)
    return answer(_acknowledge(state, [alert_id], body or Acknowledgement(), who)[0])


@router.post("/{alert_id}/shelve", response_model=StoredAlert, responses=_ACT)
def post_shelve(state: State, alert_id: AlertId, body: Shelving, who: Who) -> Response:
    """Let an alert rest until a moment; it returns by itself."""
    _check_living(state, alert_id)
    return answer(_shelve(state, [alert_id], body, who)[0])


def _acknowledge(
    state: State, ids: list[int], body: Acknowledgement, who: Who
) -> list[dict[str, Any]]:
    author, now = who.author(body.author), datetime.now(UTC)
    try:
        after = acknowledge_alerts(state.database, ids, actor=author, note=body.note, now=now)
    except AlertError as error:
        raise Problem(_INVALID, str(error)) from error
    return [alert_facts(each) for each in after]


def _shelve(state: State, ids: list[int], body: Shelving, who: Who) -> list[dict[str, Any]]:
    try:
        after = shelve_alerts(
            state.database,
            ids,
            until=body.until,
            reason=body.reason,
            actor=who.author(body.author),
            now=datetime.now(UTC),
        )
    except AlertError as error:
        raise Problem(_INVALID, str(error)) from error
    return [alert_facts(each) for each in after]


def _check_living(state: State, alert_id: int) -> None:
    """Refuse what nobody can act on any more."""
    found = alert(state.database, alert_id)
    if found is None:
        raise _missing(alert_id)
    if found["state"] == AlertState.CLOSED:
        closed = f"alert {alert_id} closed by itself at {found['closed_at']}: its trouble is over."
        raise Problem(HTTPStatus.CONFLICT, closed)


def _missing(alert_id: int) -> Problem:
    return not_found(f"There is no alert {alert_id}. GET /api/v1/alerts lists them.")
