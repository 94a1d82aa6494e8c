"""What each machine tested: its products, and the lines where it stood, from the roll-ups."""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from service.store.database import Database
from service.store.queries.base import connected, names_of
from service.store.queries.figures import RUNS
from service.store.queries.filters import Filters
from service.store.queries.sums import sums_by


class Tested(NamedTuple):
    """A product, and the line where it was tested."""

    product_id: str
    line: str


Mixes: TypeAlias = Mapping[str, frozenset[Tested]]
"""By machine_id; a machine without runs is not in it."""


def mixes(database: Database, filters: Filters) -> Mixes:
    """Return what each machine tested of the runs that the filters choose."""
    with connected(database) as connection:
        keys = list(sums_by(connection, filters, RUNS, ("machine", "product", "line")))
        names = names_of(database, connection, {each for key in keys for each in key})
    found: dict[str, set[Tested]] = {}
    for machine, product, line in keys:
        found.setdefault(names[machine], set()).add(Tested(names[product], names[line]))
    return {machine_id: frozenset(tested) for machine_id, tested in found.items()}
