"""A trouble that lasts, in the log: said at once, then ever more rarely, and once when it is over.

Whoever tries again every few seconds would else fill the log with the same line.
"""

import time
from collections.abc import Sequence
from typing import Final

import structlog

log = structlog.get_logger()

_REASONS_MAX: Final = 8
"""Of one trouble; whose words differ each time says nothing new with them."""


class Repeats:
    """Tells which repeats of a trouble are worth a line: the 1st, 2nd, 4th, 8th …, new words."""

    def __init__(self) -> None:
        self.count = 0
        """How often it was noted."""
        self._reasons: set[str] = set()

    def is_worth_a_line(self, reason: str) -> bool:
        """Note it once more."""
        self.count += 1
        is_new = reason not in self._reasons and len(self._reasons) < _REASONS_MAX
        if is_new:
            self._reasons.add(reason)
        return is_new or not self.count & (self.count - 1)


class Outage:
    """One thing that may be away, as one part of a program sees it."""

    def __init__(self, lost: str, back: str) -> None:
        """Name what is logged.

        Args:
            lost: The event while it is away.
            back: The event when it is back.
        """
        self._lost, self._back = lost, back
        self._repeats = Repeats()
        self._since_s = 0.0

    def note(self, reason: str, **facts: object) -> None:
        """Note one attempt that failed."""
        if not self._repeats.count:
            self._since_s = time.monotonic()
        if self._repeats.is_worth_a_line(reason):
            log.warning(self._lost, reason=reason, attempt=self._repeats.count, **facts)

    def over(self, **facts: object) -> None:
        """Note that it works; nothing is said where it did before."""
        if attempts := self._repeats.count:
            away_s = round(time.monotonic() - self._since_s, 1)
            log.info(self._back, attempts=attempts, away_s=away_s, **facts)
            self._repeats = Repeats()


class Refusals:
    """What the broker's access list denies one part of a program: a person must act."""

    def __init__(self, event: str) -> None:
        """Name the event that is logged."""
        self._event = event
        self._repeats = Repeats()
        self._count = 0

    def note(self, reasons: Sequence[str]) -> None:
        """Note why messages of one publish were denied; empty: none was."""
        if not reasons:
            return
        self._count += len(reasons)
        words = sorted(set(reasons))
        if self._repeats.is_worth_a_line(" ".join(words)):
            remedy = "grant the service its topics in the broker's ACL (docs/deploy/mosquitto.acl)"
            log.error(self._event, reasons=words, count=self._count, remedy=remedy)
