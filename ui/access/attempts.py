"""How often somebody may try to log in. Pure: no I/O."""

from collections import OrderedDict, deque
from ipaddress import IPv6Address, ip_address
from typing import Final

TRIES_MAX: Final = 5
ADDRESS_TRIES_MAX: Final = 50
"""Of one address, whatever the names: behind a proxy a whole shift may log in from one."""

_WITHIN_S: Final = 60.0
_KEPT_MAX: Final = 10_000
_HOST_BITS: Final = 64
"""Of an address of IPv6: who has one has all that differ in these alone."""
_TEXT_CHARS_MAX: Final = 64


class Attempts:
    """The tries of the last minute, by user and address, and by address."""

    def __init__(self) -> None:
        self._tries: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def wait_s(self, user: str, address: str, now_s: float) -> float:
        """Return how long to wait before the next try, 0 for not at all, and count this one.

        One that has to wait is not counted: a flood of names from an address that may try no more
        drives no other's tries out of memory.

        Args:
            user: The name that is tried, whether there is such a user or not.
            address: Where the try comes from.
            now_s: Of a clock that only goes forward, in seconds.
        """
        place = _place(address)
        limits = {(user, place): TRIES_MAX, ("", place): ADDRESS_TRIES_MAX}
        waits = [self._wait_s(key, most, now_s) for key, most in limits.items()]
        if not any(waits):
            for key in limits:
                self._count(key, now_s)
        return max(waits)

    def forget(self, user: str, address: str) -> None:
        """Begin anew for somebody who has got in."""
        self._tries.pop((user, _place(address)), None)

    def _wait_s(self, key: tuple[str, str], most: int, now_s: float) -> float:
        tries = self._tries.get(key, deque())
        while tries and tries[0] <= now_s - _WITHIN_S:
            tries.popleft()
        return 0.0 if len(tries) < most else tries[0] + _WITHIN_S - now_s

    def _count(self, key: tuple[str, str], now_s: float) -> None:
        self._tries.setdefault(key, deque()).append(now_s)
        self._tries.move_to_end(key)
        if len(self._tries) > _KEPT_MAX:
            self._tries.popitem(last=False)


def _place(address: str) -> str:
    """Return what stands for all addresses that one host may take; other text as it is."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:_TEXT_CHARS_MAX]
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or int(found) >> _HOST_BITS)
