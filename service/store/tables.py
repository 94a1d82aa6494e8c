"""The tables. Rows are dumb: filled from judged messages only, and they never leave this package.

Names (machines, lines, products, procedures, steps …) are small integers in the big tables, with
their text once in `name`. Times are microseconds since 1970 UTC: both databases order and compare
them alike, and a row stays short. What an enum holds is stored as its code in `codes.py`.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    false,
    text,
)
from sqlalchemy.types import TypeEngine
from sqlmodel import Field, SQLModel

Big: TypeEngine[int] = BigInteger().with_variant(Integer, "sqlite")
"""64 bits on both: SQLite's INTEGER has them, and only INTEGER can be its row id."""

_IN_KEY_ORDER: Final = {"sqlite_with_rowid": False}
"""SQLite keeps such a table in the order of its key, without a second tree of row ids."""


def _id() -> Column[int]:
    return Column(Big, primary_key=True, autoincrement=False)


def _big(*, null: bool = False, default: str | None = None) -> Column[int]:
    return Column(Big, nullable=null, server_default=default)


def _index_of(name: str, *columns: str, where: str) -> Index:
    """Return an index of the rows for which `where` holds, in the words of PostgreSQL.

    Where they are rare it costs nothing to keep, and little to read.
    """
    in_sqlite = where.replace("true", "1").replace("false", "0")
    return Index(name, *columns, sqlite_where=text(in_sqlite), postgresql_where=text(where))


def _small(*, null: bool = False) -> Column[int]:
    return Column(SmallInteger, nullable=null)


class NameRow(SQLModel, table=True):
    """The text of an integer key. `kind` is a `codes.NameKind`."""

    __tablename__ = "name"
    __table_args__ = (Index("name_by_text", "kind", "text", unique=True),)

    id: int = Field(sa_column=Column(Integer, primary_key=True))
    kind: int = Field(sa_column=_small())
    text: str


class MachineRow(SQLModel, table=True):
    """A machine as last seen, and its books: received = stored + rejected + duplicates."""

    __tablename__ = "machine"

    machine: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    line: int
    last_run_id: int | None = Field(sa_column=_big(null=True))
    last_received_us: int = Field(sa_column=_big())
    received: int = Field(sa_column=_big())
    stored: int = Field(sa_column=_big())
    rejected: int = Field(sa_column=_big())
    duplicates: int = Field(sa_column=_big())


class UnitRow(SQLModel, table=True):
    """One thing tested."""

    __tablename__ = "unit"
    __table_args__ = (Index("unit_by_barcode", "barcode", "product", unique=True),)

    id: int = Field(sa_column=Column(Big, primary_key=True))
    barcode: str
    product: int


class UnitStateRow(SQLModel, table=True):
    """What became of a unit at one procedure: its first, second and last run, by start time.

    A unit counts in the period, machine, line, fixture and operator of its first run; a golden
    sample nowhere. `is_further`: the unit was at another procedure when it came to this one. Of a
    unit that is at several, all states but one are such.
    """

    __tablename__ = "unit_state"
    __table_args__ = (
        Index("unit_state_by_first", "first_started_us"),
        _index_of("unit_state_further", "first_started_us", where="is_further IS true"),
        _IN_KEY_ORDER,
    )

    unit_id: int = Field(sa_column=_id())
    procedure: int = Field(primary_key=True)
    product: int
    machine: int
    line: int
    first_run_id: int = Field(sa_column=_big())
    first_started_us: int = Field(sa_column=_big())
    first_outcome: int = Field(sa_column=_small())
    last_run_id: int = Field(sa_column=_big())
    last_started_us: int = Field(sa_column=_big())
    last_outcome: int = Field(sa_column=_small())
    runs: int
    second_run_id: int | None = Field(sa_column=_big(null=True))
    second_started_us: int | None = Field(sa_column=_big(null=True))
    second_outcome: int | None = Field(sa_column=_small(null=True))
    is_golden: bool = Field(sa_column_kwargs={"server_default": false()})
    fixture: int | None
    operator: int | None
    is_further: bool = Field(sa_column_kwargs={"server_default": false()})


