"""Names to choose a filter from: `/api/v1/names/{kind}`."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from service.store.queries.known_names import Named, known_names
from ui.api.answers import answer
from ui.api.parameters import State
from ui.api.problems import answers

router = APIRouter(prefix="/api/v1/names", tags=["names"])


class KnownNames(BaseModel):
    """Names that were ever stored."""

    items: list[str] = Field(description="In order.")


@router.get(
    "/{kind}",
    response_model=KnownNames,
    responses=answers(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)
def get_names(
    state: State,
    kind: Named,
    contains: Annotated[str, Query(max_length=128, description="Anywhere in it, any case.")] = "",
    limit: Annotated[int, Query(ge=1, le=1_000, description="At most so many.")] = 100,
) -> Response:
    """List the names that a filter knows, such as every `product_id` that was ever tested."""
    return answer({"items": known_names(state.database, kind, contains, limit)})
