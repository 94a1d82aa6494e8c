"""Measurements by outcome per hour; indexes of failures, disagreements and golden samples."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COUNTS = ("measured_passed", "measured_failed")
INDEXES = {
    "run_that_disagrees": ("run", ["started_us", "id"], "agrees IS {false}"),
    "run_of_golden": ("run", ["started_us", "id"], "is_golden IS {true}"),
    "measurement_that_disagrees": ("measurement", ["run_id"], "agrees IS {false}"),
    "step_hour_that_fails": ("step_hour", ["hour"], "failed > 0 OR first_failures > 0"),
}


def upgrade() -> None:
    """Bring the schema to this version."""
    with op.batch_alter_table("run_hour") as batch:
        for name in COUNTS:
            batch.add_column(sa.Column(name, BIG, nullable=False, server_default="0"))
    _fill_counts()
    _add_missing_steps()
    for name, (table, columns, condition) in INDEXES.items():
        op.create_index(
            name,
            table,
            columns,
            sqlite_where=sa.text(condition.format(true=1, false=0)),
            postgresql_where=sa.text(condition.format(true="true", false="false")),
        )


def downgrade() -> None:
    """Take this version back."""
    for name, (table, _, _) in INDEXES.items():
        op.drop_index(name, table)
    _forget_missing_steps()
    with op.batch_alter_table("run_hour") as batch:
        for name in COUNTS:
            batch.drop_column(name)


def _fill_counts() -> None:
    op.execute(
        f"""
        UPDATE run_hour SET measured_passed = of_runs.passed, measured_failed = of_runs.failed
        FROM (
            SELECT {_hour("started_us")} AS hour, machine, line, product, procedure,
                sum(passed) AS passed, sum(failed) AS failed
            FROM run WHERE NOT is_golden GROUP BY 1, 2, 3, 4, 5
        ) AS of_runs
        WHERE run_hour.hour = of_runs.hour AND run_hour.machine = of_runs.machine
            AND run_hour.line = of_runs.line AND run_hour.product = of_runs.product
            AND run_hour.procedure = of_runs.procedure
        """  # noqa: S608 - our own words
    )


def _add_missing_steps() -> None:
    """Count required steps that were missing: the only first failures without a FAIL."""
    op.execute(
        f"""
        INSERT INTO step_hour (hour, machine, line, product, procedure, step, measure_unit, passed,
            failed, errors, unjudged, first_failures, value_count, mean, squares)
        SELECT hour, machine, line, product, procedure, first_failure, 0, 0, 0, 0, 0, missed,
            0, 0, 0
        FROM ({_missing_steps()}) AS missing WHERE true
        ON CONFLICT (hour, machine, line, product, procedure, step, measure_unit)
        DO UPDATE SET first_failures = step_hour.first_failures + excluded.first_failures
        """  # noqa: S608 - our own words
    )


def _forget_missing_steps() -> None:
    same = " AND ".join(
        f"step_hour.{name} = missing.{name}"
        for name in ("hour", "machine", "line", "product", "procedure")
    )
    op.execute(
        f"""
        UPDATE step_hour SET first_failures = step_hour.first_failures - missing.missed
        FROM ({_missing_steps()}) AS missing
        WHERE {same} AND step_hour.step = missing.first_failure AND step_hour.measure_unit = 0
        """  # noqa: S608 - our own words
    )
    op.execute(
        "DELETE FROM step_hour WHERE passed = 0 AND failed = 0 AND errors = 0 AND unjudged = 0"
    )


def _missing_steps() -> str:
    return f"""
        SELECT {_hour("started_us")} AS hour, machine, line, product, procedure, first_failure,
            count(*) AS missed
        FROM run WHERE failed = 0 AND first_failure IS NOT NULL AND NOT is_golden
        GROUP BY 1, 2, 3, 4, 5, 6
        """  # noqa: S608 - our own words


def _hour(column: str) -> str:
    # Both cut a division towards 0: take the rest off first, or hours before 1970 are one too high.
    return f"({column} - (({column} % 3600000000) + 3600000000) % 3600000000) / 3600000000"
