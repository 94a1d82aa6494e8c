"""The status line and the pulse of every page: what is well, and what is not. Pure: no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from service.store.queries.alerts import AlertPulse
from service.store.queries.pages_status import StatusFacts
from ui.figures import shift_label
from ui.floor_model import FloorModel
from ui.floor_view import Frame
from ui.state import LiveHub

SILENT_MAX_S: Final = 10.0
"""It is asked every few seconds; what it said longer ago is not taken for true."""


@dataclass(slots=True)
class StoredStatus:
    """What the database last answered."""

    facts: StatusFacts | None = None
    """None: nothing yet."""
    books: Mapping[str, Any] = field(default_factory=dict)
    """The sums of all senders' books, the senders' own half too."""
    alerts: AlertPulse | None = None
    trouble: str | None = None
    """Why it did not answer; None: it did."""
    answered_s: float = 0.0
    """When it last answered, in seconds since 1970."""

    def trouble_at(self, now_s: float) -> str | None:
        """Return why it does not answer, also where a question simply hangs; None: it does."""
        silent_s = now_s - self.answered_s
        if self.trouble is None and self.facts is not None and silent_s > SILENT_MAX_S:
            return f"the database has not answered for {silent_s:.0f} s. Is it overloaded?"
        return self.trouble


def status_line(
    live: LiveHub, model: FloorModel, stored: StoredStatus, *, lag_s: float | None, now_s: float
) -> Frame:
    """Return the status line and the pulse.

    Args:
        live: How the broker is.
        model: The floor.
        stored: What the database says.
        lag_s: The usual time from the service's hand to ours, in seconds; None: it cannot be told.
        now_s: Seconds since 1970.
    """
    newest, facts, trouble = model.live, stored.facts, stored.trouble_at(now_s)
    return {
        "broker": live.connected,
        "broker_since": live.changed_at.timestamp(),
        "broker_trouble": live.trouble,
        "newest": newest[-1].received_s if newest else None,
        "per_second": _per_second(model, now_s),
        "shift": _shift(model),
        "counted_since": model.uncounted.until_s if model.uncounted else None,
        "shift_start": model.start_s,
        "shift_end": model.end_s,
        "database": trouble is None and facts is not None,
        "database_trouble": trouble,
        "lag_ms": None if lag_s is None else round(max(0.0, lag_s) * 1000, 1),
        **(_facts(facts, stored.books) if facts else {}),
        **(_bell(stored.alerts) if stored.alerts else {}),
    }


def _shift(model: FloorModel) -> str:
    """Return the shift in words; also from when on its figures count, where not from its start."""
    label, uncounted = shift_label(model.shift, model.zone), model.uncounted
    if uncounted is None:
        return label
    return f"{label}, counted since {datetime.fromtimestamp(uncounted.until_s, model.zone):%H:%M}"


def _per_second(model: FloorModel, now_s: float) -> float:
    """Return results a second over the newest few."""
    moments = [seen.received_s for seen in model.live if seen.received_s > now_s - 60]
    return round(len(moments) / max(1.0, now_s - min(moments)), 1) if moments else 0.0


def _bell(pulse: AlertPulse) -> Frame:
    """Return the counts of alerts, and a number that rises when any of them changes."""
    counts = {f"alerts_{state}": count for state, count in pulse.counts.items()}
    return {**counts, "alerts_event": pulse.newest_event}


def _facts(facts: StatusFacts, sums: Mapping[str, Any]) -> Frame:
    """Return what only the database knows: the books, rejections, the rulebook in force."""
    return {
        "books": sums,
        "rejections_open": facts.rejections_open,
        "database_ms": round(facts.database_ms, 1),
        "rulebook": facts.rulebook_version,
        "rulebook_since": facts.rulebook_at.timestamp() if facts.rulebook_at else None,
    }
