"""Alerts and their history."""

from sqlalchemy import Column, Index, text
from sqlmodel import Field, SQLModel

from service.store.tables.columns import Big, big_column


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
    opened_us: int = Field(sa_column=big_column())
    acknowledged_us: int | None = Field(sa_column=big_column(null=True))
    acknowledged_by: str | None
    shelved_until_us: int | None = Field(sa_column=big_column(null=True))
    closed_us: int | None = Field(sa_column=big_column(null=True))
    version: int
    published_version: int
    notify_at_us: int | None = Field(sa_column=big_column(null=True))
    notify_attempts: int


class AlertEventRow(SQLModel, table=True):
    """One line of an alert's history."""

    __tablename__ = "alert_event"
    __table_args__ = (Index("alert_event_by_alert", "alert_id", "id"),)

    id: int = Field(sa_column=Column(Big, primary_key=True))
    alert_id: int = Field(sa_column=big_column())
    at_us: int = Field(sa_column=big_column())
    action: str
    actor: str
    note: str
