"""Query parameters that many routes share."""

import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import HTTPConnection

from broker.messages import Outcome, parse_time
from service.store.queries.filters import Filters
from service.store.queries.results import LIMIT_MAX
from ui.access.callers import Caller
from ui.access.gate import caller_of
from ui.api.problems import Problem
from ui.state import AppState

_SHORT = timedelta(hours=25)
"""A day of the plant, where a clock change makes it longest."""
_lost_plus = re.compile(r"\d \d\d:?\d\d$").search


def _state_of(connection: HTTPConnection) -> AppState:
    state: AppState = connection.app.state.yieldline
    return state


State = Annotated[AppState, Depends(_state_of)]
Who = Annotated[Caller, Depends(caller_of)]
"""Who calls."""


def _as_utc(value: Any) -> datetime:  # noqa: ANN401 - whatever was sent
    """Read a time; without an offset it is UTC.

    A + that was not escaped has become a space on its way: it is put back.
    """
    if isinstance(value, str) and _lost_plus(value):
        value = "+".join(value.rsplit(" ", 1))
    moment = parse_time(value)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("outside the years 1 to 9999 in UTC") from error


Time = Annotated[datetime, BeforeValidator(_as_utc)]
Moment = Annotated[
    Time, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(3000, 1, 1, tzinfo=UTC))
]
"""Every day of a period is asked for its breaks, so it may not be of any length."""


class FilterQuery(BaseModel):
    """Which runs; all that are given must hold. An unknown name is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")

    machine_id: str | None = Field(default=None, description="Tested at this machine.")
    line: str | None = Field(default=None, description="Tested at this line.")
    product_id: str | None = Field(default=None, description="Units of this product.")
    procedure: str | None = Field(default=None, description="Runs of this procedure.")
    step: str | None = Field(default=None, description="Runs with this test_step.")
    barcode: str | None = Field(default=None, description="Runs of this unit.")
    outcome: Outcome | None = Field(default=None, description="Runs with this outcome.")
    agrees: bool | None = Field(default=None, description="The machine agrees with itself, or not.")
    differs: bool | None = Field(
        default=None,
        description="The machine's word on the run, or on a measurement in it (with step: of that"
        " step), is not what the arithmetic says.",
    )
    first_failure: str | None = Field(
        default=None, description="Runs in which this test_step failed first, or was missing."
    )
    fixture: str | None = Field(default=None, description="Held by this fixture.")
    operator: str | None = Field(default=None, description="Run by this operator.")
    panel_position: str | None = Field(default=None, description="At this place of its panel.")
    golden: bool | None = Field(
        default=None,
        description="Golden samples only, or none of them; by default figures count none of them,"
        " and lists show all.",
    )
    since: Time | None = Field(default=None, description="Started then or later; ISO 8601.")
    until: Time | None = Field(default=None, description="Started before then; ISO 8601.")

    def filters(self) -> Filters:
        """Return them as the queries take them."""
        return Filters(**{name: getattr(self, name) for name in FilterQuery.model_fields})


def check_short(query: FilterQuery, what: str, now: datetime) -> None:
    """Refuse a range over which `what` would be counted run by run for too long.

    Raises:
        Problem: It is longer than 25 hours.
    """
    if query.since is None or (query.until or now) - query.since > _SHORT:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{what} is counted run by run and takes a range of 25 hours at most. Give since, and"
            " until where it is past.",
        )


class ListQuery(FilterQuery):
    """Which runs, and which part of the list."""

    limit: int = Field(default=100, ge=1, le=LIMIT_MAX, description="At most so many.")
    cursor: str | None = Field(default=None, description="next_cursor of the part before.")
