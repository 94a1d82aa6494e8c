"""Keep a running service on the rulebook in force, whoever activates it, within two seconds."""

import asyncio
from typing import Final

import structlog

from broker.errors import RulebookError, StoreUnavailable
from service.core.lookup import Rulebook
from service.core.shadow import Shadow
from service.pipeline import Pipeline
from service.pulse import Pulse
from service.rulebook import parse_rulebook
from service.store.database import Database
from service.store.rulebooks import StoredRulebook, active_rulebook, active_version
from service.store.shadows import StoredShadow, running_shadow

_LOOK_S: Final = 1.0

log = structlog.get_logger()


def as_rulebook(stored: StoredRulebook) -> Rulebook:
    """Return a stored version ready to judge.

    Raises:
        RulebookError: This program cannot read it, as one that a newer one wrote.
    """
    return Rulebook(stored.version, parse_rulebook(stored.body, f"rulebook {stored.version}"))


def note_refused(pulse: Pulse, error: RulebookError, in_force: int) -> None:
    """Say, in the log and to the web app, why the newest rules are not in force."""
    log.error("rulebook_refused", reason=str(error), in_force=in_force)
    pulse.rules_trouble = f"{error} Rulebook {in_force} decides meanwhile."


async def follow(database: Database, pipeline: Pipeline, pulse: Pulse) -> None:
    """Give `pipeline` each new version, and the shadow that runs, until cancelled.

    Between two batches. One that cannot be read is logged once, and the old one goes on.
    """
    seen, shadow_seen = pipeline.rulebook.version, 0
    while True:
        try:
            if await asyncio.to_thread(active_version, database) != seen:
                seen = await _follow_active(database, pipeline, pulse) or seen
            shadow = await asyncio.to_thread(running_shadow, database)
        except StoreUnavailable:
            pass  # the batches say so already
        else:
            number = shadow.shadow_id if shadow else 0
            if number != shadow_seen:
                shadow_seen = number
                pipeline.shadow = await asyncio.to_thread(_as_shadow, shadow)
        await asyncio.sleep(_LOOK_S)


async def _follow_active(database: Database, pipeline: Pipeline, pulse: Pulse) -> int | None:
    stored = await asyncio.to_thread(active_rulebook, database)
    if stored is None:
        return None
    try:
        pipeline.rulebook = await asyncio.to_thread(as_rulebook, stored)
    except RulebookError as error:
        note_refused(pulse, error, pipeline.rulebook.version)
    else:
        pulse.rules_trouble = None
        log.info("rulebook_in_force", version=stored.version, author=stored.author)
    return stored.version


def _as_shadow(stored: StoredShadow | None) -> Shadow | None:
    if stored is None:
        return None
    try:
        rules = parse_rulebook(stored.body, f"shadow {stored.shadow_id}")
    except RulebookError as error:
        log.error("shadow_refused", reason=str(error))  # noqa: TRY400 - a sentence for a person
        return None
    log.info("shadow_runs", shadow_id=stored.shadow_id, author=stored.author)
    return Shadow(stored.shadow_id, Rulebook(0, rules))
