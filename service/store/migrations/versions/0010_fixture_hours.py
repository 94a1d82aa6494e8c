"""Runs and units per hour by fixture and operator; units that were at several procedures."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | Sequence[str] | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SLOT = ("machine", "line", "product", "procedure")
WHO = ("fixture", "operator")
OUTCOMES = {"passed": 1, "failed": 2, "errors": 3, "unjudged": 4}
FURTHER = "unit_state_further"


def upgrade() -> None:
    """Bring the schema to this version."""
    _create_run_details()
    _create_unit_details()
    _count_repeating_runs()
    _mark_further_states()


def downgrade() -> None:
    """Take this version back."""
    op.drop_index(FURTHER, "unit_state")
    with op.batch_alter_table("unit_state") as batch:
        batch.drop_column("is_further")
    with op.batch_alter_table("run_hour") as batch:
        batch.drop_column("repeating")
    op.drop_table("unit_hour_detail")
    op.drop_table("run_hour_detail")


def _create_run_details() -> None:
    measured = ("measured_passed", "measured_failed")
    op.create_table(
        "run_hour_detail",
        *(_count(name) for name in ("hour", *SLOT, *WHO, *OUTCOMES, "late")),
        sa.Column("last_late_us", BIG, nullable=True),
        *(sa.Column(name, BIG, nullable=False) for name in measured),
        sa.PrimaryKeyConstraint("hour", *SLOT, *WHO),
        sqlite_with_rowid=False,
    )
    is_late = f"{_hour('received_us')} - 1 > {_hour('started_us')}"
    sums = {
        **{name: _how_many(f"outcome = {code}") for name, code in OUTCOMES.items()},
        "late": _how_many(is_late),
        "last_late_us": f"max(CASE WHEN {is_late} THEN received_us END)",
        "measured_passed": "sum(passed)",
        "measured_failed": "sum(failed)",
    }
    _fill("run_hour_detail", f"run WHERE ({_names_any()} OR {is_late})", "started_us", sums)


def _create_unit_details() -> None:
    places = {place: f"{place}_outcome = 1" for place in ("first", "second", "last")}
    sums = {
        "units": "count(*)",
        "first_passed": _how_many(places["first"]),
        "second_passed": _how_many(f"{places['first']} OR {places['second']}"),
        "last_passed": _how_many(places["last"]),
        "retested": _how_many("runs > 1"),
        "runs": "sum(runs)",
    }
    op.create_table(
        "unit_hour_detail",
        *(_count(name) for name in ("hour", *SLOT, *WHO, *sums)),
        sa.PrimaryKeyConstraint("hour", *SLOT, *WHO),
        sqlite_with_rowid=False,
    )
    _fill("unit_hour_detail", f"unit_state WHERE ({_names_any()})", "first_started_us", sums)


def _count_repeating_runs() -> None:
    with op.batch_alter_table("run_hour") as batch:
        batch.add_column(sa.Column("repeating", sa.Integer(), nullable=False, server_default="0"))
    same = " AND ".join(f"run_hour.{name} = found.{name}" for name in ("hour", *SLOT))
    op.execute(
        f"""
        UPDATE run_hour SET repeating = found.repeating FROM (
            SELECT {_hour("run.started_us")} AS hour, {", ".join(f"run.{name}" for name in SLOT)},
                count(*) AS repeating
            FROM (
                SELECT run_id FROM measurement
                GROUP BY run_id HAVING count(DISTINCT step) < count(*)
            ) AS again JOIN run ON run.id = again.run_id
            WHERE NOT run.is_golden GROUP BY 1, 2, 3, 4, 5
        ) AS found WHERE {same}
        """  # noqa: S608 - our own words
    )


def _mark_further_states() -> None:
    with op.batch_alter_table("unit_state") as batch:
        batch.add_column(
            sa.Column("is_further", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    op.execute(
        "UPDATE unit_state SET is_further = true WHERE EXISTS ("
        "SELECT 1 FROM unit_state AS other WHERE other.unit_id = unit_state.unit_id"
        " AND other.procedure < unit_state.procedure)"
    )
    op.create_index(
        FURTHER,
        "unit_state",
        ["first_started_us"],
        sqlite_where=sa.text("is_further IS 1"),
        postgresql_where=sa.text("is_further IS true"),
    )


def _fill(target: str, source: str, at: str, sums: dict[str, str]) -> None:
    who = ", ".join(f"coalesce({name}, 0)" for name in WHO)
    op.execute(
        f"""
        INSERT INTO {target} (hour, {", ".join((*SLOT, *WHO, *sums))})
        SELECT {_hour(at)}, {", ".join(SLOT)}, {who}, {", ".join(sums.values())}
        FROM {source} AND NOT is_golden GROUP BY 1, 2, 3, 4, 5, 6, 7
        """  # noqa: S608 - our own words
    )


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _names_any() -> str:
    return " OR ".join(f"{name} IS NOT NULL" for name in WHO)


def _how_many(condition: str) -> str:
    return f"sum(CASE WHEN {condition} THEN 1 ELSE 0 END)"


def _hour(column: str) -> str:
    # Both cut a division towards 0: take the rest off first, or hours before 1970 are one too high.
    return f"({column} - (({column} % 3600000000) + 3600000000) % 3600000000) / 3600000000"
