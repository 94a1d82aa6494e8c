"""What the API answers with about alerts, and what it takes."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from broker.answers import Alert
from broker.messages import AlertState, Outcome, Severity, Timestamp
from service.commands.alerts import ACTOR_CHARS_MAX, ALERTS_MAX, NOTE_CHARS_MAX
from service.store.queries.results import LIMIT_MAX
from ui.api.parameters import Time


class AlertQuery(BaseModel):
    """Which alerts, and which part of the list."""

    model_config = ConfigDict(extra="forbid")

    state: AlertState | None = Field(default=None, description="In this state.")
    severity: Severity | None = Field(default=None, description="This bad.")
    kind: str | None = Field(default=None, description="Of this kind.")
    machine_id: str | None = Field(default=None, description="About this machine.")
    line: str | None = Field(default=None, description="About machines of this line.")
    since: Time | None = Field(default=None, description="Opened then or later; ISO 8601.")
    until: Time | None = Field(default=None, description="Opened before then; ISO 8601.")
    limit: int = Field(default=100, ge=1, le=LIMIT_MAX, description="At most so many.")
    cursor: str | None = Field(default=None, description="next_cursor of the part before.")


class StoredAlert(Alert):
    """An alert, and what people did with it."""

    line: str | None = Field(description="Where its machine stands.")
    barcode: str | None = Field(description="The unit it is about.")
    acknowledged_at: Timestamp | None = Field(
        description="When somebody first said to have seen it; null and closed: nobody ever did."
    )
    acknowledged_by: str | None = Field(description="Who.")
    shelved_until: Timestamp | None = Field(description="It rests until then.")
    closed_at: Timestamp | None = Field(description="When its trouble was over.")


class AlertPage(BaseModel):
    """A part of a list of alerts."""

    items: list[StoredAlert] = Field(description="Newest first.")
    next_cursor: str | None = Field(description="Where the list goes on; null at its end.")


class AlertEventView(BaseModel):
    """One line of an alert's history."""

    at: Timestamp = Field(description="When.")
    action: str = Field(
        description="opened, acknowledged, shelved, returned, closed, notified or not_notified."
    )
    actor: str = Field(description="Who; `yieldline`: no person.")
    note: str = Field(description="In their words.")


class EvidenceRun(BaseModel):
    """A run that an alert points to."""

    run_id: int
    barcode: str
    machine_id: str
    procedure: str
    timestamp: Timestamp
    outcome: Outcome
    first_failure: str | None


class DetailedAlert(StoredAlert):
    """An alert with its history and its evidence."""

    history: list[AlertEventView] = Field(description="Oldest first.")
    runs: list[EvidenceRun] = Field(description="The evidence, as far as it is still stored.")


class RingingAlert(BaseModel):
    """Trouble that comes again and again."""

    kind: str
    machine_id: str | None
    procedure: str | None
    step: str | None
    barcode: str | None
    opened: int = Field(description="How often.")


class AlertLoad(BaseModel):
    """How much alerts ask of people."""

    counts: dict[str, int] = Field(description="Alerts that live, by state.")
    hours: int = Field(description="Over so many hours ...")
    opened: int = Field(description="... so many alerts opened,")
    per_hour: float = Field(description="which is so many an hour.")
    ringing: list[RingingAlert] = Field(description="Up to three that opened more than once.")


class Acknowledgement(BaseModel):
    """Somebody has seen it."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field(default="", max_length=NOTE_CHARS_MAX, description="What is done about it.")
    author: str = Field(default="api", max_length=ACTOR_CHARS_MAX, description="Who.")


class Shelving(BaseModel):
    """It rests for a while."""

    model_config = ConfigDict(extra="forbid")

    until: Time = Field(description="Within the next 12 hours; ISO 8601.")
    reason: str = Field(min_length=1, max_length=NOTE_CHARS_MAX, description="Why.")
    author: str = Field(default="api", max_length=ACTOR_CHARS_MAX, description="Who.")


AlertIds = Annotated[
    list[Annotated[int, Field(strict=True, ge=1, lt=2**63)]],
    Field(min_length=1, max_length=ALERTS_MAX, description="Which."),
]


class AcknowledgementOfMany(Acknowledgement):
    """Somebody has seen them."""

    alert_ids: AlertIds


class ShelvingOfMany(Shelving):
    """They rest for a while."""

    alert_ids: AlertIds
