"""Judged runs: `/api/v1/results`."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Response

from service.store.queries.results import list_results
from service.store.queries.run_details import raw_message, run_details
from ui.api.answers import answer
from ui.api.models import DetailedResult, ResultPage
from ui.api.parameters import ListQuery, State
from ui.api.problems import Problem, answers, not_found

router = APIRouter(prefix="/api/v1/results", tags=["results"])
RunId = Annotated[int, Path(ge=1, lt=2**63, description="run_id of a Result.")]


@router.get(
    "",
    response_model=ResultPage,
    responses=answers(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)
def get_results(state: State, query: Annotated[ListQuery, Query()]) -> Response:
    """List Results, newest start first; `cursor` goes on where the part before ended."""
    try:
        items, following = list_results(state.database, query.filters(), query.limit, query.cursor)
    except ValueError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    return answer({"items": items, "next_cursor": following})


@router.get(
    "/{run_id}",
    response_model=DetailedResult,
    responses=answers(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
)
def get_result(state: State, run_id: RunId) -> Response:
    """Show one run with all its measurements, and `details`: all else that was sent."""
    found = run_details(state.database, run_id)
    if found is None:
        raise not_found(f"No run {run_id} is stored.")
    return answer(found)


@router.get(
    "/{run_id}/message",
    response_class=Response,
    responses={
        200: {"content": {"application/json": {}}, "description": "The bytes as they arrived."},
        **answers(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
    },
)
def get_message(state: State, run_id: RunId) -> Response:
    """Give the message the run came in, byte for byte; for an array all of it."""
    found = raw_message(state.database, run_id)
    if found is None:
        raise not_found(f"No run {run_id} is stored.")
    headers = {"X-Yieldline-Topic": quote(found.topic, safe="/")}
    if found.element is not None:
        headers["X-Yieldline-Element"] = str(found.element)
    return Response(found.payload, media_type="application/json", headers=headers)
