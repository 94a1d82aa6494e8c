"""Delete what is older than `retention.days`, once an hour, between the batches of live results."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import structlog

from broker.errors import StoreRefused, StoreUnavailable
from service.store.archives.archive import Archive
from service.store.archives.turn import ArchiveBusy
from service.store.database import Database
from service.store.queries.base import as_time
from service.store.queries.old_runs import Portion, horizon_us, old_portions
from service.store.times import microseconds
from service.store.writer import Writer

log = structlog.get_logger()

_EVERY_S: Final = 3_600.0
InWriter: TypeAlias = Callable[[Callable[[], int | None]], Awaitable[int | None]]
"""Runs work in the one thread that owns the writer."""


async def keep(
    days: int,
    database: Database,
    writer: Writer,
    in_writer: InWriter,
    *,
    archive: Path | None = None,
) -> None:
    """Delete old runs, at once and then every hour, until cancelled.

    Args:
        days: How old, from start and from arrival.
        database: To find them in.
        writer: Deletes them.
        in_writer: Runs that in its thread.
        archive: Folder that is given them first; then they go by full days.

    Raises:
        SettingsError: There is an archive, and pyarrow is not installed.
    """
    while True:
        portions, horizon = _old(days, archive, database)
        try:
            await _delete(portions, horizon, writer, in_writer)
        except ArchiveBusy:
            pass  # another service does it
        except (StoreUnavailable, StoreRefused) as error:
            log.warning("retention_put_off", reason=str(error), retry_in_s=_EVERY_S)
        with contextlib.suppress(StoreUnavailable):
            await asyncio.to_thread(portions.close)  # else the turn to archive stays taken
        await asyncio.sleep(_EVERY_S)


def _old(
    days: int, folder: Path | None, database: Database
) -> tuple[Generator[Portion, None, None], int]:
    """Return what to delete, and the horizon before which it lies."""
    now_us = microseconds(datetime.now(UTC))
    horizon = horizon_us(now_us, days, is_full_day=folder is not None)
    portions = old_portions(database, horizon)
    if folder is None:
        return (each for each in portions), horizon
    return Archive(database, folder).keeping(portions), horizon


async def _delete(
    portions: Iterator[Portion], horizon: int, writer: Writer, in_writer: InWriter
) -> None:
    """Delete portion by portion; results that arrive have the writer for half of the time."""
    deleted, started = 0, time.monotonic()
    while (portion := await asyncio.to_thread(next, portions, None)) is not None:
        if not portion.run_ids:  # the archive is still at its file
            continue
        begun = time.monotonic()
        runs = await in_writer(partial(writer.forget, portion, horizon))
        if runs is None:  # another service is at it
            break
        deleted += runs
        await asyncio.sleep(time.monotonic() - begun)
    if deleted:
        took_s = round(time.monotonic() - started, 1)
        log.info("old_runs_deleted", runs=deleted, before=as_time(horizon), took_s=took_s)
