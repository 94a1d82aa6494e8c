"""A unit's journey: a lane a procedure, a card an attempt, what is still ahead. Pure: no I/O."""

from collections.abc import Mapping
from typing import Any, Final

from service.store.queries.pages_seed import TellingMeasurement
from ui.unit_view import Clock, Facts, mark_of, seconds_of, unrepaired
from ui.wording import duration, explain, thousands

CARDS_MAX: Final = 100
Telling = Mapping[int, tuple[bool, TellingMeasurement | None]]
"""By run: is one of its values marginal, and the measurement that explains it."""


def journey(unit: Facts, shown_run: int, telling: Telling, clock: Clock) -> list[Facts]:
    """Return a lane a procedure: those it was at, by first run, then those of its route ahead."""
    bare = unrepaired(unit["runs"])
    lanes: list[Facts] = []
    for procedure in unit["procedures"]:
        name = procedure["procedure"]
        runs = [run for run in unit["runs"] if run["procedure"] == name]
        cards = []
        for i, run in enumerate(runs):
            card, is_bare = _card(run, telling.get(run["run_id"]), clock), run["run_id"] in bare
            gap = _gap(runs[i - 1], run, clock, is_bare=is_bare) if i else ""
            card["note"] = " · ".join(filter(None, (gap, card["note"])))
            cards.append(card | {"retest": is_bare, "selected": run["run_id"] == shown_run})
        lanes.append(
            {
                "procedure": name,
                "count": f"{len(runs)} run{'s' if len(runs) > 1 else ''}",
                "hidden": max(0, len(cards) - CARDS_MAX),
                "cards": cards[-CARDS_MAX:],
                "ahead": None,
            }
        )
    return [*lanes, *_ahead(unit)]


def _ahead(unit: Facts) -> list[Facts]:
    """Return a lane for each procedure of the route where the unit has not been."""
    been = {each["procedure"] for each in unit["procedures"]}
    return [
        {
            "procedure": each["procedure"],
            "count": "not run",
            "hidden": 0,
            "cards": [],
            "ahead": {"allowed": each["allowed"], "reason": each["reason"]},
        }
        for each in unit["may_go_to"]
        if each["procedure"] not in been
    ]


def _gap(before: Facts, run: Facts, clock: Clock, *, is_bare: bool) -> str:
    """Say how long after the attempt before, and whether nothing was repaired in between."""
    gap = clock.local(run["timestamp"]) - clock.local(before["timestamp"])
    later = f"{duration(gap.total_seconds())} later"
    return f"{later} · no repair booked" if is_bare else later


def _card(
    run: Facts, telling: tuple[bool, TellingMeasurement | None] | None, clock: Clock
) -> dict[str, Any]:
    marginal, measurement = telling or (False, None)
    return {
        "run": run["run_id"],
        "mark": mark_of(run["outcome"], marginal=marginal),
        "outcome": run["outcome"].lower(),
        "machine": run["machine_id"],
        "time": clock.time(run["timestamp"]),
        "full": clock.full(run["timestamp"]),
        "note": _note(run, measurement),
        "differs": run["agrees"] is False,
        "reported": run["reported_outcome"],
    }


def _note(run: Facts, measurement: TellingMeasurement | None) -> str:
    if run["outcome"] != "PASS":
        if measurement is None:
            return run["first_failure"] or ""
        return f"{measurement.test_step} {explain(measurement)}"
    if run["agrees"] is False:
        failed = run["counts"]["FAIL"]
        steps = f"{thousands(failed)} step{'s' if failed > 1 else ''} failed"
        return steps if failed else f"tester said {run['reported_outcome']}"
    seconds = seconds_of(run)
    return "" if seconds is None else duration(seconds)
