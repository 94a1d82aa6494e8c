"""Which messages are under way without a receipt, and which to repeat when. Pure: no I/O.

A message is repeated after 10 s, then twice that and so on, ± 25 %, at most 15 min. While nothing
is receipted only the oldest is repeated: an outage must not fill the broker with copies.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

COUNT_MAX: Final = 500
"""How many, unless the settings say otherwise."""
REPEAT_S: Final = 10.0
REPEAT_MAX_S: Final = 900.0
_SPREAD: Final = 0.25


@dataclass
class _Sent:
    repeats: int = 0
    sent_at: float | None = None
    """None: the broker has not confirmed it."""
    due_at: float = 0.0


class Window:
    """Some messages without receipt, by their spool id. Times are of one clock, in seconds.

    Args:
        chance: Where the spread of the repeats comes from.
        count_max: Never more than so many.
    """

    def __init__(self, chance: random.Random | None = None, *, count_max: int = COUNT_MAX) -> None:
        self._count_max = count_max
        self._chance = chance or random.Random()  # noqa: S311 - a spread, no secret
        self._sent: dict[int, _Sent] = {}  # oldest first: ids rise, and only grow at the end
        self._receipt_at = float("-inf")

    def __len__(self) -> int:
        return len(self._sent)

    @property
    def room(self) -> int:
        """How many more may be sent."""
        return self._count_max - len(self._sent)

    def sending(self, messages: Iterable[int]) -> None:
        """Note what is handed to the broker; unconfirmed until `confirmed`."""
        for message in messages:
            sent = self._sent.setdefault(message, _Sent())
            sent.sent_at, sent.due_at = None, 0.0

    def confirmed(self, messages: Iterable[int], now: float) -> None:
        """Note that the broker has them; a receipt may have been quicker."""
        for message in messages:
            sent = self._sent.get(message)
            if sent is not None:
                sent.sent_at = now
                sent.due_at = now + self._wait_s(sent.repeats)
                sent.repeats += 1

    def receipted(self, messages: Iterable[int], now: float) -> None:
        """Forget what is stored. After a silence the others get time to be answered too."""
        for message in messages:
            self._sent.pop(message, None)
        if now - self._receipt_at > REPEAT_S:
            for sent in self._sent.values():
                if sent.sent_at is None:
                    continue
                sent.due_at = max(sent.due_at, now + self._wait_s(0))
        self._receipt_at = now

    def reconnected(self, now: float) -> None:
        """Start the waiting anew: what the last connection heard says nothing about this one."""
        for sent in self._sent.values():
            sent.repeats = 0
            sent.due_at = now if sent.sent_at is None else now + self._wait_s(0)

    def due(self, now: float) -> list[int]:
        """Return what to send again now, oldest first; may be empty."""
        return [each for each in self._eligible() if self._sent[each].due_at <= now]

    def next_due_at(self) -> float | None:
        """Return when `due` next has something; None while nothing is under way."""
        return min((self._sent[each].due_at for each in self._eligible()), default=None)

    def _eligible(self) -> list[int]:
        """Return what may be repeated, oldest first: while nothing is receipted one message."""
        confirmed = [each for each, sent in self._sent.items() if sent.sent_at is not None]
        if confirmed and self._is_silent(confirmed[0]):
            kept = confirmed[0]
            return [
                each for each, sent in self._sent.items() if sent.sent_at is None or each == kept
            ]
        return list(self._sent)

    def _is_silent(self, oldest: int) -> bool:
        sent_at = self._sent[oldest].sent_at
        return sent_at is not None and self._receipt_at < sent_at

    def _wait_s(self, repeats: int) -> float:
        spread = self._chance.uniform(1 - _SPREAD, 1 + _SPREAD)
        return min(REPEAT_MAX_S, REPEAT_S * 2.0 ** min(repeats, 30) * spread)
