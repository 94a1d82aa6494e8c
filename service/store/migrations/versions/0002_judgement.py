"""Audit trail, immutable and shadow rulebooks, golden samples, second runs, units by hour."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | Sequence[str] | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEPT_FOR_EVER = ("audit", "rulebook")
_OUTCOME_PASS = 1  # as in codes.py; a migration must not follow what changes there


def upgrade() -> None:
    """Bring the schema to this version."""
    op.create_table(
        "audit",
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("at_us", BIG, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "shadow",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("started_us", BIG, nullable=False),
        sa.Column("stopped_us", BIG, nullable=True),
        sa.Column("judged", BIG, nullable=False),
        sa.Column("differed", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "shadow_verdict",
        sa.Column("shadow_id", sa.Integer(), nullable=False),
        sa.Column("run_id", BIG, autoincrement=False, nullable=False),
        sa.Column("outcome", sa.SmallInteger(), nullable=False),
        sa.Column("first_failure", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("shadow_id", "run_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "unit_hour",
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("machine", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("product", sa.Integer(), nullable=False),
        sa.Column("procedure", sa.Integer(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("first_passed", sa.Integer(), nullable=False),
        sa.Column("second_passed", sa.Integer(), nullable=False),
        sa.Column("last_passed", sa.Integer(), nullable=False),
        sa.Column("retested", sa.Integer(), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "machine", "line", "product", "procedure"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("run") as batch:
        batch.add_column(
            sa.Column("is_golden", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    with op.batch_alter_table("run_hour") as batch:
        batch.add_column(sa.Column("late", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("last_late_us", BIG, nullable=True))
    with op.batch_alter_table("unit_state") as batch:
        batch.add_column(sa.Column("second_run_id", BIG, nullable=True))
        batch.add_column(sa.Column("second_started_us", BIG, nullable=True))
        batch.add_column(sa.Column("second_outcome", sa.SmallInteger(), nullable=True))
        batch.add_column(
            sa.Column("is_golden", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    _fill_second_runs()
    _fill_unit_hours()
    for table in KEPT_FOR_EVER:
        _forbid_changes(table)


def downgrade() -> None:
    """Take this version back."""
    for table in KEPT_FOR_EVER:
        _allow_changes(table)
    with op.batch_alter_table("unit_state") as batch:
        for column in ("is_golden", "second_outcome", "second_started_us", "second_run_id"):
            batch.drop_column(column)
    with op.batch_alter_table("run_hour") as batch:
        batch.drop_column("last_late_us")
        batch.drop_column("late")
    with op.batch_alter_table("run") as batch:
        batch.drop_column("is_golden")
    for table in ("unit_hour", "shadow_verdict", "shadow", "audit"):
        op.drop_table(table)


def _fill_second_runs() -> None:
    """Find the second run, by start, of every unit at every procedure that was tested again."""
    op.execute(
        """
        UPDATE unit_state SET
            second_run_id = again.id,
            second_started_us = again.started_us,
            second_outcome = again.outcome
        FROM (
            SELECT id, unit_id, procedure, started_us, outcome,
                row_number() OVER (
                    PARTITION BY unit_id, procedure ORDER BY started_us, id
                ) AS place
            FROM run
        ) AS again
        WHERE again.place = 2
            AND again.unit_id = unit_state.unit_id AND again.procedure = unit_state.procedure
        """
    )


def _fill_unit_hours() -> None:
    # Both cut a division towards 0: take the rest off first, or hours before 1970 are one too high.
    rest = "((first_started_us % 3600000000) + 3600000000) % 3600000000"
    hour = f"(first_started_us - {rest}) / 3600000000"
    passed = f"CASE WHEN {{}} = {_OUTCOME_PASS} THEN 1 ELSE 0 END"
    second = f"first_outcome = {_OUTCOME_PASS} OR second_outcome"
    op.execute(
        f"""
        INSERT INTO unit_hour (hour, machine, line, product, procedure, units, first_passed,
            second_passed, last_passed, retested, runs)
        SELECT {hour}, machine, line, product, procedure, count(*),
            sum({passed.format("first_outcome")}), sum({passed.format(second)}),
            sum({passed.format("last_outcome")}),
            sum(CASE WHEN runs > 1 THEN 1 ELSE 0 END), sum(runs)
        FROM unit_state GROUP BY 1, 2, 3, 4, 5
        """  # noqa: S608 - our own words
    )


def _forbid_changes(table: str) -> None:
    """Let the database itself refuse to change what was once written."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} BEGIN"
                f" SELECT RAISE(ABORT, '{table} is kept for ever: {verb} is refused'); END"
            )
        return
    op.execute(
        f"""
        CREATE FUNCTION {table}_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION '{table} is kept for ever: % is refused', TG_OP; END $$
        """
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_is_kept()"
    )


def _allow_changes(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER {table}_no_{verb}")
        return
    op.execute(f"DROP TRIGGER {table}_no_change ON {table}")
    op.execute(f"DROP FUNCTION {table}_is_kept()")
