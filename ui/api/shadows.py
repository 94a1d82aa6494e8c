"""The shadow rulebook over HTTP: `/api/v1/shadow`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from broker.errors import RulebookError
from broker.messages import Outcome, Timestamp, format_time
from service.commands.rulebooks import ACTOR_CHARS_MAX, REASON_CHARS_MAX, Draft
from service.commands.shadows import start_shadow, stop_shadow
from service.store.queries.results import LIMIT_MAX
from service.store.queries.shadow_runs import differing_runs
from service.store.shadows import StoredShadow, list_shadows
from ui.api.answers import answer
from ui.api.parameters import State, Who
from ui.api.problems import Problem, answers

router = APIRouter(prefix="/api/v1/shadow", tags=["rulebooks"])
_PROBLEMS = answers(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE)


class ShadowBody(BaseModel):
    """A draft that shall judge live runs too."""

    model_config = ConfigDict(extra="forbid")

    toml: str = Field(max_length=4_000_000, description="The rulebook.")
    reason: str = Field(max_length=REASON_CHARS_MAX, description="Why; kept with it.")
    author: str = Field(default="api", max_length=ACTOR_CHARS_MAX, description="Who.")


class ShadowView(BaseModel):
    """A shadow rulebook."""

    shadow_id: int = Field(description="Its number.")
    author: str = Field(description="Who started it.")
    reason: str = Field(description="Why.")
    started_at: Timestamp = Field(description="When.")
    stopped_at: Timestamp | None = Field(description="Null: it runs.")
    judged: int = Field(description="Runs it judged.")
    differed: int = Field(description="Runs on which it differs from the active rulebook.")


class DifferingRun(BaseModel):
    """A run on which the two differ."""

    run_id: int
    barcode: str
    machine_id: str
    product_id: str
    procedure: str
    timestamp: Timestamp
    outcome: Outcome = Field(description="By the active rulebook.")
    first_failure: str | None
    shadow_outcome: Outcome = Field(description="By the shadow.")
    shadow_first_failure: str | None


class ShadowPage(BaseModel):
    """The newest shadow, and where it differs. Before the first one all is null, and no run."""

    shadow_id: int | None = Field(description="Its number; null: none ever ran.")
    author: str | None = Field(description="Who started it.")
    reason: str | None = Field(description="Why.")
    started_at: Timestamp | None = Field(description="When.")
    stopped_at: Timestamp | None = Field(description="Null: it runs, or none ever ran.")
    judged: int = Field(description="Runs it judged.")
    differed: int = Field(description="Runs on which it differs from the active rulebook.")
    toml: str | None = Field(description="As its author wrote it.")
    items: list[DifferingRun] = Field(description="Newest first.")
    next_cursor: int | None = Field(description="Where the list goes on; null at its end.")


class ShadowQuery(BaseModel):
    """Which part of the list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=100, ge=1, le=LIMIT_MAX, description="At most so many.")
    cursor: int | None = Field(
        default=None, ge=1, lt=2**63, description="next_cursor of the part before."
    )


_NONE: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("shadow_id", "author", "reason", "started_at", "stopped_at", "toml")),
    "judged": 0,
    "differed": 0,
    "items": [],
    "next_cursor": None,
}
"""Before the first shadow."""


@router.get("", response_model=ShadowPage, responses=_PROBLEMS)
def get_shadow(state: State, query: Annotated[ShadowQuery, Query()]) -> Response:
    """Show the newest shadow rulebook and the runs on which it differs.

    That none ever ran is an answer, not an error: `shadow_id` is null then.
    """
    shadows = list_shadows(state.database)
    if not shadows:
        return answer(_NONE)
    newest = shadows[0]
    items, following = differing_runs(state.database, newest.shadow_id, query.limit, query.cursor)
    page = {"toml": newest.body, "items": items, "next_cursor": following}
    return answer(_view(newest) | page)


@router.post("", response_model=ShadowView, status_code=HTTPStatus.CREATED, responses=_PROBLEMS)
def post_shadow(state: State, body: ShadowBody, who: Who) -> Response:
    """Let a draft judge every new run too, without any effect; one that runs is stopped."""
    try:
        started = start_shadow(
            state.database,
            Draft(body.toml),
            actor=who.author(body.author),
            reason=body.reason,
            now=datetime.now(UTC),
        )
    except RulebookError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    return answer(_view(started), HTTPStatus.CREATED)


@router.delete("", response_model=ShadowView, responses=_PROBLEMS)
def delete_shadow(state: State, who: Who) -> Response:
    """Stop the shadow that runs; what it found stays."""
    try:
        stopped = stop_shadow(state.database, actor=who.author("api"), now=datetime.now(UTC))
        return answer(_view(stopped))
    except RulebookError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{error}") from error


def _view(shadow: StoredShadow) -> dict[str, Any]:
    return {
        "shadow_id": shadow.shadow_id,
        "author": shadow.author,
        "reason": shadow.reason,
        "started_at": format_time(shadow.started_at),
        "stopped_at": None if shadow.stopped_at is None else format_time(shadow.stopped_at),
        "judged": shadow.judged,
        "differed": shadow.differed,
    }
