"""What the service says, as frozen models: results, rejections, receipts, verdicts, alerts.

Pure: no I/O. For readers and for the JSON Schemas; results themselves are written without them, see
service/core/results.py. What machines send is in broker/messages.py.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from broker.messages import (
    AlertState,
    Comparator,
    MessageId,
    Outcome,
    RejectionCode,
    ReportedOutcome,
    Severity,
    Timestamp,
    Value,
)

Number: TypeAlias = Annotated[int, Field(ge=0, le=9_223_372_036_854_775_807)]
"""A whole number that a database and JSON writers can hold: 64 bits."""


class _Ours(BaseModel):
    """What the service says: nothing but the fields of the contract."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Verdict(_Ours):
    """The service's answer to a Check."""

    request_id: MessageId = Field(description="The question's.")
    allowed: bool = Field(description="May it be run?")
    reason: str = Field(description="Why, in a sentence.")
    answered_at: Timestamp = Field(description="When.")


class Receipt(_Ours):
    """The service's word that messages are stored; only for those that carried a message_id."""

    message_ids: tuple[str, ...] = Field(description="As the sender gave them.")
    received_at: Timestamp = Field(description="When the service took them in.")


class Counts(_Ours):
    """Measurements of a run by outcome."""

    PASS: int = Field(default=0, ge=0, description="Measurements judged PASS.")
    FAIL: int = Field(default=0, ge=0, description="Measurements judged FAIL.")
    ERROR: int = Field(default=0, ge=0, description="Measurements that could not be compared.")
    UNJUDGED: int = Field(default=0, ge=0, description="Measurements without rule or limit.")


class ResultMeasurement(_Ours):
    """One judged value of a result."""

    test_step: str = Field(description="What was measured.")
    measured_value: Value = Field(description="As sent.")
    unit: str | None = Field(description="Unit of measure of the value.")
    outcome: Outcome = Field(description="Our verdict.")
    comparator: Comparator | None = Field(description="How it was compared.")
    low: float | None = Field(description="Low limit it was compared with.")
    high: float | None = Field(description="High limit it was compared with.")
    rule_id: str | None = Field(description="The rule that decided; null: no rule.")
    reason: str | None = Field(description="Why, where there is something to say.")
    reported_outcome: ReportedOutcome | None = Field(description="What the machine said.")
    marginal: bool = Field(description="PASS, but close to a limit.")


class Result(_Ours):
    """One judged and stored run."""

    message_id: str = Field(description="The sender's, or the content's hash.")
    run_id: Number = Field(description="Ours; opens /api/v1/results/{run_id}.")
    barcode: str = Field(description="Serial number of the unit.")
    machine_id: str = Field(description="Where it was tested.")
    line: str = Field(description="The machine's line.")
    product_id: str = Field(description="What the unit is.")
    procedure: str = Field(description="The test operation.")
    outcome: Outcome = Field(description="Our verdict.")
    reported_outcome: ReportedOutcome | None = Field(description="What the machine said.")
    agrees: bool | None = Field(
        description="The reported outcome is what its measurements say; null: cannot be told."
    )
    timestamp: Timestamp = Field(description="Start of the run, UTC.")
    received_at: Timestamp = Field(description="When the service took it in, UTC.")
    attempt: Number = Field(ge=1, description="1: the unit's first run of this procedure.")
    first_failure: str | None = Field(description="test_step of the first failed measurement.")
    rulebook_version: Number = Field(ge=0, description="The rulebook that judged it.")
    clock_suspect: bool = Field(description="The machine's clock is ahead or far behind.")
    counts: Counts = Field(description="Measurements by outcome.")
    measurements: tuple[ResultMeasurement, ...] = Field(
        description="All; of more than 50 only those that are not PASS, at most 200."
    )
    measurements_complete: bool = Field(description="False: the HTTP API has the rest.")


class Rejection(_Ours):
    """A message that could not be understood; its bytes are kept."""

    rejection_id: Number = Field(description="Opens /api/v1/rejections/{id}.")
    message_id: str | None = Field(description="Where it could be read; then it has a receipt.")
    topic: str = Field(description="Where it arrived.")
    machine_id: str | None = Field(description="By the topic.")
    received_at: Timestamp = Field(description="When the service took it in, UTC.")
    code: RejectionCode = Field(description="What kind of trouble.")
    reason: str = Field(description="One sentence: what, where, what to do.")
    payload_size: Number = Field(ge=0, description="Bytes.")
    payload_preview: str = Field(description="The first 200 characters, readable.")


class AlertSubject(_Ours):
    """What an alert is about; null: does not matter to it."""

    machine: str | None = Field(default=None, description="Machine.")
    product: str | None = Field(default=None, description="Product.")
    procedure: str | None = Field(default=None, description="Procedure.")
    step: str | None = Field(default=None, description="Test step.")


class Alert(_Ours):
    """Something a person should look at. Retained while open."""

    alert_id: Number = Field(description="Ours.")
    kind: str = Field(description="What kind of trouble.")
    severity: Severity = Field(description="How bad.")
    subject: AlertSubject = Field(description="What it is about.")
    opened_at: Timestamp = Field(description="When it began.")
    message: str = Field(description="One sentence.")
    evidence: tuple[int, ...] = Field(description="Run ids.")
    state: AlertState = Field(description="open, acknowledged, shelved or closed.")


MachineStatus: TypeAlias = Literal["live", "stale", "offline", "never"]


class SummaryResult(_Ours):
    """A machine's newest result, in a summary."""

    run_id: Number = Field(description="Opens /api/v1/results/{run_id}.")
    barcode: str = Field(description="Serial number of the unit.")
    product_id: str = Field(description="What the unit is.")
    procedure: str = Field(description="The test operation.")
    outcome: Outcome = Field(description="Our verdict.")
    first_failure: str | None = Field(description="test_step of the first failed measurement.")
    timestamp: Timestamp = Field(description="Start of the run, UTC.")
    received_at: Timestamp = Field(description="When the service took it in, UTC.")


class MachineSummary(_Ours):
    """A machine's live figures of today. Retained; as old as `at`."""

    machine_id: str = Field(description="The machine.")
    line: str = Field(description="Its line.")
    status: MachineStatus = Field(
        description="live; stale: silent for longer than usual; offline: its last will was said;"
        " never: it sent no result yet."
    )
    at: Timestamp = Field(description="When all of this was true.")
    since: Timestamp = Field(description="What the figures begin with: today, where the plant is.")
    total_tests: int = Field(ge=0, description="Runs.")
    pass_count: int = Field(ge=0, description="Runs with PASS.")
    fail_count: int = Field(ge=0, description="Runs with FAIL.")
    error_count: int = Field(ge=0, description="Runs with ERROR.")
    unjudged_count: int = Field(ge=0, description="Runs with UNJUDGED.")
    units: int = Field(ge=0, description="Units first seen today: what the yields are made of.")
    first_pass_yield: float | None = Field(description="Share of units, 0 to 1; null: no units.")
    first_pass_yield_low: float | None = Field(description="Its 95 % Wilson interval.")
    first_pass_yield_high: float | None = Field(description="Its upper end.")
    final_yield: float | None = Field(description="Share of units whose last run was PASS.")
    last_result: SummaryResult | None = Field(description="Null: it sent none yet.")
