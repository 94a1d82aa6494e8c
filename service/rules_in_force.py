"""Keep a running service on the rulebook in force, whoever activates it, within two seconds."""

import asyncio
from typing import Final

import structlog

from broker.errors import RulebookError, StoreUnavailable
from service.core.lookup import Rulebook
from service.pipeline import Pipeline
from service.rulebook import parse_rulebook
from service.store.database import Database
from service.store.rulebooks import StoredRulebook, active_rulebook, active_version

_LOOK_S: Final = 1.0

log = structlog.get_logger()


def as_rulebook(stored: StoredRulebook) -> Rulebook:
    """Return a stored version ready to judge.

    Raises:
        RulebookError: This program cannot read it, as one that a newer one wrote.
    """
    return Rulebook(stored.version, parse_rulebook(stored.body, f"rulebook {stored.version}"))


async def follow(database: Database, pipeline: Pipeline) -> None:
    """Give `pipeline` each new version, between two batches, until cancelled.

    One that cannot be read is logged once, and the old one goes on judging.
    """
    seen = pipeline.rulebook.version
    while True:
        await asyncio.sleep(_LOOK_S)
        try:
            if await asyncio.to_thread(active_version, database) == seen:
                continue
            stored = await asyncio.to_thread(active_rulebook, database)
        except StoreUnavailable:
            continue  # the batches say so already
        if stored is None:
            continue
        seen = stored.version
        try:
            pipeline.rulebook = await asyncio.to_thread(as_rulebook, stored)
        except RulebookError as error:
            in_force = pipeline.rulebook.version
            log.error("rulebook_refused", reason=str(error), in_force=in_force)  # noqa: TRY400 - a sentence for a person
        else:
            log.info("rulebook_in_force", version=stored.version, author=stored.author)
