r"""The values that flow through the pipeline, between the wire and the rows. Pure: no I/O.

    payload -decode-> DecodedRun -judge-> JudgedRun -save-> rows
                 \--> Refused -----------------------save-> row

Named tuples, because one is made per message and per measurement on the hot path: they are
immutable and several times faster to build than frozen models.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, TypeAlias

from broker.messages import (
    Comparator,
    Measurement,
    Nominal,
    Outcome,
    RejectionCode,
    ReportedOutcome,
    Run,
    RunMeasurement,
)

AnyMeasurement: TypeAlias = Measurement | RunMeasurement


class DecodedRun(NamedTuple):
    """One understood run; a flat Measurement is a run of one."""

    machine_id: str
    line: str
    message_id: str
    """The sender's, or the hex of `content_hash`."""
    wants_receipt: bool
    """The sender gave the message_id."""
    content_hash: bytes
    """BLAKE2b-128 of the canonical content: same id, same hash is a duplicate."""
    procedure: str
    started_at: datetime
    """Aware, UTC."""
    ended_at: datetime | None
    """Aware, UTC."""
    clock_suspect: bool
    message: Measurement | Run
    measurements: Sequence[AnyMeasurement]
    """In test order, at least one."""
    element: int | None
    """Position in the array it came in; None where it came alone."""
    is_golden: bool = False
    """Its unit is a golden sample: kept and shown, but no part of any yield."""

    @property
    def reported_outcome(self) -> ReportedOutcome | None:
        """What the machine said of the run."""
        return self.message.reported_outcome


class Refused(NamedTuple):
    """One message, or one element of an array, that could not be understood."""

    topic: str
    machine_id: str | None
    message_id: str | None
    """Where it could be read: then the sender gets a receipt, since the bytes are kept."""
    code: RejectionCode
    reason: str
    """One sentence: what, where, what to do."""
    payload: bytes
    """The message's bytes; of an array element, the element's own."""
    element: int | None


class JudgedMeasurement(NamedTuple):
    """One measurement and our verdict on it."""

    measurement: AnyMeasurement
    outcome: Outcome
    comparator: Comparator | None
    """What it was compared with: the rule's, else the message's."""
    low: float | None
    high: float | None
    nominal: Nominal
    rule_id: str | None
    reason: str | None
    marginal: bool
    agrees: bool | None


class Counts(NamedTuple):
    """Measurements of one run by outcome."""

    passed: int
    failed: int
    errors: int
    unjudged: int


class JudgedRun(NamedTuple):
    """One run and our verdict on it."""

    run: DecodedRun
    outcome: Outcome
    agrees: bool | None
    first_failure: str | None
    counts: Counts
    rulebook_version: int
    measurements: Sequence[JudgedMeasurement]
    """As sent, in order; behind them those that a rule's expression made."""