class RawMessageRow(SQLModel, table=True):
    """The bytes of a message as they arrived; several runs share one that was an array."""

    __tablename__ = "raw_message"

    id: int = Field(sa_column=Column(Big, primary_key=True))
    topic: int
    is_compressed: bool
    payload: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class RunRow(SQLModel, table=True):
    """One judged run. The key that makes storing exactly-once is (machine, message_id)."""

    __tablename__ = "run"
    __table_args__ = (
        Index("run_by_message", "machine", "message_id", unique=True),
        Index("run_by_start", "started_us", "id"),
        Index("run_by_machine", "machine", "started_us"),
        Index("run_by_unit", "unit_id", "procedure", "started_us"),
        _index_of("run_that_disagrees", "started_us", "id", where="agrees IS false"),
        _index_of("run_of_golden", "started_us", "id", where="is_golden IS true"),
        _index_of(
            "run_by_first_failure",
            "first_failure",
            "started_us",
            "id",
            where="first_failure IS NOT NULL",
        ),
        # Who shares a message: only elements of an array do.
        Index(
            "run_by_array",
            "raw_id",
            sqlite_where=text("element IS NOT NULL"),
            postgresql_where=text("element IS NOT NULL"),
        ),
    )

    id: int = Field(sa_column=Column(Big, primary_key=True))
    machine: int
    message_id: str
    content_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    line: int
    unit_id: int = Field(sa_column=_big())
    product: int
    procedure: int
    started_us: int = Field(sa_column=_big())
    ended_us: int | None = Field(sa_column=_big(null=True))
    received_us: int = Field(sa_column=_big())
    outcome: int = Field(sa_column=_small())
    reported: int | None = Field(sa_column=_small(null=True))
    agrees: bool | None
    attempt: int
    first_failure: int | None
    rulebook_version: int
    clock_suspect: bool
    passed: int
    failed: int
    errors: int
    unjudged: int
    fixture: int | None
    operator: int | None
    program: int | None
    program_version: str | None
    panel_id: str | None
    panel_position: str | None
    source_file: str | None
    source_start: int | None = Field(sa_column=_big(null=True))
    source_end: int | None = Field(sa_column=_big(null=True))
    sequence_epoch: str | None
    sequence_seq: int | None = Field(sa_column=_big(null=True))
    attributes: str | None = Field(sa_column=Column(Text, nullable=True))
    raw_id: int = Field(sa_column=_big())
    element: int | None
    is_golden: bool = Field(sa_column_kwargs={"server_default": false()})


class MeasurementRow(SQLModel, table=True):
    """One judged value. `value_kind` says which of number and text holds it.

    `low`, `high` and `nominal` (JSON) are what it was compared with.
    """

    __tablename__ = "measurement"
    __table_args__ = (
        _index_of("measurement_that_disagrees", "run_id", where="agrees IS false"),
        _IN_KEY_ORDER,
    )

    run_id: int = Field(sa_column=_id())
    position: int = Field(primary_key=True)
    step: int
    value_kind: int = Field(sa_column=_small())
    number: float | None
    text: str | None
    measure_unit: int | None
    outcome: int = Field(sa_column=_small())
    reported: int | None = Field(sa_column=_small(null=True))
    agrees: bool | None
    comparator: int | None = Field(sa_column=_small(null=True))
    low: float | None
    high: float | None
    nominal: str | None
    rule: int | None
    reason: str | None
    marginal: bool
    attributes: str | None = Field(sa_column=Column(Text, nullable=True))


class RunHourRow(SQLModel, table=True):
    """Runs per hour of their start, by outcome: what dashboards add up instead of scanning runs.

    `late` counts those that came more than an hour after their hour was over: they corrected what
    was shown before. `measured_passed` and `measured_failed` count their measurements with that
    outcome. `repeating` counts those that measured a step more than once: without any, as many
    measurements of a step are as many runs that hold it. Golden samples are not in it, nor in the
    other roll-ups.
    """

    __tablename__ = "run_hour"
    __table_args__ = (_IN_KEY_ORDER,)

    hour: int = Field(primary_key=True)
    machine: int = Field(primary_key=True)
    line: int = Field(primary_key=True)
    product: int = Field(primary_key=True)
    procedure: int = Field(primary_key=True)
    passed: int
    failed: int
    errors: int
    unjudged: int
    late: int = Field(sa_column_kwargs={"server_default": "0"})
    last_late_us: int | None = Field(sa_column=_big(null=True))
    measured_passed: int = Field(sa_column=_big(default="0"))
    measured_failed: int = Field(sa_column=_big(default="0"))
    repeating: int = Field(sa_column_kwargs={"server_default": "0"})


