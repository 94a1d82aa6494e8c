"""Judge stored history again by a draft: what it would have passed and failed, unit by unit."""

from collections.abc import Callable
from typing import Final

from service.commands.backtest_report import as_facts
from service.commands.replay import Rulebooks, replayed
from service.core.judge import judge
from service.core.lookup import Rulebook
from service.core.whatif import HistoricRun, WhatIf
from service.rulebook import parse_rulebook
from service.store.database import Database
from service.store.queries.base import Facts
from service.store.queries.filters import Filters
from service.store.queries.history import StoredRun, latest_runs, runs_of_units

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

    Streams: of the history a chunk is in memory, of the result the runs that are named.

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
    books = Rulebooks(database)
    what_if = WhatIf()
    run_ids = runs_of_units(database, filters)
    progress(0, len(run_ids))
    for start in range(0, len(run_ids), _CHUNK):
        chunk = run_ids[start : start + _CHUNK]
        for stored, run in replayed(database, chunk):
            before = judge(run, books.version(stored.rulebook_version))
            what_if.add(_historic(stored), before, judge(run, draft))
        progress(start + len(chunk), len(run_ids))
    report = what_if.report()
    latest = latest_runs(database, (each.run.unit_id for each in report.changes))
    return as_facts(report, latest) | {"draft": {"origin": origin, "rule_count": len(draft.rules)}}


def _historic(stored: StoredRun) -> HistoricRun:
    return HistoricRun(
        stored.run_id,
        stored.unit_id,
        stored.is_first,
        stored.is_second,
        stored.is_last,
        stored.outcome,
    )
