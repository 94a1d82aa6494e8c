"""What could not be understood: `/api/v1/rejections`."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from broker.messages import RejectionCode
from service.store.queries.rejections import (
    RejectionFilters,
    list_rejections,
    rejection,
    rejection_bytes,
)
from service.store.queries.results import LIMIT_MAX
from ui.api.answers import answer
from ui.api.models import RejectionPage, StoredRejection
from ui.api.parameters import State, Time
from ui.api.problems import Problem, answers, not_found

router = APIRouter(prefix="/api/v1/rejections", tags=["rejections"])
RejectionId = Annotated[int, Path(ge=1, lt=2**63, description="rejection_id of a Rejection.")]
_ONE = answers(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)


class RejectionQuery(BaseModel):
    """Which rejections, and which part of the list."""

    model_config = ConfigDict(extra="forbid")

    machine_id: str | None = Field(default=None, description="From this machine's topic.")
    code: RejectionCode | None = Field(default=None, description="Of this kind.")
    since: Time | None = Field(default=None, description="Received then or later; ISO 8601.")
    until: Time | None = Field(default=None, description="Received before then; ISO 8601.")
    limit: int = Field(default=100, ge=1, le=LIMIT_MAX, description="At most so many.")
    cursor: str | None = Field(default=None, description="next_cursor of the part before.")


@router.get(
    "",
    response_model=RejectionPage,
    responses=answers(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)
def get_rejections(state: State, query: Annotated[RejectionQuery, Query()]) -> Response:
    """List rejections, newest first."""
    filters = RejectionFilters(query.machine_id, query.code, query.since, query.until)
    try:
        items, following = list_rejections(state.database, filters, query.limit, query.cursor)
    except ValueError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    return answer({"items": items, "next_cursor": following})


@router.get("/{rejection_id}", response_model=StoredRejection, responses=_ONE)
def get_rejection(state: State, rejection_id: RejectionId) -> Response:
    """Show one rejection."""
    found = rejection(state.database, rejection_id)
    if found is None:
        raise not_found(f"There is no rejection {rejection_id}.")
    return answer(found)


@router.get(
    "/{rejection_id}/bytes",
    response_class=Response,
    responses={
        200: {"content": {"application/octet-stream": {}}, "description": "The exact bytes."},
        **_ONE,
    },
)
def get_rejection_bytes(state: State, rejection_id: RejectionId) -> Response:
    """Give the exact bytes that were refused."""
    found = rejection_bytes(state.database, rejection_id)
    if found is None:
        raise not_found(f"There is no rejection {rejection_id}.")
    name = f'attachment; filename="rejection-{rejection_id}.bin"'
    return Response(
        found,
        media_type="application/octet-stream",
        headers={"Content-Disposition": name, "X-Content-Type-Options": "nosniff"},
    )
