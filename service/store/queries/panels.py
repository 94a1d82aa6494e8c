"""The units of one panel: they are boards of one piece while they are tested."""

from typing import Final, NamedTuple

from sqlalchemy import select

from broker.messages import Outcome
from service.store.codes import OUTCOME_OF
from service.store.database import Database
from service.store.queries.base import RUN, UNIT, connected

_APART_US: Final = 3_600_000_000
_RUNS_MAX: Final = 1_000


class PanelUnit(NamedTuple):
    """One unit of a panel, and its last run there."""

    barcode: str
    position: str | None
    """As the machine names it."""
    outcome: Outcome
    run_id: int


def panel_units(database: Database, run_id: int) -> list[PanelUnit]:
    """Return the units of a run's panel, by position; empty where it was on none.

    They are those whose run at the same machine names the same panel and began within an hour of
    this one: a panel is tested in one go, and a panel's id may come again.
    """
    with connected(database) as connection:
        run = connection.execute(select(RUN).where(RUN.c.id == run_id)).one_or_none()
        if run is None or run.panel_id is None:
            return []
        around = RUN.c.started_us.between(run.started_us - _APART_US, run.started_us + _APART_US)
        query = (
            select(RUN.c.id, RUN.c.panel_position, RUN.c.outcome, UNIT.c.barcode)
            .join(UNIT, UNIT.c.id == RUN.c.unit_id)
            .where(RUN.c.machine == run.machine, around, RUN.c.panel_id == run.panel_id)
            .order_by(RUN.c.started_us, RUN.c.id)
            .limit(_RUNS_MAX)
        )
        rows = connection.execute(query).all()
    units = {
        row.barcode: PanelUnit(row.barcode, row.panel_position, OUTCOME_OF[row.outcome], row.id)
        for row in rows
    }
    return sorted(units.values(), key=lambda unit: (_place(unit.position), unit.barcode))


def _place(position: str | None) -> tuple[bool, int, str]:
    """Return what puts positions in order: numbers by size, then names, then none."""
    text = position or ""
    return not text, int(text) if text.isdecimal() else 0, text
