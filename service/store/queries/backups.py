"""When the database was last backed up, by its own audit trail."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, select

from service.store.database import Database
from service.store.queries.base import AUDIT, Facts, as_time, connected
from service.store.times import moment

BACKUP: Final = "backup"
RESTORE: Final = "restore"
_LOOKED_AT: Final = 50
"""After so many failures in a row nobody needs the date of the one that worked."""


def last_backup(database: Database, now: datetime) -> Facts | None:
    """Return at, age_s, ok, file, size_bytes, trouble and good_at of the newest attempt.

    `good_at` is when the newest whole backup was taken, null: none is known. A restored database
    knows the backup that it came from. None: nobody has ever tried.

    Raises:
        StoreUnavailable, StoreRefused: Database trouble.
    """
    query = (
        select(AUDIT.c.at_us, AUDIT.c.action, AUDIT.c.details)
        .where(AUDIT.c.action.in_((BACKUP, RESTORE)))
        .order_by(AUDIT.c.id.desc())
        .limit(_LOOKED_AT)
    )
    with connected(database) as connection:
        attempts = [_attempt(row) for row in connection.execute(query)]
    if not attempts:
        return None
    good = next((each for each in attempts if each["ok"]), None)
    newest = attempts[0]
    age_s = None if good is None else (now - good["moment"]).total_seconds()
    return {
        **{name: newest[name] for name in ("at", "ok", "file", "size_bytes", "trouble")},
        "good_at": good and good["at"],
        "age_s": None if age_s is None else round(max(0.0, age_s), 1),
    }


def _attempt(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    details: Mapping[str, Any] = json.loads(row.details)
    at_us = int(details.get("taken_us", row.at_us))
    return {
        "moment": moment(at_us),
        "at": as_time(at_us),
        "ok": bool(details.get("ok")),
        "file": details.get("file"),
        "size_bytes": details.get("size_bytes"),
        "trouble": details.get("trouble"),
    }
