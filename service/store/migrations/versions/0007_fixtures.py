"""Fixture and operator of a unit's first run, so that yields by them need not look at runs."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | Sequence[str] | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the schema to this version."""
    with op.batch_alter_table("unit_state") as batch:
        batch.add_column(sa.Column("fixture", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("operator", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE unit_state SET fixture = run.fixture, operator = run.operator FROM run"
        " WHERE run.id = unit_state.first_run_id"
        " AND (run.fixture IS NOT NULL OR run.operator IS NOT NULL)"
    )


def downgrade() -> None:
    """Take this version back."""
    with op.batch_alter_table("unit_state") as batch:
        batch.drop_column("operator")
        batch.drop_column("fixture")
