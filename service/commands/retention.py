"""Delete old runs by hand."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from broker.errors import StoreUnavailable
from broker.messages import format_time
from service.store.archives.archive import Archive
from service.store.audit import Change, record
from service.store.database import Database
from service.store.queries.old_runs import OldRuns, count_old_runs, horizon_us, old_portions
from service.store.retention import connect, forget
from service.store.times import microseconds, moment


class Pruning(NamedTuple):
    """What would be deleted."""

    days: int
    horizon: int
    """Microseconds: runs that started and arrived before then."""
    found: OldRuns
    archive: Path | None
    """A folder that keeps what is deleted."""

    @property
    def before(self) -> str:
        """The horizon as text."""
        return format_time(moment(self.horizon))


def plan_pruning(
    database: Database, days: int, now: datetime, archive: Path | None = None
) -> Pruning:
    """Return what is older than so many days; nothing is changed.

    Args:
        database: Of which.
        days: From start and from arrival; with an archive of full days, so that it has few files.
        now: Aware.
        archive: The folder that keeps what is deleted.

    Raises:
        StoreUnavailable: The database is away.
    """
    horizon = horizon_us(microseconds(now), days, is_full_day=archive is not None)
    return Pruning(days, horizon, count_old_runs(database, horizon), archive)


def prune(  # noqa: PLR0913 - who, why and when belong to every change
    database: Database,
    pruning: Pruning,
    *,
    actor: str,
    reason: str,
    now: datetime,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> int:
    """Delete old runs, also beside running services; return how many.

    The audit row comes first: whatever ends the work, it is known who began it. After each
    transaction the database is left alone for as long as that took.

    Raises:
        StoreUnavailable: The database is away, another process is deleting old runs, or the archive
            cannot be written. What is deleted is deleted; the rest goes with the next call.
        SettingsError: There is an archive, and pyarrow is not installed.
    """
    total = pruning.found.runs
    portions = old_portions(database, pruning.horizon)
    details = {"before": pruning.before, **pruning.found._asdict()}
    if pruning.archive is not None:
        portions = Archive(database, pruning.archive).keeping(portions)
        details["archive"] = str(pruning.archive)
    change = Change(actor, "prune", f"runs older than {pruning.days} days", reason, details)
    with database.changing() as connection:
        record(connection, change, now)
    deleted = 0
    progress(0, total)
    with database.translated():
        driver = connect(database)
        try:
            for portion in portions:
                if not portion.run_ids:  # the archive is still at its file
                    continue
                begun = time.monotonic()
                runs = forget(driver, portion, pruning.horizon)
                if runs is None:
                    raise StoreUnavailable(
                        f"a service is deleting old runs of {database.label} at this moment."
                        " Wait until it has finished, and call again."
                    )
                deleted += runs
                progress(deleted, total)
                time.sleep(time.monotonic() - begun)
        finally:
            driver.close()
    return deleted
