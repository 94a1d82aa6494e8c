"""One run judged again by other rulebooks: `/api/v1/results/{run_id}/judged-by`."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from broker.answers import Counts
from broker.errors import RulebookError
from broker.messages import Outcome, Value
from service.commands.rejudge import VERSIONS_MAX, judge_again
from ui.api.answers import answer
from ui.api.parameters import State
from ui.api.problems import Problem, answers, not_found
from ui.api.results import RunId

router = APIRouter(prefix="/api/v1/results", tags=["results"])
_TROUBLES = (
    HTTPStatus.NOT_FOUND,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_Version = Annotated[int, Field(ge=0, lt=2**31)]


class SaidOfStep(BaseModel):
    """What one rulebook says of a measurement."""

    outcome: Outcome
    rule_id: str | None
    comparator: str | None
    low: float | None
    high: float | None
    nominal: Any
    reason: str | None


class StepSeenDifferently(BaseModel):
    """A measurement on which two rulebooks differ."""

    test_step: str
    measured_value: Value
    unit: str | None
    before: SaidOfStep = Field(description="By the rulebook that judged the run.")
    after: SaidOfStep = Field(description="By this one.")


class JudgedBy(BaseModel):
    """What one rulebook makes of the run."""

    version: int
    judged: bool = Field(description="It is the one that judged the run.")
    outcome: Outcome
    first_failure: str | None
    counts: Counts
    changes: list[StepSeenDifferently] = Field(description="In test order.")


class JudgedAgain(BaseModel):
    """One run by several rulebooks; what is stored stays as it is."""

    run_id: int
    outcome: Outcome = Field(description="As stored.")
    rulebook_version: int = Field(description="That judged it.")
    items: list[JudgedBy] = Field(description="One a version, the lowest first.")


@router.get("/{run_id}/judged-by", response_model=JudgedAgain, responses=answers(*_TROUBLES))
def get_judged_by(
    state: State,
    run_id: RunId,
    version: Annotated[
        list[_Version],
        Query(
            max_length=VERSIONS_MAX,
            description="Numbers of rulebooks, 0 for none; left out: the newest three and its own.",
        ),
    ] = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    """Judge a stored run again by other rulebooks: each verdict, and the steps that differ."""
    try:
        found = judge_again(state.database, run_id, version)
    except RulebookError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, _sentence(error)) from error
    if found is None:
        raise not_found(f"No run {run_id} is stored.")
    return answer(found)


def _sentence(error: RulebookError) -> str:
    return f"{str(error).rstrip('.')}. GET /api/v1/rulebooks lists them."
