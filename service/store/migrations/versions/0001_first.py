"""Results, roll-ups, rejections, outbox and rulebooks."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Bring the schema to this version."""
    op.create_table(
        "machine",
        sa.Column("machine", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("last_run_id", BIG, nullable=True),
        sa.Column("last_received_us", BIG, nullable=False),
        sa.Column("received", BIG, nullable=False),
        sa.Column("stored", BIG, nullable=False),
        sa.Column("rejected", BIG, nullable=False),
        sa.Column("duplicates", BIG, nullable=False),
        sa.PrimaryKeyConstraint("machine"),
    )
    op.create_table(
        "measurement",
        sa.Column("run_id", BIG, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("value_kind", sa.SmallInteger(), nullable=False),
        sa.Column("number", sa.Float(), nullable=True),
        sa.Column("text", sa.String(), nullable=True),
        sa.Column("measure_unit", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.SmallInteger(), nullable=False),
        sa.Column("reported", sa.SmallInteger(), nullable=True),
        sa.Column("agrees", sa.Boolean(), nullable=True),
        sa.Column("comparator", sa.SmallInteger(), nullable=True),
        sa.Column("low", sa.Float(), nullable=True),
        sa.Column("high", sa.Float(), nullable=True),
        sa.Column("nominal", sa.String(), nullable=True),
        sa.Column("rule", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("marginal", sa.Boolean(), nullable=False),
        sa.Column("attributes", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "position"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "name",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("name", schema=None) as batch_op:
        batch_op.create_index("name_by_text", ["kind", "text"], unique=True)

    op.create_table(
        "outbox",
        sa.Column("id", BIG, nullable=False),
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "raw_message",
        sa.Column("id", BIG, nullable=False),
        sa.Column("topic", sa.Integer(), nullable=False),
        sa.Column("is_compressed", sa.Boolean(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "rejection",
        sa.Column("id", BIG, nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("machine", sa.Integer(), nullable=True),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("element", sa.Integer(), nullable=True),
        sa.Column("received_us", BIG, nullable=False),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("rejection", schema=None) as batch_op:
        batch_op.create_index("rejection_by_content", ["content_hash"], unique=True)

    op.create_table(
        "rulebook",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("created_us", BIG, nullable=False),
        sa.PrimaryKeyConstraint("version"),
    )
    op.create_table(
        "run",
        sa.Column("id", BIG, nullable=False),
        sa.Column("machine", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("unit_id", BIG, nullable=False),
        sa.Column("product", sa.Integer(), nullable=False),
        sa.Column("procedure", sa.Integer(), nullable=False),
        sa.Column("started_us", BIG, nullable=False),
        sa.Column("ended_us", BIG, nullable=True),
        sa.Column("received_us", BIG, nullable=False),
        sa.Column("outcome", sa.SmallInteger(), nullable=False),
        sa.Column("reported", sa.SmallInteger(), nullable=True),
        sa.Column("agrees", sa.Boolean(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("first_failure", sa.Integer(), nullable=True),
        sa.Column("rulebook_version", sa.Integer(), nullable=False),
        sa.Column("clock_suspect", sa.Boolean(), nullable=False),
        sa.Column("passed", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("unjudged", sa.Integer(), nullable=False),
        sa.Column("fixture", sa.Integer(), nullable=True),
        sa.Column("operator", sa.Integer(), nullable=True),
        sa.Column("program", sa.Integer(), nullable=True),
        sa.Column("program_version", sa.String(), nullable=True),
        sa.Column("panel_id", sa.String(), nullable=True),
        sa.Column("panel_position", sa.String(), nullable=True),
        sa.Column("source_file", sa.String(), nullable=True),
        sa.Column("source_start", BIG, nullable=True),
        sa.Column("source_end", BIG, nullable=True),
        sa.Column("sequence_epoch", sa.String(), nullable=True),
        sa.Column("sequence_seq", BIG, nullable=True),
        sa.Column("attributes", sa.Text(), nullable=True),
        sa.Column("raw_id", BIG, nullable=False),
        sa.Column("element", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.create_index("run_by_machine", ["machine", "started_us"], unique=False)
        batch_op.create_index("run_by_message", ["machine", "message_id"], unique=True)
        batch_op.create_index("run_by_start", ["started_us", "id"], unique=False)
        batch_op.create_index("run_by_unit", ["unit_id"], unique=False)

    op.create_table(
        "run_hour",
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("machine", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("product", sa.Integer(), nullable=False),
        sa.Column("procedure", sa.Integer(), nullable=False),
        sa.Column("passed", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("unjudged", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "machine", "line", "product", "procedure"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "service",
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("reported_us", BIG, nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("service"),
    )
    op.create_table(
        "step_hour",
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("machine", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("product", sa.Integer(), nullable=False),
        sa.Column("procedure", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("measure_unit", sa.Integer(), nullable=False),
        sa.Column("passed", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("unjudged", sa.Integer(), nullable=False),
        sa.Column("first_failures", sa.Integer(), nullable=False),
        sa.Column("value_count", sa.Integer(), nullable=False),
        sa.Column("mean", sa.Float(), nullable=False),
        sa.Column("squares", sa.Float(), nullable=False),
        sa.Column("least", sa.Float(), nullable=True),
        sa.Column("greatest", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint(
            "hour", "machine", "line", "product", "procedure", "step", "measure_unit"
        ),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("step_hour", schema=None) as batch_op:
        batch_op.create_index("step_hour_by_step", ["step", "hour"], unique=False)

    op.create_table(
        "unit",
        sa.Column("id", BIG, nullable=False),
        sa.Column("barcode", sa.String(), nullable=False),
        sa.Column("product", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("unit", schema=None) as batch_op:
        batch_op.create_index("unit_by_barcode", ["barcode", "product"], unique=True)

    op.create_table(
        "unit_state",
        sa.Column("unit_id", BIG, autoincrement=False, nullable=False),
        sa.Column("procedure", sa.Integer(), nullable=False),
        sa.Column("product", sa.Integer(), nullable=False),
        sa.Column("machine", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("first_run_id", BIG, nullable=False),
        sa.Column("first_started_us", BIG, nullable=False),
        sa.Column("first_outcome", sa.SmallInteger(), nullable=False),
        sa.Column("last_run_id", BIG, nullable=False),
        sa.Column("last_started_us", BIG, nullable=False),
        sa.Column("last_outcome", sa.SmallInteger(), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("unit_id", "procedure"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("unit_state", schema=None) as batch_op:
        batch_op.create_index("unit_state_by_first", ["first_started_us"], unique=False)

    if op.get_bind().dialect.name == "postgresql":
        # Already compressed, or gone in a moment: PostgreSQL's own compression only costs time.
        op.execute("ALTER TABLE outbox ALTER COLUMN body SET STORAGE EXTERNAL")
        op.execute("ALTER TABLE raw_message ALTER COLUMN payload SET STORAGE EXTERNAL")


def downgrade() -> None:
    """Take this version back."""
    with op.batch_alter_table("unit_state", schema=None) as batch_op:
        batch_op.drop_index("unit_state_by_first")

    op.drop_table("unit_state")
    with op.batch_alter_table("unit", schema=None) as batch_op:
        batch_op.drop_index("unit_by_barcode")

    op.drop_table("unit")
    with op.batch_alter_table("step_hour", schema=None) as batch_op:
        batch_op.drop_index("step_hour_by_step")

    op.drop_table("step_hour")
    op.drop_table("service")
    op.drop_table("run_hour")
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.drop_index("run_by_unit")
        batch_op.drop_index("run_by_start")
        batch_op.drop_index("run_by_message")
        batch_op.drop_index("run_by_machine")

    op.drop_table("run")
    op.drop_table("rulebook")
    with op.batch_alter_table("rejection", schema=None) as batch_op:
        batch_op.drop_index("rejection_by_content")

    op.drop_table("rejection")
    op.drop_table("raw_message")
    op.drop_table("outbox")
    with op.batch_alter_table("name", schema=None) as batch_op:
        batch_op.drop_index("name_by_text")

    op.drop_table("name")
    op.drop_table("measurement")
    op.drop_table("machine")