class UnitHourRow(SQLModel, table=True):
    """Units per hour of their first run at a procedure, by what became of them.

    `second_passed`: good at the first or the second run. `runs`: all of theirs, whenever.
    """

    __tablename__ = "unit_hour"
    __table_args__ = (_IN_KEY_ORDER,)

    hour: int = Field(primary_key=True)
    machine: int = Field(primary_key=True)
    line: int = Field(primary_key=True)
    product: int = Field(primary_key=True)
    procedure: int = Field(primary_key=True)
    units: int
    first_passed: int
    second_passed: int
    last_passed: int
    retested: int
    runs: int


class RunHourDetailRow(SQLModel, table=True):
    """As `run_hour`, by fixture and operator as well, 0 for none.

    Only of runs that name one of them, and of those that came late. Most questions do not want to
    know, and a machine that sends neither costs nothing here.
    """

    __tablename__ = "run_hour_detail"
    __table_args__ = (_IN_KEY_ORDER,)

    hour: int = Field(primary_key=True)
    machine: int = Field(primary_key=True)
    line: int = Field(primary_key=True)
    product: int = Field(primary_key=True)
    procedure: int = Field(primary_key=True)
    fixture: int = Field(primary_key=True)
    operator: int = Field(primary_key=True)
    passed: int
    failed: int
    errors: int
    unjudged: int
    late: int
    last_late_us: int | None = Field(sa_column=_big(null=True))
    measured_passed: int = Field(sa_column=_big())
    measured_failed: int = Field(sa_column=_big())


class UnitHourDetailRow(SQLModel, table=True):
    """As `unit_hour`, by fixture and operator of the first run as well, 0 for none.

    Only of units whose first run names one of them.
    """

    __tablename__ = "unit_hour_detail"
    __table_args__ = (_IN_KEY_ORDER,)

    hour: int = Field(primary_key=True)
    machine: int = Field(primary_key=True)
    line: int = Field(primary_key=True)
    product: int = Field(primary_key=True)
    procedure: int = Field(primary_key=True)
    fixture: int = Field(primary_key=True)
    operator: int = Field(primary_key=True)
    units: int
    first_passed: int
    second_passed: int
    last_passed: int
    retested: int
    runs: int


class StepHourRow(SQLModel, table=True):
    """Measurements of one step and unit of measure per hour: outcomes, mean and squares.

    `measure_unit` is 0 where the machine sent none. Rows of two units never merge unconverted.

    A required step that was missing has its first failures here and no measurement.

    `squares` is the sum of squared deviations from `mean` (Chan, Golub, LeVeque 1983): unlike a
    plain sum of squares it keeps its digits when the spread is small beside the value.
    """

    __tablename__ = "step_hour"
    __table_args__ = (
        Index("step_hour_by_step", "step", "hour"),
        _index_of("step_hour_that_fails", "hour", where="failed > 0 OR first_failures > 0"),
        _IN_KEY_ORDER,
    )

    hour: int = Field(primary_key=True)
    machine: int = Field(primary_key=True)
    line: int = Field(primary_key=True)
    product: int = Field(primary_key=True)
    procedure: int = Field(primary_key=True)
    step: int = Field(primary_key=True)
    measure_unit: int = Field(primary_key=True)
    passed: int
    failed: int
    errors: int
    unjudged: int
    first_failures: int
    value_count: int
    mean: float
    squares: float
    least: float | None
    greatest: float | None


class RejectionRow(SQLModel, table=True):
    """A message that could not be understood, with its bytes. A repeat counts, and adds no row."""

    __tablename__ = "rejection"
    __table_args__ = (
        Index("rejection_by_content", "content_hash", unique=True),
        Index("rejection_by_time", "received_us", "id"),
    )

    id: int = Field(sa_column=Column(Big, primary_key=True))
    content_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    topic: str
    machine: int | None
    message_id: str | None
    code: str
    reason: str
    element: int | None
    received_us: int = Field(sa_column=_big())
    repeats: int
    payload: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class OutboxRow(SQLModel, table=True):
    """The answers of one committed batch, until the broker has confirmed them all."""

    __tablename__ = "outbox"

    id: int = Field(sa_column=Column(Big, primary_key=True))
    service: str
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class RulebookRow(SQLModel, table=True):
    """One immutable rulebook version; the highest is the active one."""

    __tablename__ = "rulebook"

    version: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    body: str = Field(sa_column=Column(Text, nullable=False))
    author: str
    reason: str
    created_us: int = Field(sa_column=_big())


class ShadowRow(SQLModel, table=True):
    """A rulebook that judged live runs beside the active one, without any effect.

    The one that is not stopped runs; `judged` and `differed` count its runs.
    """

    __tablename__ = "shadow"

    id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    body: str = Field(sa_column=Column(Text, nullable=False))
    author: str
    reason: str
    started_us: int = Field(sa_column=_big())
    stopped_us: int | None = Field(sa_column=_big(null=True))
    judged: int = Field(sa_column=_big())
    differed: int = Field(sa_column=_big())


