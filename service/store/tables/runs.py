"""Judged runs with their measurements, and the bytes they came in."""

from sqlalchemy import Column, Index, LargeBinary, Text, false, text
from sqlmodel import Field, SQLModel

from service.store.tables.columns import (
    IN_KEY_ORDER,
    Big,
    big_column,
    id_column,
    index_of,
    small_column,
)


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
        index_of("run_that_disagrees", "started_us", "id", where="agrees IS false"),
        index_of("run_of_golden", "started_us", "id", where="is_golden IS true"),
        index_of(
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
    unit_id: int = Field(sa_column=big_column())
    product: int
    procedure: int
    started_us: int = Field(sa_column=big_column())
    ended_us: int | None = Field(sa_column=big_column(null=True))
    received_us: int = Field(sa_column=big_column())
    outcome: int = Field(sa_column=small_column())
    reported: int | None = Field(sa_column=small_column(null=True))
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
    source_start: int | None = Field(sa_column=big_column(null=True))
    source_end: int | None = Field(sa_column=big_column(null=True))
    sequence_epoch: str | None
    sequence_seq: int | None = Field(sa_column=big_column(null=True))
    attributes: str | None = Field(sa_column=Column(Text, nullable=True))
    raw_id: int = Field(sa_column=big_column())
    element: int | None
    is_golden: bool = Field(sa_column_kwargs={"server_default": false()})


class MeasurementRow(SQLModel, table=True):
    """One judged value. `value_kind` says which of number and text holds it.

    `low`, `high` and `nominal` (JSON) are what it was compared with.
    """

    __tablename__ = "measurement"
    __table_args__ = (
        index_of("measurement_that_disagrees", "run_id", where="agrees IS false"),
        IN_KEY_ORDER,
    )

    run_id: int = Field(sa_column=id_column())
    position: int = Field(primary_key=True)
    step: int
    value_kind: int = Field(sa_column=small_column())
    number: float | None
    text: str | None
    measure_unit: int | None
    outcome: int = Field(sa_column=small_column())
    reported: int | None = Field(sa_column=small_column(null=True))
    agrees: bool | None
    comparator: int | None = Field(sa_column=small_column(null=True))
    low: float | None
    high: float | None
    nominal: str | None
    rule: int | None
    reason: str | None
    marginal: bool
    attributes: str | None = Field(sa_column=Column(Text, nullable=True))
