"""Changes of test programs: `/api/v1/programs`."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from broker.messages import Timestamp
from service.store.queries.program_changes import program_changes
from ui.api.answers import answer
from ui.api.parameters import FilterQuery, State, check_short
from ui.api.problems import answers

router = APIRouter(prefix="/api/v1/programs", tags=["figures"])


class ChangedProgram(BaseModel):
    """A run that began with another program than the one before it."""

    at: Timestamp = Field(description="Start of the run.")
    run_id: int = Field(description="The run.")
    machine_id: str = Field(description="Where; the one before was at the same machine,")
    product_id: str = Field(description="of the same product")
    procedure: str = Field(description="and the same procedure.")
    program: str | None = Field(description="From then on; null: none was named.")
    program_version: str | None = Field(description="Its version.")
    old_program: str | None = Field(description="Until then.")
    old_program_version: str | None = Field(description="Its version.")


class ChangedPrograms(BaseModel):
    """Changes of programs."""

    items: list[ChangedProgram] = Field(description="Oldest first; the newest 200.")


@router.get(
    "",
    response_model=ChangedPrograms,
    responses=answers(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)
def get_program_changes(state: State, query: Annotated[FilterQuery, Query()]) -> Response:
    """List when machines changed the program they test with; of 25 hours at most."""
    check_short(query, "The list of programs", datetime.now(UTC))
    return answer({"items": program_changes(state.database, query.filters())})
