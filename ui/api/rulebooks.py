"""Rulebooks and the audit trail: `/api/v1/rulebooks`, `/api/v1/audit`."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from broker.errors import RulebookConflict, RulebookError
from service.commands.drafts import (
    check_draft,
    compare_versions,
    describe_rulebook,
    summarise_rulebook,
)
from service.commands.rulebooks import (
    ACTOR_CHARS_MAX,
    REASON_CHARS_MAX,
    Draft,
    activate_rulebook,
)
from service.store.queries.changes import list_changes
from service.store.queries.results import LIMIT_MAX
from service.store.rulebooks import active_version, list_rulebooks, rulebook
from ui.api.answers import answer
from ui.api.parameters import State, Who
from ui.api.problems import Problem, answers, not_found
from ui.api.rulebook_models import (
    AuditPage,
    CheckedDraft,
    RulebookDetails,
    RulebookDifference,
    RulebookList,
    RulebookSummary,
)

router = APIRouter(prefix="/api/v1", tags=["rulebooks"])
Version = Annotated[int, Path(ge=1, lt=2**31, description="Number of a version.")]
_BODY_CHARS_MAX = 4_000_000
_READ = answers(HTTPStatus.SERVICE_UNAVAILABLE)
_ONE = answers(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)
_SENT = answers(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE)


class DraftBody(BaseModel):
    """A rulebook that is looked at."""

    model_config = ConfigDict(extra="forbid")

    toml: str = Field(max_length=_BODY_CHARS_MAX, description="The rulebook.")


class CheckBody(DraftBody):
    """A draft, and what it is compared with."""

    against: int | None = Field(
        default=None,
        strict=True,
        ge=0,
        lt=2**31,
        description="Version to compare it with; left out: the one in force.",
    )


class Activation(DraftBody):
    """A rulebook that shall be in force."""

    reason: str = Field(max_length=REASON_CHARS_MAX, description="Why; kept with the version.")
    author: str = Field(default="api", max_length=ACTOR_CHARS_MAX, description="Who.")
    based_on: int | None = Field(
        default=None,
        strict=True,
        ge=0,
        description="Version it was made from: refused when another is in force meanwhile.",
    )


class AuditQuery(BaseModel):
    """Which part of the trail."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=100, ge=1, le=LIMIT_MAX, description="At most so many.")
    cursor: int | None = Field(
        default=None, ge=1, lt=2**63, description="next_cursor of the part before."
    )


@router.get("/rulebooks", response_model=RulebookList, responses=_READ)
def get_rulebooks(state: State) -> Response:
    """List every version, the one in force first."""
    versions = list_rulebooks(state.database)
    items = [summarise_rulebook(each, is_active=place == 0) for place, each in enumerate(versions)]
    return answer({"items": items})


@router.get("/rulebooks/{version}", response_model=RulebookDetails, responses=_ONE)
def get_rulebook(state: State, version: Version) -> Response:
    """Show a version: its TOML as its author wrote it, and its rules."""
    stored = rulebook(state.database, version)
    if stored is None:
        raise not_found(f"There is no rulebook {version}. GET /api/v1/rulebooks lists them.")
    is_active = version == active_version(state.database)
    return answer(describe_rulebook(stored, is_active=is_active))


@router.get("/rulebooks/{version}/diff/{other}", response_model=RulebookDifference, responses=_ONE)
def get_difference(state: State, version: Version, other: Version) -> Response:
    """Say in words what turns one version into another, rule by rule."""
    changes = compare_versions(state.database, version, other)
    if changes is None:
        raise not_found(
            f"There is no rulebook {version} or {other}. GET /api/v1/rulebooks lists them."
        )
    return answer({"before": version, "after": other, "changes": changes})


@router.post("/rulebooks/check", response_model=CheckedDraft, responses=_SENT)
def post_check(state: State, body: CheckBody) -> Response:
    """Tell whether a draft could be activated and what would change; a fault is no HTTP error."""
    return answer(check_draft(state.database, body.toml, against=body.against))


@router.post(
    "/rulebooks",
    response_model=RulebookSummary,
    status_code=HTTPStatus.CREATED,
    responses=answers(
        HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
    ),
)
def post_rulebook(state: State, body: Activation, who: Who) -> Response:
    """Put a rulebook in force; services judge by it within two seconds."""
    draft, author = Draft(body.toml, based_on=body.based_on), who.author(body.author)
    try:
        stored = activate_rulebook(
            state.database, draft, actor=author, reason=body.reason, now=datetime.now(UTC)
        )
    except RulebookConflict as error:
        raise Problem(HTTPStatus.CONFLICT, str(error)) from error
    except RulebookError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    return answer(summarise_rulebook(stored, is_active=True), HTTPStatus.CREATED)


@router.get(
    "/audit",
    response_model=AuditPage,
    responses=answers(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)
def get_audit(state: State, query: Annotated[AuditQuery, Query()]) -> Response:
    """List who changed what, when and why, newest first."""
    items, following = list_changes(state.database, query.limit, query.cursor)
    return answer({"items": items, "next_cursor": following})
