"""Units against the plan of their lines: `/api/v1/plan`."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from service.store.queries.filters import Filters
from service.store.queries.yields import yields
from ui.api.answers import answer
from ui.api.parameters import Moment, State
from ui.api.problems import Problem, answers
from ui.plan import worked_h

router = APIRouter(prefix="/api/v1/plan", tags=["figures"])
_PROBLEMS = answers(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE)


class PlanQuery(BaseModel):
    """Which line, and when."""

    model_config = ConfigDict(extra="forbid")

    line: str | None = Field(default=None, description="This line alone.")
    since: Moment = Field(description="From here, 1970 or later; ISO 8601.")
    until: Moment | None = Field(
        default=None, description="Up to here, before 3000; by default now. What is ahead counts."
    )


class LinePlan(BaseModel):
    """One line's units against its plan."""

    line: str
    units: int = Field(description="First tested on it in this time; golden samples left out.")
    planned: float | None = Field(
        description="Hours of work times lines.ID.plan_per_hour; null: it has no plan."
    )


class Plan(BaseModel):
    """Units against plan, by line."""

    worked_h: float = Field(description="Hours of this time without the plant's planned breaks.")
    items: list[LinePlan] = Field(description="Lines with a plan or with units, by name.")


@router.get("", response_model=Plan, responses=_PROBLEMS)
def get_plan(state: State, query: Annotated[PlanQuery, Query()]) -> Response:
    """Hold the units of each line against its plan."""
    plant, until = state.settings.plant, query.until or datetime.now(UTC)
    if query.since >= until:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "since is not before until. Swap them.")
    filters = Filters(line=query.line, since=query.since, until=until)
    units = {each["group"]: each["units"] for each in yields(state.database, filters, "line")}
    start_s, end_s = query.since.timestamp(), until.timestamp()
    hours = worked_h(start_s, end_s, ZoneInfo(plant.time_zone), plant.breaks)
    rates = {
        line: known.plan_per_hour
        for line, known in state.settings.lines.items()
        if known.plan_per_hour and query.line in {None, line}
    }
    items = [
        {
            "line": line,
            "units": units.get(line, 0),
            "planned": round(rates[line] * hours, 1) if line in rates else None,
        }
        for line in sorted({*units, *rates})
    ]
    return answer({"worked_h": round(hours, 3), "items": items})
