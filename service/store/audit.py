"""The audit trail: who changed what, when, why. Rows are added in the transaction of the change.

The database refuses to change or delete them, and each row carries a hash over itself and the row
before, so that a trail edited behind the database's back no longer fits together.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, insert, select

from service.store.queries.base import AUDIT
from service.store.times import microseconds

_CHAIN_BYTES: Final = 32


class Change(NamedTuple):
    """What a person did."""

    actor: str
    action: str
    """One word, such as `activate`."""
    subject: str
    """What it was done to, such as `rulebook 4`."""
    reason: str
    """In the person's own words; may be empty where none is asked for."""
    details: Mapping[str, Any]
    """What was before and is now, as JSON."""


def record(connection: Connection, change: Change, now: datetime) -> int:
    """Add a change to the trail; return its number.

    Args:
        connection: From `Database.changing`: the change itself is in the same transaction.
        change: What was done.
        now: When, aware.
    """
    last = connection.execute(select(AUDIT).order_by(AUDIT.c.id.desc()).limit(1)).first()
    fields = {
        "id": 1 if last is None else last.id + 1,
        "at_us": microseconds(now),
        **change._asdict(),
        "details": json.dumps(change.details, ensure_ascii=False, sort_keys=True),
    }
    before = b"" if last is None else bytes(last.chain)
    connection.execute(insert(AUDIT).values(**fields, chain=_link(before, fields)))
    return int(fields["id"])


def is_linked(before: bytes, row: Row[Any]) -> bool:
    """Tell whether a row is as it was written, after a row with the chain `before`."""
    fields = {name: value for name, value in row._mapping.items() if name != "chain"}  # noqa: SLF001 - SQLAlchemy's documented way
    return bytes(row.chain) == _link(before, fields)


def _link(before: bytes, fields: Mapping[str, Any]) -> bytes:
    text = json.dumps(dict(fields), ensure_ascii=False, sort_keys=True)
    return blake2b(before + text.encode(), digest_size=_CHAIN_BYTES).digest()
