"""Stored runs as they were decoded, and the rulebooks that judged them: for judging again."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from broker.errors import RulebookError
from service.core.decode import decode_stored
from service.core.lookup import NO_RULES, Rulebook
from service.core.records import DecodedRun
from service.rulebook import parse_rulebook
from service.store.database import Database
from service.store.queries.history import StoredRun, payloads, stored_runs
from service.store.rulebooks import rulebook


class Rulebooks:
    """Stored rulebooks ready to judge, each loaded once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[int, Rulebook] = {0: NO_RULES}

    def version(self, number: int) -> Rulebook:
        """Return one version; 0 has no rules.

        Raises:
            RulebookError: There is none of this number, or this program cannot read it.
            StoreUnavailable: The database is away.
        """
        if number not in self._known:
            stored = rulebook(self._database, number)
            if stored is None:
                raise RulebookError(f"rulebook {number} is not stored.")
            rules = parse_rulebook(stored.body, f"rulebook {number}")
            self._known[number] = Rulebook(number, rules)
        return self._known[number]


def replayed(database: Database, run_ids: Sequence[int]) -> Iterator[tuple[StoredRun, DecodedRun]]:
    """Yield stored runs with what their message says, decoded as it was then."""
    found = sorted(stored_runs(database, run_ids), key=attrgetter("raw_id", "machine_id"))
    messages = payloads(database, [each.raw_id for each in found])
    found = [each for each in found if each.raw_id in messages]  # others were deleted meanwhile
    for (raw_id, machine_id), group in groupby(found, attrgetter("raw_id", "machine_id")):
        runs = list(group)
        decoded = decode_stored(messages[raw_id], machine_id, [each.element for each in runs])
        for stored, run in zip(runs, decoded, strict=True):
            yield stored, run._replace(line=stored.line, started_at=stored.started_at)
