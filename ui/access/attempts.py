"""How often somebody may try to log in. Pure: no I/O."""

from collections import OrderedDict, deque
from typing import Final

TRIES_MAX: Final = 5
ADDRESS_TRIES_MAX: Final = 50
"""Of one address, whatever the names: behind a proxy a whole shift may log in from one."""

_WITHIN_S: Final = 60.0
_KEPT_MAX: Final = 10_000


class Attempts:
    """The tries of the last minute, by user and address, and by address."""

    def __init__(self) -> None:
        self._tries: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def wait_s(self, user: str, address: str, now_s: float) -> float:
        """Return how long to wait before the next try, 0 for not at all, and count this one.

        Args:
            user: The name that is tried, whether there is such a user or not.
            address: Where the try comes from.
            now_s: Of a clock that only goes forward, in seconds.
        """
        limits = {(user, address): TRIES_MAX, ("", address): ADDRESS_TRIES_MAX}
        waits = [self._wait_s(key, most, now_s) for key, most in limits.items()]
        if not any(waits):
            for key in limits:
                self._tries[key].append(now_s)
        return max(waits)

    def forget(self, user: str, address: str) -> None:
        """Begin anew for somebody who has got in."""
        self._tries.pop((user, address), None)

    def _wait_s(self, key: tuple[str, str], most: int, now_s: float) -> float:
        tries = self._tries.setdefault(key, deque())
        self._tries.move_to_end(key)
        if len(self._tries) > _KEPT_MAX:
            self._tries.popitem(last=False)
        while tries and tries[0] <= now_s - _WITHIN_S:
            tries.popleft()
        return 0.0 if len(tries) < most else tries[0] + _WITHIN_S - now_s
