"""What a service process says of itself in the database, and what it knows of its former lives."""

import json
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from service.store.batches import Saved

_SESSION_LOST_SHOWN_S: Final = 600.0
_THEFTS_MAX: Final = 3
_THEFTS_WITHIN_S: Final = 60.0


class Thefts:
    """Tells a client that uses our name from a broker that is away.

    A broker that closes our connection while another one of ours to it lives, and while the number
    is ours by the database, has let somebody else in under our client id.
    """

    def __init__(self) -> None:
        self._at: deque[float] = deque(maxlen=_THEFTS_MAX)
        self._claim_count = 0

    def note(self, now: float, claim_count: int) -> None:
        """Note that we were thrown out, under this claim of our number."""
        if claim_count != self._claim_count:
            self._at.clear()  # the number was not ours in between: it may have been a twin
            self._claim_count = claim_count
        self._at.append(now)

    def are_certain(self, now: float, claim_count: int, *, is_session_gone: bool) -> bool:
        """Tell whether it cannot be otherwise: the third time in a minute, or the second.

        The second is enough where our queue went with it. The first never is: behind a cluster's
        load balancer a node that dies takes our queue and one of our two connections.
        """
        if claim_count != self._claim_count:
            return False
        count = sum(now - at <= _THEFTS_WITHIN_S for at in self._at)
        return count >= (_THEFTS_MAX - 1 if is_session_gone else _THEFTS_MAX)


class Backlog:
    """How long messages wait here, from a glance at the counts every now and then.

    No message carries a time for it: a glance that saw more arrive than is acknowledged by now
    tells how long the oldest has waited, at least.
    """

    def __init__(self) -> None:
        self._glances: deque[tuple[int, float]] = deque()
        """How many had arrived, and when; only while they are not all acknowledged."""

    def age_s(self, acked_count: int, pending_count: int, now: float) -> float:
        """Return for how many seconds at least the oldest has waited; 0 while none does.

        Args:
            acked_count: Messages of this connection that are stored, answered and acknowledged.
            pending_count: Messages that have arrived and are not.
            now: Monotonic, in seconds.
        """
        glances, arrived_count = self._glances, acked_count + pending_count
        while glances and glances[0][0] <= acked_count:
            glances.popleft()
        if arrived_count > (glances[-1][0] if glances else acked_count):
            glances.append((arrived_count, now))
        return now - glances[0][1] if glances else 0.0


class Vitals:
    """The facts of one process. It outlives connections; a row in the database outlives it."""

    def __init__(self) -> None:
        self.trouble = "starting"
        """In a sentence; empty while all is well."""
        self.has_session = False
        """The broker keeps a queue under our number."""
        self.refused_count = 0
        """Answers that the broker refused to take (only MQTT 5 tells)."""
        self.thefts = Thefts()
        self._session_lost_at: float | None = None
        self._counts = {"runs": 0, "duplicates": 0, "rejections": 0, "batches": 0}

    def remember(self, last_report: Mapping[str, Any]) -> None:
        """Take over what the number's former life left; empty: there was none."""
        self.has_session = bool(last_report.get("has_session"))

    def count(self, saved: Saved) -> None:
        """Count a batch that is stored, published and acknowledged."""
        self._counts["batches"] += 1
        self._counts["runs"] += len(saved.runs)
        self._counts["duplicates"] += len(saved.duplicates)
        self._counts["rejections"] += len(saved.rejections)

    def session_was_lost(self) -> None:
        """Note that the broker has forgotten our queue."""
        self._session_lost_at = time.monotonic()

    def facts(
        self,
        *,
        pending: int | None,
        lag_s: float,
        rulebook_version: int,
        crashes: int,
        beside: Mapping[str, object],
    ) -> str:
        """Return all of it as JSON.

        Args:
            pending: Messages that have arrived and are not acknowledged; None: not connected.
            lag_s: For how long the oldest of them has waited, at least.
            rulebook_version: The one in force here.
            crashes: Starts in a row that ended in a bug.
            beside: What the other parts of the process say.
        """
        lost_at = self._session_lost_at
        lost_s = None if lost_at is None else round(time.monotonic() - lost_at)
        said = {
            "connected": pending is not None and not self.trouble,
            "trouble": self.trouble,
            "pending": pending or 0,
            "lag_s": round(lag_s, 1),
            "rulebook_version": rulebook_version,
            "crashes": crashes,
            "has_session": self.has_session,
            "session_lost_s": lost_s if lost_s is None or lost_s < _SESSION_LOST_SHOWN_S else None,
            "answers_refused": self.refused_count,
            **self._counts,
            **beside,
        }
        return json.dumps(said)
