"""Activate a rulebook."""

from datetime import datetime
from typing import Final, NamedTuple

from broker.errors import RulebookConflict, RulebookError
from service.core.rulebook_diff import compare_rulebooks
from service.rulebook import parse_rulebook
from service.store.audit import Change, record
from service.store.database import Database
from service.store.rulebooks import StoredRulebook, add_rulebook, newest_rulebook

REASON_CHARS_MAX: Final = 500
ACTOR_CHARS_MAX: Final = 128
RULES_FILE: Final = "rules file"
"""The author of versions that a service loaded from its file at start."""


class Draft(NamedTuple):
    """A rulebook that somebody wants in force."""

    body: str
    """TOML."""
    origin: str = "the draft"
    """Where it is from, for sentences."""
    based_on: int | None = None
    """The version its author saw; None: whatever is in force."""


def activate_rulebook(
    database: Database, draft: Draft, *, actor: str, reason: str, now: datetime
) -> StoredRulebook:
    """Store a draft as the next version, and so put it in force.

    Running services judge by it within two seconds; what is stored keeps its verdict.

    Args:
        database: Where.
        draft: What.
        actor: Who.
        reason: Why; needed.
        now: When, aware.

    Raises:
        RulebookError: The draft is wrong, changes nothing, or comes without actor or reason.
        RulebookConflict: Another version than `based_on` is in force meanwhile.
        StoreUnavailable: The database is away; nothing was changed.
    """
    rules = parse_rulebook(draft.body, draft.origin)
    actor, reason = (
        checked_words("author", actor, ACTOR_CHARS_MAX),
        checked_words("reason", reason, REASON_CHARS_MAX),
    )
    with database.changing() as connection:
        active = newest_rulebook(connection)
        _check_base(active, draft)
        added = add_rulebook(connection, draft.body, author=actor, reason=reason, now=now)
        before = () if active is None else parse_rulebook(active.body, f"rulebook {active.version}")
        details = {
            "before": active and active.version,
            "changes": [each.sentence for each in compare_rulebooks(before, rules)],
        }
        subject = f"rulebook {added.version}"
        record(connection, Change(actor, "activate", subject, reason, details), now)
    return added


def load_rules_file(
    database: Database, body: str, *, origin: str, now: datetime
) -> StoredRulebook | None:
    """Activate the rules file of a starting service, if it changed since it was last loaded.

    A version that somebody activated since then stays in force while the file stays the same.

    Returns:
        The new version; None when there is nothing new in the file.

    Raises:
        RulebookError: The file is wrong.
        StoreUnavailable: The database is away.
    """
    with database.changing() as connection:
        loaded = newest_rulebook(connection, author=RULES_FILE)
        active = newest_rulebook(connection)
    if any(each is not None and each.body == body for each in (loaded, active)):
        return None
    reason = "first loaded" if active is None else "changed"
    draft = Draft(body, origin, active.version if active else 0)
    return activate_rulebook(
        database, draft, actor=RULES_FILE, reason=f"{origin} {reason}", now=now
    )


def _check_base(active: StoredRulebook | None, draft: Draft) -> None:
    in_force = 0 if active is None else active.version
    if draft.based_on is not None and draft.based_on != in_force:
        raise RulebookConflict(
            f"{draft.origin} was made from rulebook {draft.based_on}, but {in_force} is in force"
            " now. Look at the difference, and activate it again on top of that."
        )
    if active is not None and active.body == draft.body:
        raise RulebookError(f"{draft.origin} is rulebook {in_force}, which is in force already.")


def checked_words(name: str, text: str, chars_max: int) -> str:
    """Return what a person said of a change, without line breaks.

    Raises:
        RulebookError: Nothing, or too much.
    """
    text = " ".join(text.split())
    if not text:
        raise RulebookError(f"a rulebook needs a {name}. Say it in a few words.")
    if len(text) > chars_max:
        raise RulebookError(f"{name} has {len(text)} characters; at most {chars_max} are kept.")
    return text
