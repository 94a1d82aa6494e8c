"""Let a draft judge live runs beside the active rulebook, and stop it again."""

from datetime import datetime

from broker.errors import RulebookError
from service.commands.rulebooks import ACTOR_CHARS_MAX, REASON_CHARS_MAX, Draft, checked_words
from service.rulebook import parse_rulebook
from service.store.audit import Change, record
from service.store.database import Database
from service.store.shadows import StoredShadow, add_shadow, end_shadow, newest_shadow


def start_shadow(
    database: Database, draft: Draft, *, actor: str, reason: str, now: datetime
) -> StoredShadow:
    """Let a draft judge every new run too, within two seconds. One that runs already is stopped.

    Its verdicts decide nothing and are published nowhere; those that differ are kept.

    Raises:
        RulebookError: The draft is wrong, or comes without actor or reason.
        StoreUnavailable: The database is away; nothing was changed.
    """
    rules = parse_rulebook(draft.body, draft.origin)
    actor = checked_words("author", actor, ACTOR_CHARS_MAX)
    reason = checked_words("reason", reason, REASON_CHARS_MAX)
    with database.changing() as connection:
        before = newest_shadow(connection, only_running=True)
        if before is not None:
            end_shadow(connection, before.shadow_id, now)
        added = add_shadow(connection, draft.body, author=actor, reason=reason, now=now)
        details = {"stopped": before and before.shadow_id, "rules": len(rules)}
        subject = f"shadow {added.shadow_id}"
        record(connection, Change(actor, "start", subject, reason, details), now)
    return added


def stop_shadow(database: Database, *, actor: str, now: datetime) -> StoredShadow:
    """Stop the shadow that runs; what it found stays.

    Raises:
        RulebookError: None runs.
        StoreUnavailable: The database is away; nothing was changed.
    """
    actor = checked_words("author", actor, ACTOR_CHARS_MAX)
    with database.changing() as connection:
        running = newest_shadow(connection, only_running=True)
        if running is None:
            raise RulebookError("no shadow rulebook runs.")
        end_shadow(connection, running.shadow_id, now)
        details = {"judged": running.judged, "differed": running.differed}
        subject = f"shadow {running.shadow_id}"
        record(connection, Change(actor, "stop", subject, "", details), now)
    return running._replace(stopped_at=now)
