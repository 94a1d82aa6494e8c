"""Alerts and their history; rejections by time."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | Sequence[str] | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Bring the schema to this version."""
    op.create_table(
        "alert",
        sa.Column("id", BIG, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        *(
            sa.Column(name, sa.String(), nullable=True)
            for name in ("machine", "line", "product", "procedure", "step", "barcode")
        ),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("opened_us", BIG, nullable=False),
        sa.Column("acknowledged_us", BIG, nullable=True),
        sa.Column("acknowledged_by", sa.String(), nullable=True),
        sa.Column("shelved_until_us", BIG, nullable=True),
        sa.Column("closed_us", BIG, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("published_version", sa.Integer(), nullable=False),
        sa.Column("notify_at_us", BIG, nullable=True),
        sa.Column("notify_attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "alert_event",
        sa.Column("id", BIG, nullable=False),
        sa.Column("alert_id", BIG, nullable=False),
        sa.Column("at_us", BIG, nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    _index("alert_living", ["key"], "closed_us IS NULL", unique=True)
    _index("alert_unpublished", ["id"], "published_version < version")
    _index("alert_unnotified", ["id"], "notify_at_us IS NOT NULL")
    op.create_index("alert_by_opened", "alert", ["opened_us", "id"])
    op.create_index("alert_event_by_alert", "alert_event", ["alert_id", "id"])
    op.create_index("rejection_by_time", "rejection", ["received_us", "id"])


def downgrade() -> None:
    """Take this version back."""
    op.drop_index("rejection_by_time", table_name="rejection")
    op.drop_table("alert_event")
    op.drop_table("alert")


def _index(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    """Index only the few rows that are looked for all the time."""
    condition = sa.text(where)
    op.create_index(
        name,
        "alert",
        columns,
        unique=unique,
        sqlite_where=condition,
        postgresql_where=condition,
    )
