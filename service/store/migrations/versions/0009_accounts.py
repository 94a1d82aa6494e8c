"""Users who log in, and tokens."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | Sequence[str] | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Bring the schema to this version."""
    op.create_table(
        "user_account",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("sessions", sa.Integer(), nullable=False),
        sa.Column("created_us", BIG, nullable=False),
        sa.Column("disabled_us", BIG, nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "api_token",
        sa.Column("id", BIG, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("created_us", BIG, nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("expires_us", BIG, nullable=False),
        sa.Column("last_used_us", BIG, nullable=True),
        sa.Column("revoked_us", BIG, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("api_token_by_hash", "api_token", ["token_hash"], unique=True)
    living = sa.text("revoked_us IS NULL")
    op.create_index(
        "api_token_living",
        "api_token",
        ["name"],
        unique=True,
        sqlite_where=living,
        postgresql_where=living,
    )


def downgrade() -> None:
    """Take this version back."""
    op.drop_table("api_token")
    op.drop_table("user_account")
