"""Who is here now, on live pages and streams, so that their stay ends with their right to it."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ui.access.callers import Caller


class _Stay(NamedTuple):
    caller: Caller
    end: Callable[[], None]


class Presence:
    """Stays: of a page's socket, of a reader of a stream."""

    def __init__(self) -> None:
        self._stays: dict[object, _Stay] = {}

    def enter(self, caller: Caller, end: Callable[[], None]) -> Callable[[], None]:
        """Note that somebody stays.

        Args:
            caller: Who.
            end: Called once, on the event loop, when the stay must end.

        Returns:
            What to call when it ends by itself.
        """
        key = object()
        self._stays[key] = _Stay(caller, end)
        return lambda: self._stays.pop(key, None) and None

    def sweep(self, is_current: Callable[[Caller], bool]) -> int:
        """End the stays of those who may not stay; return how many."""
        over = list(self._over(is_current))
        for key in over:
            stay = self._stays.pop(key, None)
            if stay is not None:
                stay.end()
        return len(over)

    def _over(self, is_current: Callable[[Caller], bool]) -> Iterator[object]:
        known: dict[Caller, bool] = {}
        for key, stay in self._stays.items():
            caller = stay.caller
            if caller not in known:
                known[caller] = is_current(caller)
            if not known[caller]:
                yield key
