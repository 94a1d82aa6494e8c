"""Indexes to delete old runs by: the runs of a unit in order, and those that share a message."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | Sequence[str] | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_OF_ARRAY = sa.text("element IS NOT NULL")


def upgrade() -> None:
    """Bring the schema to this version."""
    op.drop_index("run_by_unit", table_name="run")
    op.create_index("run_by_unit", "run", ["unit_id", "procedure", "started_us"])
    op.create_index(
        "run_by_array", "run", ["raw_id"], sqlite_where=_OF_ARRAY, postgresql_where=_OF_ARRAY
    )


def downgrade() -> None:
    """Take this version back."""
    op.drop_index("run_by_array", table_name="run")
    op.drop_index("run_by_unit", table_name="run")
    op.create_index("run_by_unit", "run", ["unit_id"])
