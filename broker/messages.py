"""What a machine sends, as frozen models, and the words that both directions share. Pure: no I/O.

Measurement, Run, State and Check are validated here, once, at the edge. Fields that we do not know
are kept, not refused: see `attributes_of`. What the service says is in broker/answers.py.
"""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    TypeAdapter,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from broker.topics import ID_PATTERN

MEASUREMENTS_MAX: Final = 5_000
ELEMENTS_MAX: Final = 5_000
INGEST_ELEMENTS_MAX: Final = 1_000
MESSAGE_ID_CHARS_MAX: Final = 128


class Outcome(StrEnum):
    """Our verdict on a measurement or a run."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    ERROR = "ERROR"
    UNJUDGED = "UNJUDGED"


class ReportedOutcome(StrEnum):
    """What the machine itself said; kept apart from ours, never overwritten."""

    PASS = "PASS"  # noqa: S105
    FAIL = "FAIL"
    ERROR = "ERROR"
    ABORTED = "ABORTED"


class Comparator(StrEnum):
    """How a value is compared with its limits, with NI TestStand's meaning.

    Source: NI TestStand's comparison types; docs/glossary.md says each in words.
    """

    EQ = "EQ"
    NE = "NE"
    GT = "GT"
    GE = "GE"
    LT = "LT"
    LE = "LE"
    GTLT = "GTLT"
    GELE = "GELE"
    GELT = "GELT"
    GTLE = "GTLE"
    LTGT = "LTGT"
    LEGE = "LEGE"
    LEGT = "LEGT"
    LTGE = "LTGE"
    LOG = "LOG"
    EQT = "EQT"
    REGEX = "REGEX"
    IN = "IN"
    CASESENSIT = "CASESENSIT"
    IGNORECASE = "IGNORECASE"


class RejectionCode(StrEnum):
    """Why a message could not be understood."""

    NOT_JSON = "not_json"
    NOT_UTF8 = "not_utf8"
    SCHEMA = "schema"
    TOO_LARGE = "too_large"
    BAD_TOPIC = "bad_topic"
    MACHINE_MISMATCH = "machine_mismatch"
    CONFLICTING_DUPLICATE = "conflicting_duplicate"
    NOT_STORABLE = "not_storable"


class Severity(StrEnum):
    """How much a failure matters."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"


class AlertState(StrEnum):
    """What became of an alert."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SHELVED = "shelved"
    CLOSED = "closed"


_TIME_CHARS_MAX: Final = 40
_ISO_8601 = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?(Z|z|[+-]\d\d(:?\d\d)?)?"
).fullmatch


def parse_time(value: object) -> datetime:
    """Parse an ISO 8601 date and time; naive where it carries no offset.

    Digits beyond microseconds are cut.

    Raises:
        PydanticCustomError: It is not text, not ISO 8601, or not a date that exists.
    """
    if isinstance(value, datetime):
        return value
    if isinstance(value, str) and len(value) <= _TIME_CHARS_MAX and _ISO_8601(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    raise PydanticCustomError(
        "timestamp", "not an ISO 8601 date and time such as 2026-11-23T10:00:00Z"
    )


def format_time(moment: datetime) -> str:
    """Format an aware time as UTC with Z, microseconds only where there are some."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


Timestamp: TypeAlias = Annotated[
    datetime,
    PlainValidator(parse_time),
    PlainSerializer(
        lambda moment: format_time(moment) if moment.tzinfo else moment.isoformat(),
        return_type=str,
        when_used="json",
    ),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "description": "ISO 8601, best with an offset"}
    ),
]
_NO_CONTROLS = "^[^\u0000-\u001f\u007f-\u009f]+$"
Text128: TypeAlias = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=128, pattern=_NO_CONTROLS)
]
MessageId: TypeAlias = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=MESSAGE_ID_CHARS_MAX)
]
TopicId: TypeAlias = Annotated[
    str, StringConstraints(strict=True, pattern=f"^{ID_PATTERN}$", max_length=64)
]
Text: TypeAlias = Annotated[str, Field(strict=True, max_length=1024)]
Number: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Truth: TypeAlias = Annotated[bool, Field(strict=True)]
AnyText: TypeAlias = Annotated[str, Field(strict=True)]
Value: TypeAlias = Number | Truth | AnyText | None
Nominal: TypeAlias = Number | Truth | AnyText | tuple[Number | Truth | AnyText, ...] | None
Count: TypeAlias = Annotated[int, Field(strict=True, ge=0)]


class _Incoming(BaseModel):
    """What a machine sends: fields that we do not know are kept, see `attributes_of`."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)


class Sequence(_Incoming):
    """The sender's own count of its messages; the service lists gaps."""

    epoch: Text = Field(description="Changes when the sender starts counting anew.")
    seq: Count = Field(description="One more with each message.")


