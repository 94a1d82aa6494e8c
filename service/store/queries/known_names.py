"""The names that were ever stored: what a person can choose from where a filter is set."""

from enum import StrEnum
from typing import Final

from sqlalchemy import select

from service.store.codes import NameKind
from service.store.database import Database
from service.store.queries.base import NAME, connected


class Named(StrEnum):
    """The filters that are chosen by name."""

    MACHINE_ID = "machine_id"
    LINE = "line"
    PRODUCT_ID = "product_id"
    PROCEDURE = "procedure"
    STEP = "step"
    FIXTURE = "fixture"
    OPERATOR = "operator"


_KINDS: Final = {
    Named.MACHINE_ID: NameKind.MACHINE,
    Named.LINE: NameKind.LINE,
    Named.PRODUCT_ID: NameKind.PRODUCT,
    Named.PROCEDURE: NameKind.PROCEDURE,
    Named.STEP: NameKind.STEP,
    Named.FIXTURE: NameKind.FIXTURE,
    Named.OPERATOR: NameKind.OPERATOR,
}


def known_names(database: Database, kind: Named, contains: str, limit: int) -> list[str]:
    """Return names in order, at most `limit`, with this text anywhere in them, in any case."""
    query = select(NAME.c.text).where(NAME.c.kind == _KINDS[kind].value)
    if contains:
        query = query.where(NAME.c.text.icontains(contains, autoescape=True))
    with connected(database) as connection:
        found = connection.execute(query.order_by(NAME.c.text).limit(limit))
        return list(found.scalars())
