"""The filters that all questions share, and the cursor that continues a list."""

import base64
import contextlib
import re
from dataclasses import dataclass, fields, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Table, false, func, not_, or_, select, tuple_

from broker.messages import Outcome
from service.store.codes import HOUR_US, OUTCOME_CODE, NameKind
from service.store.queries.base import MEASUREMENT, RUN, STEP_HOUR, UNIT, id_of
from service.store.times import microseconds

Condition = ColumnElement[bool]
_is_key = re.compile(rb"(-?[0-9]{1,18})\.([0-9]{1,18})").fullmatch


@dataclass(frozen=True, slots=True)
class Filters:
    """Which runs a question is about; what is None does not matter. All must hold."""

    machine_id: str | None = None
    line: str | None = None
    product_id: str | None = None
    procedure: str | None = None
    step: str | None = None
    """The run has a measurement of this test_step."""
    barcode: str | None = None
    outcome: Outcome | None = None
    """Of the run."""
    agrees: bool | None = None
    differs: bool | None = None
    """The machine's word on the run, or on a measurement in it, is not what the arithmetic says;
    with a step on that step."""
    first_failure: str | None = None
    """The test_step that failed first in the run, or was required and is missing."""
    fixture: str | None = None
    operator: str | None = None
    panel_position: str | None = None
    golden: bool | None = None
    """Of golden samples only, or of none; figures of None are of none, lists of both."""
    since: datetime | None = None
    """Aware; runs that started then or later."""
    until: datetime | None = None
    """Aware; runs that started before it."""

    @property
    def given(self) -> frozenset[str]:
        """The names of those that are set."""
        return frozenset(each.name for each in fields(self) if getattr(self, each.name) is not None)

    @property
    def counting(self) -> "Filters":
        """These filters as figures understand them: golden samples count only where asked for."""
        return self if self.golden is not None else replace(self, golden=False)


_NAMED = {
    "machine_id": ("machine", NameKind.MACHINE),
    "line": ("line", NameKind.LINE),
    "product_id": ("product", NameKind.PRODUCT),
    "procedure": ("procedure", NameKind.PROCEDURE),
    "fixture": ("fixture", NameKind.FIXTURE),
    "operator": ("operator", NameKind.OPERATOR),
}


def name_conditions(connection: Connection, filters: Filters, table: Table) -> list[Condition]:
    """Return what a table with machine, line, product … columns must hold.

    A name that was never stored matches nothing. Roll-ups hold no golden samples.
    """
    conditions: list[Condition] = []
    if filters.golden is not None and "is_golden" in table.c:
        conditions.append(table.c.is_golden.is_(filters.golden))
    for field, (column, kind) in _NAMED.items():
        text = getattr(filters, field)
        if text is not None:
            number = id_of(connection, kind, text)
            conditions.append(false() if number is None else table.c[column] == number)
    return conditions


def run_conditions(connection: Connection, filters: Filters) -> list[Condition]:
    """Return what a row of `run` must hold; an empty list holds for every run."""
    conditions = name_conditions(connection, filters, RUN)
    if filters.step is not None:
        conditions += _with_step(connection, filters.step)
    if filters.barcode is not None:
        units = select(UNIT.c.id).where(UNIT.c.barcode == filters.barcode)
        conditions.append(RUN.c.unit_id.in_(connection.execute(units).scalars().all()))
    if filters.outcome is not None:
        conditions.append(RUN.c.outcome == OUTCOME_CODE[filters.outcome])
    if filters.agrees is not None:
        conditions.append(RUN.c.agrees.is_(filters.agrees))
    if filters.differs is not None:
        holds = _differing(connection, filters.step)
        conditions.append(holds if filters.differs else not_(holds))
    if filters.first_failure is not None:
        step = id_of(connection, NameKind.STEP, filters.first_failure)
        conditions.append(false() if step is None else RUN.c.first_failure == step)
    if filters.panel_position is not None:
        conditions.append(RUN.c.panel_position == filters.panel_position)
    if filters.since is not None:
        conditions.append(RUN.c.started_us >= microseconds(filters.since))
    if filters.until is not None:
        conditions.append(RUN.c.started_us < microseconds(filters.until))
    return conditions


def _differing(connection: Connection, step: str | None) -> Condition:
    """Return what runs hold in which machine and arithmetic differ, somewhere or in a step."""
    measured = select(MEASUREMENT.c.run_id).where(MEASUREMENT.c.agrees.is_(False))
    if step is None:
        return or_(RUN.c.agrees.is_(False), RUN.c.id.in_(measured))
    return RUN.c.id.in_(
        measured.where(MEASUREMENT.c.step == id_of(connection, NameKind.STEP, step))
    )


def _with_step(connection: Connection, step: str) -> list[Condition]:
    """Return the conditions for runs that hold a step.

    The roll-up knows the procedures and hours in which it was measured at all, so that a rare step
    does not make the database look into every run.
    """
    number = id_of(connection, NameKind.STEP, step)
    hours = func.min(STEP_HOUR.c.hour), func.max(STEP_HOUR.c.hour)
    spans = select(STEP_HOUR.c.procedure, *hours).where(STEP_HOUR.c.step == number)
    within = [
        (RUN.c.procedure == procedure)
        & RUN.c.started_us.between(first * HOUR_US, (last + 1) * HOUR_US - 1)
        for procedure, first, last in connection.execute(spans.group_by(STEP_HOUR.c.procedure))
    ]
    measured = select(MEASUREMENT.c.run_id).where(
        MEASUREMENT.c.run_id == RUN.c.id, MEASUREMENT.c.step == number
    )
    # Not EXISTS: for a page of runs PostgreSQL would look through all measurements first.
    holds = measured.limit(1).scalar_subquery().is_not(None)
    return [or_(*within), holds] if within else [false()]


def encode_cursor(at: int, number: int) -> str:
    """Return an opaque text for the place after the row with this time and id."""
    return base64.urlsafe_b64encode(f"{at}.{number}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[int, int]:
    """Return the time and id inside a cursor.

    Raises:
        ValueError: It is none of ours.
    """
    found = None
    with contextlib.suppress(ValueError):
        plain = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found = _is_key(plain)
    if found is None:
        raise ValueError(
            f"cursor {cursor[:40]!r} was not given by this list. Leave it out to start at the top."
        )
    return int(found[1]), int(found[2])


def before(table: Table, column: str, cursor: str | None) -> list[Condition]:
    """Return what rows after `cursor` hold in a list that is newest first by (`column`, id)."""
    if cursor is None:
        return []
    at, number = decode_cursor(cursor)
    return [tuple_(table.c[column], table.c.id) < tuple_(at, number)]


def behind(table: Table, column: str, cursor: str | None) -> list[Condition]:
    """Return what rows after `cursor` hold in a list that is oldest first by (`column`, id)."""
    if cursor is None:
        return []
    at, number = decode_cursor(cursor)
    return [tuple_(table.c[column], table.c.id) > tuple_(at, number)]
