"""Which rule would judge: `/api/v1/rule`."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from broker.errors import RulebookError
from service.commands.contests import Place, contest_of
from ui.api.answers import answer
from ui.api.parameters import State
from ui.api.problems import Problem, answers, not_found

router = APIRouter(prefix="/api/v1/rule", tags=["rulebooks"])


class PlaceQuery(BaseModel):
    """What a measurement would be of."""

    model_config = ConfigDict(extra="forbid")

    machine_id: str = Field(min_length=1, max_length=128, description="The machine.")
    product_id: str = Field(min_length=1, max_length=128, description="The product.")
    procedure: str = Field(min_length=1, max_length=128, description="The procedure.")
    step: str = Field(min_length=1, max_length=128, description="The test_step.")
    version: int | None = Field(
        default=None, ge=1, lt=2**31, description="Of the rulebook; left out: the one in force."
    )

    def place(self) -> Place:
        """Return it as the rulebook is asked."""
        return Place(self.step, self.product_id, self.procedure, self.machine_id)


class BeatenRule(BaseModel):
    """A rule that applies too."""

    rule: dict[str, Any] = Field(description="The keys of the TOML.")
    reason: str = Field(description="Why it does not judge: a sentence.")


class JudgingRule(BaseModel):
    """The rule that would judge, and those that it beats."""

    version: int = Field(description="Of the rulebook; 0: there is none yet.")
    rule: dict[str, Any] | None = Field(
        description="The keys of the TOML. Null: none applies; the limits in the message judge, or"
        " else the machine's own word stands."
    )
    specificity: str | None = Field(description="How specific each of its selectors is.")
    makes_its_own: bool = Field(
        description="It is an expression: it judges a value of its own, and what a machine sends"
        " under this step is left to the machine."
    )
    competitors: list[BeatenRule] = Field(description="Those that apply too, the nearest first.")


@router.get(
    "",
    response_model=JudgingRule,
    responses=answers(
        HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
    ),
)
def get_judging_rule(state: State, query: Annotated[PlaceQuery, Query()]) -> Response:
    """Say which rule would judge a measurement, how specific it is, and which others it beats."""
    try:
        found = contest_of(state.database, query.place(), query.version)
    except RulebookError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    if found is None:
        raise not_found(f"There is no rulebook {query.version}. GET /api/v1/rulebooks lists them.")
    return answer(found)
