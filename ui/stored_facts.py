"""What of a floor only the database knows: how long retests took, and machines' programs."""

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Final

from broker.errors import YieldlineError
from broker.outage import Outage
from service.store.database import Database
from service.store.queries.machine_history import program_changes
from service.store.queries.retests import retest_times
from ui.floor_model import FloorModel

_PAUSE_S: Final = 60.0
_REST_FACTOR: Final = 20


async def keep_stored_facts(
    database: Database, model: Callable[[], FloorModel], away: Outage
) -> None:
    """Ask now and then, and tell the model of the moment, until cancelled.

    It reads the whole shift: the longer that takes, the more seldom.
    """
    while True:
        floor, begun_s = model(), perf_counter()
        since = floor.shift.start
        try:
            times = await asyncio.to_thread(retest_times, database, since)
            changes = await asyncio.to_thread(program_changes, database, since)
        except YieldlineError as error:
            away.note(str(error))
        else:
            if floor.shift.start == since:  # else the next one began meanwhile
                floor.retest_times, floor.program_changes = times, changes
        took_s = perf_counter() - begun_s
        await asyncio.sleep(max(_PAUSE_S, took_s * _REST_FACTOR))
