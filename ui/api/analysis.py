"""Analysis of single steps, and of machines that disagree with the arithmetic.

`/api/v1/capability`, `/api/v1/histogram`, `/api/v1/control-chart`, `/api/v1/disagreements`.
"""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from service.store.queries.capabilities import capabilities
from service.store.queries.capability_list import capability_list
from service.store.queries.charts import (
    POINTS_MAX,
    ChartKind,
    ChartWish,
    RuleSet,
    control_chart,
    histogram,
)
from service.store.queries.disagreements import LIMIT_MAX, count_disagreements, list_disagreements
from service.store.queries.spans import is_rolled_up
from service.store.queries.step_values import VALUES_MAX
from ui.api.analysis_models import Capabilities, ControlChart, Disagreements, Histogram
from ui.api.answers import answer
from ui.api.parameters import FilterQuery, State, Time
from ui.api.problems import Problem, answers

router = APIRouter(prefix="/api/v1", tags=["analysis"])
_PROBLEMS = answers(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE)
_VALUES = 2_000
_Values = Annotated[int, Field(ge=1, le=VALUES_MAX, description="The newest so many values.")]


class CapabilityQuery(FilterQuery):
    """Which runs, and how sigma within is estimated."""

    subgroup_size: int = Field(
        default=1, ge=1, le=25, description="Values that were measured together; 1: individuals."
    )
    method: Literal["moving_range", "pooled", "mean_range"] | None = Field(
        default=None,
        description="How sigma within is estimated; by default moving_range, of subgroups pooled.",
    )
    values: _Values = _VALUES
    limit: int = Field(default=100, ge=1, le=1000, description="Without a step: so many of them.")


class HistogramQuery(FilterQuery):
    """Which runs; step and product_id must be given."""

    values: _Values = _VALUES


class ControlChartQuery(FilterQuery):
    """Which runs, and which chart; step and product_id must be given."""

    chart: ChartKind = Field(
        default=ChartKind.INDIVIDUALS,
        description="i: individuals and moving ranges; xbar-r: means and ranges; xbar-s: means and"
        " standard deviations.",
    )
    subgroup_size: int = Field(
        default=5, ge=2, le=25, description="Of xbar-r and xbar-s: values of a point."
    )
    points: int = Field(default=200, ge=1, le=POINTS_MAX, description="The newest so many.")
    rules: RuleSet = Field(
        default=RuleSet.NELSON, description="Which rules find signals on the first chart."
    )
    baseline_until: Time | None = Field(
        default=None,
        description="Points that began before then make the lines; by default all. ISO 8601.",
    )

    def wish(self) -> ChartWish:
        """Return it as the query takes it."""
        return ChartWish(
            self.chart, self.subgroup_size, self.points, self.rules, self.baseline_until
        )


class DisagreementQuery(FilterQuery):
    """Which runs, and which part of the list; step: that this step disagrees."""

    limit: int = Field(default=100, ge=1, le=LIMIT_MAX, description="At most so many runs.")
    cursor: str | None = Field(default=None, description="next_cursor of the part before.")


@router.get("/capability", response_model=Capabilities, responses=_PROBLEMS)
def get_capability(state: State, query: Annotated[CapabilityQuery, Query()]) -> Response:
    """Compare values with the limits that judged them: of one step, or of every step of a product.

    With `step`: Cp, Cpk, Pp and Ppk of its newest values, one entry a product, procedure and unit
    of measure. With `product_id` alone: Pp and Ppk of all its steps from the roll-ups, worst first;
    then only the filters that roll-ups know may be given.
    """
    filters = query.filters()
    if filters.step is None:
        _check_list(query)
        return answer(capability_list(state.database, filters, query.limit))
    if query.subgroup_size == 1 and query.method in {"pooled", "mean_range"}:
        raise _wrong(f"method {query.method} needs a subgroup_size of 2 or more.")
    found = capabilities(
        state.database,
        filters,
        subgroup_size=query.subgroup_size,
        method=query.method,
        limit=query.values,
    )
    return answer(found | {"counted_since": None})


@router.get("/histogram", response_model=Histogram, responses=_PROBLEMS)
def get_histogram(state: State, query: Annotated[HistogramQuery, Query()]) -> Response:
    """Count a step's newest values in bins, with the limits that judged them."""
    _check_step(query)
    return answer(histogram(state.database, query.filters(), query.values))


@router.get("/control-chart", response_model=ControlChart, responses=_PROBLEMS)
def get_control_chart(state: State, query: Annotated[ControlChartQuery, Query()]) -> Response:
    """Draw a step's newest values in time, with control limits and the rules they break.

    Each point names its runs. The lines are control limits, made of the values themselves; `low`
    and `high` are the limits that judge.
    """
    _check_step(query)
    return answer(control_chart(state.database, query.filters(), query.wish()))


@router.get("/disagreements", response_model=Disagreements, responses=_PROBLEMS)
def get_disagreements(state: State, query: Annotated[DisagreementQuery, Query()]) -> Response:
    """List runs in which machine and arithmetic differ, and count them by step and machine.

    A false accept is the machine's PASS where the arithmetic says FAIL, a false reject its FAIL
    where the arithmetic says PASS. The counts are of all that matches, whatever the part.
    """
    filters = query.filters()
    try:
        items, following = list_disagreements(state.database, filters, query.limit, query.cursor)
    except ValueError as error:
        raise _wrong(str(error)) from error
    counts = count_disagreements(state.database, filters)
    return answer({"items": items, "next_cursor": following, **counts})


def _check_list(query: FilterQuery) -> None:
    if query.product_id is None:
        raise _wrong("step and product_id are missing. Give one of them, or both.")
    if not is_rolled_up(query.filters()):
        raise _wrong(
            "Without step only machine_id, line, product_id, procedure, since and until can choose."
            " Give a step, or leave the others out."
        )


def _check_step(query: FilterQuery) -> None:
    missing = [name for name in ("product_id", "step") if getattr(query, name) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise _wrong(f"{' and '.join(missing)} {verb} missing. Give both.")


def _wrong(sentence: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)
