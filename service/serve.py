"""`yieldline service`: set up the database and the rulebook, then subscribe until stopped."""

import asyncio
import contextlib
import gc
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from broker.backoff import backoff_s
from broker.errors import RulebookConflict, RulebookError, StoreUnavailable
from broker.files import trouble_of
from broker.outage import Outage
from broker.settings import Settings
from service import rules_in_force
from service.checker import Checker
from service.commands.rulebooks import load_rules_file
from service.core.lookup import NO_RULES, Rulebook
from service.pipeline import Pipeline
from service.pulse import Pulse
from service.sample_rules import sample_rules
from service.store.database import Database
from service.store.rulebooks import StoredRulebook, active_rulebook
from service.store.schema import upgrade
from service.store.transport import warn_exposed
from service.subscriber import Subscriber
from service.watcher import Watcher

log = structlog.get_logger()

_SWITCH_S: Final = 0.0005
"""How long a thread may keep the interpreter while others wait. A result goes through three, and
beside them the watcher counts: with Python's 5 ms a few results in a hundred wait for it."""


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Run one service process until `stop` is set.

    Raises:
        YieldlineError: A person must act: settings, rulebook, login or rights are wrong.
    """
    database, pulse = Database(settings.database), Pulse()
    if database.is_exposed:
        warn_exposed(database.label)
    attempt, away = 0, Outage("database_lost", "database_back")
    while not stop.is_set():
        try:
            rulebook = await asyncio.to_thread(prepare, settings, database, pulse)
            away.over()
            break
        except StoreUnavailable as error:
            attempt += 1
            wait_s = backoff_s(attempt, 0.1, settings.service.retry_delay_max_s)
            away.note(str(error), retry_in_s=round(wait_s, 1))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await stop.wait()
    else:
        return
    # A batch makes thousands of tuples and no cycles: collecting less often saves a tenth.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    sys.setswitchinterval(_SWITCH_S)
    log.info("serving", database=database.label, rulebook_version=rulebook.version)
    pipeline = Pipeline(settings, database, rulebook)
    subscriber = Subscriber(settings, pipeline, stop, pulse)
    async with asyncio.TaskGroup() as group:
        beside = [
            group.create_task(rules_in_force.follow(database, pipeline, pulse), name="rulebook")
        ]
        if settings.alerts.enabled or settings.service.summary_s:
            watcher = Watcher(settings, database, pulse)
            beside.append(group.create_task(watcher.run(), name="watcher"))
        if settings.service.answer_checks:
            checker = Checker(settings, database, pulse, subscriber.caught_up)
            beside.append(group.create_task(checker.run(), name="checks"))
        await subscriber.run()
        for task in beside:
            task.cancel()
    database.dispose()


def prepare(settings: Settings, database: Database, pulse: Pulse) -> Rulebook:
    """Bring the schema up to date and load the rulebook in force; `pulse` learns what is wrong.

    Raises:
        StoreUnavailable: The database is away; call again.
        StoreRefused: It refuses.
        RulebookError: The rules file is wrong and there is no stored version to stand in for it.
    """
    upgrade(database)
    stored = active_rulebook(database)
    try:
        if stored is None or settings.rules.file != sample_rules():  # it replaces no plant's own
            stored = _load_file(settings.rules.file, database) or active_rulebook(database)
    except RulebookError as error:
        if stored is None:
            raise
        rules_in_force.note_refused(pulse, error, stored.version)
    if stored is None:
        log.warning(
            "no_rulebook",
            file=str(settings.rules.file),
            consequence="the machines' own verdicts and limits decide",
        )
        return NO_RULES
    return rules_in_force.as_rulebook(stored)


def _load_file(file: Path, database: Database) -> StoredRulebook | None:
    """Activate the rules file when it changed since it was last loaded.

    Raises:
        RulebookError: It cannot be read or is wrong; nothing is stored.
    """
    try:
        text = file.read_bytes().decode()  # as it is, line ends too
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise RulebookError(f"{file} {trouble_of(error)}") from error
    try:
        return load_rules_file(database, text, origin=str(file), now=datetime.now(UTC))
    except RulebookConflict:
        return None  # another service, started at the same moment, was quicker