class Source(_Incoming):
    """Where in a log file the result stood."""

    file: Text = Field(description="Base name of the file.")
    byte_start: Count | None = Field(default=None, description="First byte of the record.")
    byte_end: Count | None = Field(default=None, description="One past its last byte.")


class Panel(_Incoming):
    """The panel that the unit is a part of."""

    id: Text | None = Field(default=None, description="Barcode of the panel.")
    position: Annotated[int, Field(strict=True)] | Text | None = Field(
        default=None, description="As the tester prints it."
    )


class _Described(_Incoming):
    """The fields that describe one value: the same on a flat measurement and inside a run."""

    test_step: Text128 = Field(description="What was measured.")
    measured_value: Value = Field(description="A number, text, boolean or null (no value).")
    unit: Text | None = Field(default=None, description="Unit of measure of the value.")
    low: Number | None = Field(default=None, description="Low limit, in limit_unit.")
    high: Number | None = Field(default=None, description="High limit, in limit_unit.")
    nominal: Nominal = Field(default=None, description="Expected value; for IN a list.")
    comparator: Comparator | None = Field(default=None, description="How to compare.")
    limit_unit: Text | None = Field(default=None, description="Unit of the limits, if another.")
    tolerance: Number | None = Field(default=None, description="For EQT: absolute, limit_unit.")
    tolerance_percent: Number | None = Field(default=None, description="For EQT: percent.")
    tolerance_ppm: Number | None = Field(default=None, description="For EQT: parts per million.")
    reported_outcome: ReportedOutcome | None = Field(
        default=None, description="What the machine said of this value."
    )
    attributes: dict[str, Any] | None = Field(default=None, description="Anything else.")


class _Sent(_Incoming):
    """The fields that every test message may carry about its sender and itself."""

    barcode: Text128 = Field(description="Serial number of the unit.")
    product_id: Text128 = Field(description="What the unit is.")
    machine_id: TopicId | None = Field(default=None, description="Else from the topic.")
    operator: Text | None = Field(default=None, description="Who ran the test.")
    fixture: Text | None = Field(default=None, description="What held the unit.")
    message_id: MessageId | None = Field(
        default=None, description="Unique per machine; asks for a receipt. Else the content's hash."
    )
    sequence: Sequence | None = Field(default=None, description="The sender's count.")
    source: Source | None = Field(default=None, description="Where in a log file it stood.")


class Measurement(_Sent, _Described):
    """One measured value on one unit, flat: what a PLC sends."""

    timestamp: Timestamp = Field(description="When it was measured.")
    procedure: Text128 | None = Field(default=None, description="Else its test_step.")


class RunMeasurement(_Described):
    """One measured value inside a run."""


class Run(_Sent):
    """One execution of a procedure on a unit, with its measurements in test order."""

    procedure: Text128 = Field(description="The test operation, such as ICT or FCT.")
    started_at: Timestamp = Field(description="Start of the run.")
    ended_at: Timestamp | None = Field(default=None, description="End of the run.")
    reported_outcome: ReportedOutcome | None = Field(
        default=None, description="What the machine said of the run."
    )
    panel: Panel | None = Field(default=None, description="The panel it is a part of.")
    program: Text | None = Field(default=None, description="Name of the test program.")
    program_version: Text | None = Field(default=None, description="Its version.")
    attributes: dict[str, Any] | None = Field(default=None, description="Anything else.")
    measurements: tuple[RunMeasurement, ...] = Field(
        min_length=1, max_length=MEASUREMENTS_MAX, description="In the order of the test."
    )


def attributes_of(message: Measurement | Run | RunMeasurement) -> dict[str, Any] | None:
    """Return what the message carries beside the contract's fields; None if nothing.

    An unknown field and an entry of `attributes` of the same name: the entry stays.
    """
    extra = message.model_extra
    if not extra:
        return message.attributes or None
    return {**extra, **(message.attributes or {})}


class State(_Incoming):
    """A machine's or agent's own word on itself: birth, heartbeat, last will. Retained."""

    status: Literal["online", "offline"] = Field(description="The last will says offline.")
    at: Timestamp = Field(description="When it was said.")
    session: Text | None = Field(default=None, description="Changes with each start.")
    agent: dict[str, Any] | None = Field(
        default=None, description="Spool depth, lag, version and last error of an agent."
    )


class Check(_Incoming):
    """A machine's question: may this unit be run here?"""

    request_id: MessageId = Field(description="Comes back in the verdict.")
    barcode: Text128 = Field(description="Serial number of the unit.")
    product_id: Text128 = Field(description="What the unit is.")
    procedure: Text128 = Field(description="What is about to be run.")


MEASUREMENT: Final = TypeAdapter(Measurement)
RUN: Final = TypeAdapter(Run)
