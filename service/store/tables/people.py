"""Who may do what, and who did it."""

from sqlalchemy import Column, Index, LargeBinary, Text, text
from sqlmodel import Field, SQLModel

from service.store.tables.columns import Big, big_column, id_column


class UserAccountRow(SQLModel, table=True):
    """A person who may log in. `sessions` rises whenever all logins of the user end."""

    __tablename__ = "user_account"

    name: str = Field(primary_key=True)
    role: str
    password_hash: str
    sessions: int
    created_us: int = Field(sa_column=big_column())
    disabled_us: int | None = Field(sa_column=big_column(null=True))


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
    created_us: int = Field(sa_column=big_column())
    created_by: str
    expires_us: int = Field(sa_column=big_column())
    last_used_us: int | None = Field(sa_column=big_column(null=True))
    revoked_us: int | None = Field(sa_column=big_column(null=True))


class AuditRow(SQLModel, table=True):
    """Who changed what, when and why. The database refuses to change or delete a row.

    `chain` is a hash of this row and the chain of the row before: a gap or a forgery shows.
    """

    __tablename__ = "audit"

    id: int = Field(sa_column=id_column())
    at_us: int = Field(sa_column=big_column())
    actor: str
    action: str
    subject: str
    reason: str
    details: str = Field(sa_column=Column(Text, nullable=False))
    chain: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
