"""Figures and yields: `/api/v1/metrics`, `/api/v1/yield`, `/api/v1/pareto`."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from service.store.queries.figures import figures
from service.store.queries.steps import failing_steps
from service.store.queries.yields import rolled_throughput, yields
from ui.api.answers import answer
from ui.api.models import FailingSteps, Figures, Yields
from ui.api.parameters import FilterQuery, State
from ui.api.problems import answers

router = APIRouter(prefix="/api/v1", tags=["figures"])
_PROBLEMS = answers(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE)


class YieldQuery(FilterQuery):
    """Which runs, and how to group them."""

    group: Literal["procedure", "line", "machine", "product", "hour"] = Field(
        default="procedure", description="One entry each; hour: of a unit's first run, UTC."
    )


class ParetoQuery(FilterQuery):
    """Which runs, and how many steps."""

    limit: int = Field(default=20, ge=1, le=1000, description="At most so many steps.")


@router.get("/metrics", response_model=Figures, responses=_PROBLEMS)
def get_figures(state: State, query: Annotated[FilterQuery, Query()]) -> Response:
    """Count runs by outcome, and units with their first pass and final yield.

    A unit counts where its first run of a procedure matches the filters. It is good at first pass
    when the first run of every procedure counted was PASS, and good in the end when the last run
    of each was; ERROR and ABORTED count against it.
    """
    return answer(figures(state.database, query.filters()))


@router.get("/yield", response_model=Yields, responses=_PROBLEMS)
def get_yields(state: State, query: Annotated[YieldQuery, Query()]) -> Response:
    """Show yields by group with their 95 % interval, retests and rolled throughput yield."""
    filters = query.filters()
    return answer(
        {
            "group": query.group,
            "items": yields(state.database, filters, query.group),
            "rolled_throughput_yield": rolled_throughput(state.database, filters),
        }
    )


@router.get("/pareto", response_model=FailingSteps, responses=_PROBLEMS)
def get_failing_steps(state: State, query: Annotated[ParetoQuery, Query()]) -> Response:
    """List the steps that fail first most often, and at which machines."""
    return answer({"items": failing_steps(state.database, query.filters(), query.limit)})