class ShadowVerdictRow(SQLModel, table=True):
    """A run on which a shadow rulebook and the active one differ, and the shadow's verdict."""

    __tablename__ = "shadow_verdict"
    __table_args__ = (_IN_KEY_ORDER,)

    shadow_id: int = Field(primary_key=True)
    run_id: int = Field(sa_column=_id())
    outcome: int = Field(sa_column=_small())
    first_failure: int | None


class AuditRow(SQLModel, table=True):
    """Who changed what, when and why. The database refuses to change or delete a row.

    `chain` is a hash of this row and the chain of the row before: a gap or a forgery shows.
    """

    __tablename__ = "audit"

    id: int = Field(sa_column=_id())
    at_us: int = Field(sa_column=_big())
    actor: str
    action: str
    subject: str
    reason: str
    details: str = Field(sa_column=Column(Text, nullable=False))
    chain: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class AlertRow(SQLModel, table=True):
    """One alert. `key` is the trouble: at most one that is not closed has it.

    `version` rises with every change; `published_version` is the one the broker has confirmed.
    """

    __tablename__ = "alert"
    __table_args__ = (
        Index(
            "alert_living",
            "key",
            unique=True,
            sqlite_where=text("closed_us IS NULL"),
            postgresql_where=text("closed_us IS NULL"),
        ),
        Index(
            "alert_unpublished",
            "id",
            sqlite_where=text("published_version < version"),
            postgresql_where=text("published_version < version"),
        ),
        Index(
            "alert_unnotified",
            "id",
            sqlite_where=text("notify_at_us IS NOT NULL"),
            postgresql_where=text("notify_at_us IS NOT NULL"),
        ),
        Index("alert_by_opened", "opened_us", "id"),
    )

    id: int = Field(sa_column=Column(Big, primary_key=True))
    key: str
    kind: str
    severity: str
    machine: str | None
    line: str | None
    product: str | None
    procedure: str | None
    step: str | None
    barcode: str | None
    topic: str
    message: str
    evidence: str
    state: str
    opened_us: int = Field(sa_column=_big())
    acknowledged_us: int | None = Field(sa_column=_big(null=True))
    acknowledged_by: str | None
    shelved_until_us: int | None = Field(sa_column=_big(null=True))
    closed_us: int | None = Field(sa_column=_big(null=True))
    version: int
    published_version: int
    notify_at_us: int | None = Field(sa_column=_big(null=True))
    notify_attempts: int


class AlertEventRow(SQLModel, table=True):
    """One line of an alert's history."""

    __tablename__ = "alert_event"
    __table_args__ = (Index("alert_event_by_alert", "alert_id", "id"),)

    id: int = Field(sa_column=Column(Big, primary_key=True))
    alert_id: int = Field(sa_column=_big())
    at_us: int = Field(sa_column=_big())
    action: str
    actor: str
    note: str


class UserAccountRow(SQLModel, table=True):
    """A person who may log in. `sessions` rises whenever all logins of the user end."""

    __tablename__ = "user_account"

    name: str = Field(primary_key=True)
    role: str
    password_hash: str
    sessions: int
    created_us: int = Field(sa_column=_big())
    disabled_us: int | None = Field(sa_column=_big(null=True))


class ApiTokenRow(SQLModel, table=True):
    """What is kept of a token; its own bits are not."""

    __tablename__ = "api_token"
    __table_args__ = (
        Index("api_token_by_hash", "token_hash", unique=True),
        Index(
            "api_token_living",
            "name",
            unique=True,
            sqlite_where=text("revoked_us IS NULL"),
            postgresql_where=text("revoked_us IS NULL"),
        ),
    )

    id: int = Field(sa_column=Column(Big, primary_key=True))
    name: str
    token_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    scope: str
    created_us: int = Field(sa_column=_big())
    created_by: str
    expires_us: int = Field(sa_column=_big())
    last_used_us: int | None = Field(sa_column=_big(null=True))
    revoked_us: int | None = Field(sa_column=_big(null=True))


class ServiceRow(SQLModel, table=True):
    """What a service process last said of itself, for the web app's /readyz and status line."""

    __tablename__ = "service"

    service: str = Field(primary_key=True)
    reported_us: int = Field(sa_column=_big())
    facts: str = Field(sa_column=Column(Text, nullable=False))
