"""Judge stored history again by a draft: what it would have passed and failed, unit by unit."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

from broker.errors import RulebookError
from service.commands.backtest_report import as_facts
from service.core.decode import decode_stored
from service.core.judge import judge
from service.core.lookup import Rulebook
from service.core.records import DecodedRun
from service.core.whatif import HistoricRun, WhatIf
from service.rulebook import parse_rulebook
from service.store.database import Database
from service.store.queries.base import Facts
from service.store.queries.filters import Filters
from service.store.queries.history import (
    StoredRun,
    latest_runs,
    payloads,
    runs_of_units,
    stored_runs,
)
from service.store.rulebooks import rulebook

_CHUNK: Final = 500  # runs at a time: of board testers some 50 MB of measurements

Progress = Callable[[int, int], None]
"""Called with (runs done, runs in all). What it raises ends the back-test."""


def backtest(
    database: Database,
    body: str,
    filters: Filters,
    *,
    origin: str = "the draft",
    progress: Progress = lambda _done, _total: None,
) -> Facts:
    """Judge the stored runs of the units that count by a draft, and by the rulebook of then.

    Streams: of the history a chunk is in memory, of the result the runs whose outcome changes.

    Args:
        database: Whose history.
        body: The draft, TOML.
        filters: Which units, as for yields: by their first run of a procedure.
        origin: Where the draft is from, for sentences.
        progress: Hears how far it is.

    Returns:
        See `service.commands.backtest_report`.

    Raises:
        RulebookError: The draft is wrong.
        StoreUnavailable: The database is away.
    """
    draft = Rulebook(0, parse_rulebook(body, origin))
    books = _Books(database)
    what_if = WhatIf()
    run_ids = runs_of_units(database, filters)
    progress(0, len(run_ids))
    for start in range(0, len(run_ids), _CHUNK):
        chunk = run_ids[start : start + _CHUNK]
        for stored, run in _replayed(database, chunk):
            before = judge(run, books.version(stored.rulebook_version))
            what_if.add(_historic(stored), before, judge(run, draft))
        progress(start + len(chunk), len(run_ids))
    report = what_if.report()
    latest = latest_runs(database, (each.run.unit_id for each in report.changes))
    return as_facts(report, latest) | {"draft": {"origin": origin, "rule_count": len(draft.rules)}}


class _Books:
    """The rulebooks that judged the history, each loaded once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[int, Rulebook] = {0: Rulebook(0, ())}

    def version(self, number: int) -> Rulebook:
        if number not in self._known:
            stored = rulebook(self._database, number)
            if stored is None:
                raise RulebookError(f"rulebook {number}, which judged these runs, is not stored.")
            rules = parse_rulebook(stored.body, f"rulebook {number}")
            self._known[number] = Rulebook(number, rules)
        return self._known[number]


def _replayed(database: Database, run_ids: Sequence[int]) -> Iterator[tuple[StoredRun, DecodedRun]]:
    """Yield stored runs with what their message says, decoded as it was then."""
    found = sorted(stored_runs(database, run_ids), key=attrgetter("raw_id", "machine_id"))
    messages = payloads(database, [each.raw_id for each in found])
    found = [each for each in found if each.raw_id in messages]  # others were deleted meanwhile
    for (raw_id, machine_id), group in groupby(found, attrgetter("raw_id", "machine_id")):
        runs = list(group)
        decoded = decode_stored(messages[raw_id], machine_id, [each.element for each in runs])
        for stored, run in zip(runs, decoded, strict=True):
            yield stored, run._replace(line=stored.line, started_at=stored.started_at)


def _historic(stored: StoredRun) -> HistoricRun:
    return HistoricRun(
        stored.run_id,
        stored.unit_id,
        stored.is_first,
        stored.is_second,
        stored.is_last,
        stored.outcome,
    )
