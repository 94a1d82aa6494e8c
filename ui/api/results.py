"""Judged runs: `/api/v1/results`."""

from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from service.store.queries.results import ListView, count_results, list_results
from service.store.queries.run_details import raw_message, run_details
from ui.api.answers import answer
from ui.api.models import DetailedResult, ResultCounted, ResultPage
from ui.api.parameters import FilterQuery, ListQuery, State
from ui.api.problems import Problem, answers, not_found

router = APIRouter(prefix="/api/v1/results", tags=["results"])
RunId = Annotated[int, Path(ge=1, lt=2**63, description="run_id of a Result.")]


class ResultListQuery(ListQuery):
    """Which runs, which part of the list, and how."""

    sort: Literal["desc", "asc"] = Field(
        default="desc", description="By start of the run: newest first, or oldest first."
    )
    measurements: bool = Field(default=True, description="false leaves them out: a smaller answer.")


class ResultCountQuery(FilterQuery):
    """Which runs are counted."""

    after: int = Field(default=0, ge=0, lt=2**63, description="Only runs stored after this run_id.")


@router.get(
    "",
    response_model=ResultPage,
    responses=answers(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)
def get_results(state: State, query: Annotated[ResultListQuery, Query()]) -> Response:
    """List Results by start; `cursor` goes on where the part before ended."""
    view = ListView(query.sort == "asc", query.measurements)
    try:
        items, following = list_results(
            state.database, query.filters(), query.limit, query.cursor, view
        )
    except ValueError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    return answer({"items": items, "next_cursor": following})


@router.get(
    "/count",
    response_model=ResultCounted,
    responses=answers(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)
def get_result_count(state: State, query: Annotated[ResultCountQuery, Query()]) -> Response:
    """Count the runs of a list; `after` tells what has come since."""
    return answer(count_results(state.database, query.filters(), query.after))


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
