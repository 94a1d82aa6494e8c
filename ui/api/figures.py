"""Figures and yields.

`/api/v1/metrics`, `/api/v1/yield`, `/api/v1/golden`, `/api/v1/pareto`.
"""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from broker.targets import targets_of
from service.store.queries.figures import figures
from service.store.queries.golden import LIMIT_MAX as GOLDEN_MAX
from service.store.queries.golden import golden_samples
from service.store.queries.mixes import mixes
from service.store.queries.steps import pareto_of_steps
from service.store.queries.yields import SHORT_GROUPS, Group, rolled_throughput, yields
from ui.api.analysis_models import FailingSteps, GoldenSamples
from ui.api.answers import answer
from ui.api.models import Figures, Yields
from ui.api.parameters import FilterQuery, State, check_short
from ui.api.problems import answers
from ui.yield_targets import chosen_target, group_target, has_finer_targets, names_machines

router = APIRouter(prefix="/api/v1", tags=["figures"])
_PROBLEMS = answers(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE)


class YieldQuery(FilterQuery):
    """Which runs, and how to group them."""

    group: Group = Field(
        default="procedure",
        description="One entry each; by the 15 minutes or hour (UTC), day or shift (the plant's) of"
        " a unit's first run. 15min and panel_position take at most 25 hours.",
    )


class GoldenQuery(FilterQuery):
    """Which runs of golden samples, and how many samples."""

    limit: int = Field(default=100, ge=1, le=GOLDEN_MAX, description="At most so many.")


class ParetoQuery(FilterQuery):
    """Which runs, and how many steps."""

    limit: int = Field(default=20, ge=1, le=1000, description="At most so many steps.")
    order: Literal["first_failures", "failures"] = Field(
        default="first_failures", description="What steps are ranked by, and shares are of."
    )


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
    """Show yields by group with their 95 % interval, retests, DPMO and what came late.

    Golden samples are left out; `golden=true` shows them alone.
    """
    if query.group in SHORT_GROUPS:
        check_short(query, f"group {query.group}", datetime.now(UTC))
    filters, targets = query.filters(), targets_of(state.settings)
    is_mixed = names_machines(filters, query.group) and has_finer_targets(targets)
    tested = mixes(state.database, filters) if is_mixed else {}
    items = yields(state.database, filters, query.group, state.settings.plant)
    for each in items:
        each["target_fpy_percent"] = group_target(
            targets, filters, tested, query.group, each["group"]
        )
    return answer(
        {
            "group": query.group,
            "items": items,
            **rolled_throughput(state.database, filters),
            "target_fpy_percent": chosen_target(targets, filters, tested),
        }
    )


@router.get("/golden", response_model=GoldenSamples, responses=_PROBLEMS)
def get_golden_samples(state: State, query: Annotated[GoldenQuery, Query()]) -> Response:
    """List golden samples by procedure: how many runs, how many of them passed, and the last one.

    They are the units whose barcode a glob of `plant.golden_barcodes` matched when they were run.
    """
    return answer({"items": golden_samples(state.database, query.filters(), query.limit)})


@router.get("/pareto", response_model=FailingSteps, responses=_PROBLEMS)
def get_failing_steps(state: State, query: Annotated[ParetoQuery, Query()]) -> Response:
    """Rank the steps that fail, with their cumulative share, and at which machines they do."""
    return answer(pareto_of_steps(state.database, query.filters(), query.limit, query.order))
