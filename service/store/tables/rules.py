"""The plant's rules: the rulebook's versions, and those that judge in the shadow."""

from sqlalchemy import Column, Integer, Text
from sqlmodel import Field, SQLModel

from service.store.tables.columns import IN_KEY_ORDER, big_column, id_column, small_column


class RulebookRow(SQLModel, table=True):
    """One immutable rulebook version; the highest is the active one."""

    __tablename__ = "rulebook"

    version: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    body: str = Field(sa_column=Column(Text, nullable=False))
    author: str
    reason: str
    created_us: int = Field(sa_column=big_column())


class ShadowRow(SQLModel, table=True):
    """A rulebook that judged live runs beside the active one, without any effect.

    The one that is not stopped runs; `judged` and `differed` count its runs.
    """

    __tablename__ = "shadow"

    id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    body: str = Field(sa_column=Column(Text, nullable=False))
    author: str
    reason: str
    started_us: int = Field(sa_column=big_column())
    stopped_us: int | None = Field(sa_column=big_column(null=True))
    judged: int = Field(sa_column=big_column())
    differed: int = Field(sa_column=big_column())


class ShadowVerdictRow(SQLModel, table=True):
    """A run on which a shadow rulebook and the active one differ, and the shadow's verdict."""

    __tablename__ = "shadow_verdict"
    __table_args__ = (IN_KEY_ORDER,)

    shadow_id: int = Field(primary_key=True)
    run_id: int = Field(sa_column=id_column())
    outcome: int = Field(sa_column=small_column())
    first_failure: int | None
