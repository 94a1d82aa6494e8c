"""Delete what is older than `retention.days`, once an hour, between the batches of live results."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeAlias

import structlog

from broker.errors import StoreRefused, StoreUnavailable
from service.store.database import Database
from service.store.queries.old_runs import horizon_us, old_portions
from service.store.rows import microseconds
from service.store.writer import Writer

log = structlog.get_logger()

_EVERY_S: Final = 3_600.0
InWriter: TypeAlias = Callable[[Callable[[], int | None]], Awaitable[int | None]]
"""Runs work in the one thread that owns the writer."""


async def keep(days: int, database: Database, writer: Writer, in_writer: InWriter) -> None:
    """Delete old runs, at once and then every hour, until cancelled."""
    while True:
        try:
            await _delete_old(days, database, writer, in_writer)
        except (StoreUnavailable, StoreRefused) as error:
            log.warning("retention_put_off", reason=str(error), retry_in_s=_EVERY_S)
        await asyncio.sleep(_EVERY_S)


async def _delete_old(days: int, database: Database, writer: Writer, in_writer: InWriter) -> None:
    """Delete portion by portion; results that arrive have the writer for half of the time."""
    horizon = horizon_us(microseconds(datetime.now(UTC)), days)
    portions = old_portions(database, horizon)
    deleted, started = 0, time.monotonic()
    while (portion := await asyncio.to_thread(next, portions, None)) is not None:
        begun = time.monotonic()
        runs = await in_writer(partial(writer.forget, portion, horizon))
        if runs is None:  # another service is at it
            break
        deleted += runs
        await asyncio.sleep(time.monotonic() - begun)
    if deleted:
        took_s = round(time.monotonic() - started, 1)
        log.info("old_runs_deleted", runs=deleted, older_than_days=days, took_s=took_s)
