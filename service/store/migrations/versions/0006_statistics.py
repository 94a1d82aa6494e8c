"""Tell PostgreSQL how many measurements a run has: it guesses hundreds of times too many."""

from collections.abc import Sequence

from alembic import op

revision: str = "0006"
down_revision: str | Sequence[str] | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the schema to this version."""
    _set("SET (n_distinct = -0.1)")


def downgrade() -> None:
    """Take this version back."""
    _set("RESET (n_distinct)")


def _set(option: str) -> None:
    """Set how many different runs there are, as a share of the rows; the next ANALYZE takes it.

    A sample of a table that holds board tests and flat results finds far too few. The planner then
    starts other processes, compiles, or reads whole tables, for what a key finds in milliseconds.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE measurement ALTER COLUMN run_id {option}")
