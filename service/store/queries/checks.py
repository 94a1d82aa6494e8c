"""May a unit be run here: what is stored of units, and what the settings make of it."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, Select, and_, select

from broker.messages import Outcome
from broker.settings import Settings
from service.core.routes import KnownUnit, Permission, Progress, may_go_to, may_run, next_procedure
from service.store.codes import OUTCOME_OF, NameKind
from service.store.database import Database
from service.store.queries.base import NAME, UNIT, UNIT_STATE, Facts, connected, names_of

_BARCODES_MAX: Final = 5_000  # of one statement; SQLite takes 32,766 values


class Asked(NamedTuple):
    """A question: may this unit be run here?"""

    barcode: str
    product_id: str
    procedure: str
    machine_id: str | None
    """None: at any machine."""


def answer_checks(
    database: Database, settings: Settings, questions: Sequence[Asked]
) -> list[Permission]:
    """Return an answer a question, in their order, by everything committed before the call.

    Raises:
        StoreUnavailable, StoreRefused: Database trouble.
    """
    units = known_units(database, [(each.barcode, each.product_id) for each in questions])
    return [
        may_run(settings, units[each.barcode, each.product_id], each.procedure, each.machine_id)
        for each in questions
    ]


def known_units(
    database: Database, wanted: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], KnownUnit]:
    """Return every unit asked for by (barcode, product_id); one never tested has no progress."""
    units = {key: KnownUnit(*key, {}) for key in wanted}
    barcodes = sorted({barcode for barcode, _ in units})
    rows: list[Row[Any]] = []
    with connected(database) as connection:
        for start in range(0, len(barcodes), _BARCODES_MAX):
            some = barcodes[start : start + _BARCODES_MAX]
            rows += connection.execute(_STATES.where(UNIT.c.barcode.in_(some)))
        names = names_of(database, connection, {row.procedure for row in rows})
    for row in rows:
        key = (row.barcode, row.product_id)
        if key in units:
            found = {names[row.procedure]: Progress(row.runs, OUTCOME_OF[row.last_outcome])}
            units[key] = units[key]._replace(progress={**units[key].progress, **found})
    return units


def with_permissions(life: Facts, settings: Settings) -> Facts:
    """Return a unit's life with `next_procedure` and `may_go_to` in each of its `units`."""
    barcode = life["barcode"]
    return {**life, "units": [_with_permissions(each, barcode, settings) for each in life["units"]]}


def _with_permissions(unit: Facts, barcode: str, settings: Settings) -> Facts:
    progress = {
        each["procedure"]: Progress(each["runs"], Outcome(each["last_outcome"]))
        for each in unit["procedures"]
    }
    tested = KnownUnit(barcode, unit["product_id"], progress)
    return {
        **unit,
        "next_procedure": next_procedure(settings, tested),
        "may_go_to": [each._asdict() for each in may_go_to(settings, tested)],
    }


_STATES: Final[Select[Any]] = (
    select(
        UNIT.c.barcode,
        NAME.c.text.label("product_id"),
        UNIT_STATE.c.procedure,
        UNIT_STATE.c.runs,
        UNIT_STATE.c.last_outcome,
    )
    .join(NAME, and_(NAME.c.id == UNIT.c.product, NAME.c.kind == NameKind.PRODUCT.value))
    .join(UNIT_STATE, UNIT_STATE.c.unit_id == UNIT.c.id)
    .order_by(UNIT_STATE.c.first_started_us, UNIT_STATE.c.first_run_id)
)
