"""Which messages are stored already, by the key that makes storing exactly once."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select

from service.store.codes import NameKind
from service.store.database import Database
from service.store.queries.base import RUN, connected, id_of

_ASKED_MAX: Final = 5_000  # ids of one statement


def known_runs(
    database: Database, machine_id: str, message_ids: Sequence[str]
) -> dict[tuple[str, str], tuple[int, bytes]]:
    """Return (run id, content hash) by (machine_id, message_id) of those that are stored."""
    found: dict[tuple[str, str], tuple[int, bytes]] = {}
    with connected(database) as connection:
        machine = id_of(connection, NameKind.MACHINE, machine_id)
        query = select(RUN.c.message_id, RUN.c.id, RUN.c.content_hash)
        for start in range(0, len(message_ids), _ASKED_MAX):
            some = message_ids[start : start + _ASKED_MAX]
            rows = connection.execute(
                query.where(RUN.c.machine == machine, RUN.c.message_id.in_(some))
            )
            found |= {
                (machine_id, row.message_id): (row.id, bytes(row.content_hash)) for row in rows
            }
    return found
