"""What was tested, and what became of it."""

from sqlalchemy import Column, Index, false
from sqlmodel import Field, SQLModel

from service.store.tables.columns import (
    IN_KEY_ORDER,
    Big,
    big_column,
    id_column,
    index_of,
    small_column,
)


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
        index_of("unit_state_further", "first_started_us", where="is_further IS true"),
        IN_KEY_ORDER,
    )

    unit_id: int = Field(sa_column=id_column())
    procedure: int = Field(primary_key=True)
    product: int
    machine: int
    line: int
    first_run_id: int = Field(sa_column=big_column())
    first_started_us: int = Field(sa_column=big_column())
    first_outcome: int = Field(sa_column=small_column())
    last_run_id: int = Field(sa_column=big_column())
    last_started_us: int = Field(sa_column=big_column())
    last_outcome: int = Field(sa_column=small_column())
    runs: int
    second_run_id: int | None = Field(sa_column=big_column(null=True))
    second_started_us: int | None = Field(sa_column=big_column(null=True))
    second_outcome: int | None = Field(sa_column=small_column(null=True))
    is_golden: bool = Field(sa_column_kwargs={"server_default": false()})
    fixture: int | None
    operator: int | None
    is_further: bool = Field(sa_column_kwargs={"server_default": false()})
