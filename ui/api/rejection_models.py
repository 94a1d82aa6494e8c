"""What the routes of rejections take and give, beyond the Rejection itself."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from broker.messages import Outcome, RejectionCode, Timestamp
from service.commands.resubmissions import (
    ACTOR_CHARS_MAX,
    REASON_CHARS_MAX,
    REJECTIONS_MAX,
    Fate,
)
from service.store.queries.rejections import RejectionFilters
from service.store.queries.results import LIMIT_MAX
from ui.api.models import StoredRejection
from ui.api.parameters import Time

_PAYLOAD_CHARS_MAX = 1_048_576


class RejectionChoice(BaseModel):
    """Which rejections."""

    model_config = ConfigDict(extra="forbid")

    machine_id: str | None = Field(default=None, description="From this machine's topic.")
    code: RejectionCode | None = Field(default=None, description="Of this kind.")
    since: Time | None = Field(default=None, description="Received then or later; ISO 8601.")
    until: Time | None = Field(default=None, description="Received before then; ISO 8601.")
    open: bool | None = Field(
        default=None, description="true: nobody resubmitted or closed it; false: somebody did."
    )

    def filters(self) -> RejectionFilters:
        """Return them as the queries take them."""
        return RejectionFilters(self.machine_id, self.code, self.since, self.until, self.open)


class RejectionQuery(RejectionChoice):
    """Which rejections, and which part of the list."""

    limit: int = Field(default=100, ge=1, le=LIMIT_MAX, description="At most so many.")
    cursor: str | None = Field(default=None, description="next_cursor of the part before.")


class RejectionGroup(BaseModel):
    """The rejections of one code and machine."""

    code: RejectionCode = Field(description="What kind of trouble.")
    machine_id: str | None = Field(description="By the topic; null: it names none.")
    total: int = Field(description="How many.")
    open: int = Field(description="Of them, those that nobody resubmitted or closed.")
    first_at: Timestamp = Field(description="When the first arrived.")
    last_at: Timestamp = Field(description="When the last arrived.")
    rejection_id: int = Field(description="The newest.")
    reason: str = Field(description="Its reason.")


class RejectionGroups(BaseModel):
    """Every group, those with open rejections first."""

    items: list[RejectionGroup]


class Settlement(BaseModel):
    """What was done with a rejection last."""

    action: str = Field(description="resubmit or close.")
    at: Timestamp = Field(description="When.")
    actor: str = Field(description="Who.")
    reason: str = Field(description="Why.")


class ListedRejection(StoredRejection):
    """A rejection, and what was done with it."""

    settled: Settlement | None = Field(description="null: it is open.")


class ListedRejections(BaseModel):
    """A part of the list of rejections, newest first."""

    items: list[ListedRejection]
    next_cursor: str | None = Field(description="Where the list goes on; null at its end.")


class DetailedRejection(ListedRejection):
    """One rejection, with the place of its trouble."""

    error_start: int | None = Field(description="First byte of the trouble; null: not known.")
    error_end: int | None = Field(description="The byte behind it.")


class ResubmitQuery(BaseModel):
    """Whether it is meant."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = Field(
        default=False, description="Only say what would happen: 200 instead of 202."
    )


class Words(BaseModel):
    """Who does it, and why."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="", max_length=REASON_CHARS_MAX, description="Why; kept.")
    author: str = Field(default="api", max_length=ACTOR_CHARS_MAX, description="Who.")


class Resubmit(Words):
    """How to send a rejection again; nothing of it: as it came."""

    topic: str | None = Field(
        default=None, max_length=1024, description="Send it here: a test topic of the template."
    )
    payload: str | None = Field(
        default=None,
        max_length=_PAYLOAD_CHARS_MAX,
        description="Send this instead, a corrected copy. What is kept does not change.",
    )
    force: bool = Field(
        default=False,
        strict=True,
        description="Send it also where a dry run says that it changes nothing.",
    )


RejectionIds = Annotated[
    list[Annotated[int, Field(strict=True, ge=1, lt=2**63)]],
    Field(min_length=1, max_length=REJECTIONS_MAX, description="rejection_id of each."),
]


class ResubmitMany(Words):
    """Send rejections again, each as it came."""

    rejection_ids: RejectionIds
    topic: str | None = Field(
        default=None, max_length=1024, description="Send all of them here: a test topic."
    )
    force: bool = Field(
        default=False,
        strict=True,
        description="Also those of which a dry run says that it changes nothing.",
    )


class CloseMany(Words):
    """Say that nothing more will be done with rejections."""

    rejection_ids: RejectionIds


class ForeseenPart(BaseModel):
    """What becomes of one run of a message, or of what is no run."""

    fate: Fate = Field(description="accepted, duplicate or rejected.")
    element: int | None = Field(description="Position in an array that is sent.")
    machine_id: str | None = Field(description="By the topic.")
    message_id: str | None = Field(description="The sender's id, or the hash of the content.")
    barcode: str | None = Field(description="Of the unit.")
    product_id: str | None = Field(description="Of the unit.")
    procedure: str | None = Field(description="Of the run.")
    outcome: Outcome | None = Field(description="By the rulebook in force.")
    first_failure: str | None = Field(description="The first test_step that fails.")
    run_id: int | None = Field(description="duplicate: the run that is stored.")
    code: RejectionCode | None = Field(description="rejected: what kind of trouble.")
    reason: str | None = Field(description="rejected: what, where, what to do.")


class ForeseenMessage(BaseModel):
    """What becomes of one rejection."""

    rejection_id: int = Field(description="Which.")
    topic: str = Field(description="Where it is sent.")
    corrected: bool = Field(description="Its bytes are not those that came.")
    payload_size: int = Field(description="Bytes.")
    fate: Fate = Field(description="The best of its parts.")
    published: bool = Field(description="The broker has it; in a dry run false.")
    parts: list[ForeseenPart] = Field(description="One for each run or refusal in it.")


class ForeseenMessages(BaseModel):
    """What becomes of rejections, in the order in which they were named."""

    accepted: int = Field(description="How many are accepted.")
    duplicates: int = Field(description="How many are stored already.")
    rejected: int = Field(description="How many are rejected again.")
    published: int = Field(description="How many the broker has; in a dry run 0.")
    items: list[ForeseenMessage]


class Closed(BaseModel):
    """What is closed."""

    rejection_ids: list[int] = Field(description="All of them.")
    closed_at: Timestamp = Field(description="When.")
