"""How the service itself fares: books, rejections, answers not yet sent."""

from sqlalchemy import Column, Index, Integer, LargeBinary, Text
from sqlmodel import Field, SQLModel

from service.store.tables.columns import Big, big_column


class MachineRow(SQLModel, table=True):
    """A machine as last seen, and its books: received = stored + rejected + duplicates."""

    __tablename__ = "machine"

    machine: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    line: int
    last_run_id: int | None = Field(sa_column=big_column(null=True))
    last_received_us: int = Field(sa_column=big_column())
    received: int = Field(sa_column=big_column())
    stored: int = Field(sa_column=big_column())
    rejected: int = Field(sa_column=big_column())
    duplicates: int = Field(sa_column=big_column())


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
    received_us: int = Field(sa_column=big_column())
    repeats: int
    payload: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class OutboxRow(SQLModel, table=True):
    """The answers of one committed batch, until the broker has confirmed them all."""

    __tablename__ = "outbox"

    id: int = Field(sa_column=Column(Big, primary_key=True))
    service: str
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class ServiceRow(SQLModel, table=True):
    """What a service process last said of itself, for the web app's /readyz and status line."""

    __tablename__ = "service"

    service: str = Field(primary_key=True)
    reported_us: int = Field(sa_column=big_column())
    facts: str = Field(sa_column=Column(Text, nullable=False))
