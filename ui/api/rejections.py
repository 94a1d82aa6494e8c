"""What could not be understood: `/api/v1/rejections`."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from service.store.queries.rejections import (
    list_rejections,
    rejection,
    rejection_bytes,
    rejection_groups,
)
from ui.api.answers import answer
from ui.api.parameters import State
from ui.api.problems import Problem, answers, not_found
from ui.api.rejection_models import (
    DetailedRejection,
    ListedRejections,
    RejectionChoice,
    RejectionGroups,
    RejectionQuery,
)

router = APIRouter(prefix="/api/v1/rejections", tags=["rejections"])
RejectionId = Annotated[int, Path(ge=1, lt=2**63, description="rejection_id of a Rejection.")]
_ONE = answers(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)
_LIST = answers(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE)


@router.get("", response_model=ListedRejections, responses=_LIST)
def get_rejections(state: State, query: Annotated[RejectionQuery, Query()]) -> Response:
    """List rejections, newest first."""
    try:
        items, following = list_rejections(
            state.database, query.filters(), query.limit, query.cursor
        )
    except ValueError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    return answer({"items": items, "next_cursor": following})


@router.get("/groups", response_model=RejectionGroups, responses=_LIST)
def get_groups(state: State, query: Annotated[RejectionChoice, Query()]) -> Response:
    """Count rejections by code and machine, those with open ones first."""
    return answer({"items": rejection_groups(state.database, query.filters())})


@router.get("/{rejection_id}", response_model=DetailedRejection, responses=_ONE)
def get_rejection(state: State, rejection_id: RejectionId) -> Response:
    """Show one rejection, and where in its bytes the trouble stands."""
    found = rejection(state.database, rejection_id)
    if found is None:
        raise missing(rejection_id)
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
        raise missing(rejection_id)
    name = f'attachment; filename="rejection-{rejection_id}.bin"'
    return Response(
        found,
        media_type="application/octet-stream",
        headers={"Content-Disposition": name, "X-Content-Type-Options": "nosniff"},
    )


def missing(rejection_id: int) -> Problem:
    """Return the problem that there is no such rejection."""
    return not_found(f"There is no rejection {rejection_id}.")
