"""An index of first failures, so that the runs behind one are found without reading all runs."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | Sequence[str] | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NAME = "run_by_first_failure"
CONDITION = "first_failure IS NOT NULL"


def upgrade() -> None:
    """Bring the schema to this version."""
    op.create_index(
        NAME,
        "run",
        ["first_failure", "started_us", "id"],
        sqlite_where=sa.text(CONDITION),
        postgresql_where=sa.text(CONDITION),
    )


def downgrade() -> None:
    """Take this version back."""
    op.drop_index(NAME, "run")
