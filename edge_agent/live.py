"""Parsers in the middle of a unit, kept from look to look, bounded. Pure: no I/O.

What half a unit takes in memory is a multiple of its bytes that depends on the format; the largest
unit of each format takes what the agent's service may have. So all of them together may hold as
much of their largest units as makes one.
"""

from typing import Final, NamedTuple

from edge_agent.intake import Live
from edge_agent.looks import Key

COUNT_MAX: Final = 64


class _Held(NamedTuple):
    live: Live
    share: float
    """What of the largest unit of its format it was fed since its unit began."""

    @property
    def is_refused(self) -> bool:
        """Its unit is too large: of that little is in memory, and to read it again takes long."""
        return self.share > 1


class LiveUnits:
    """Half read units by file. One that is let go is read again from its start."""

    def __init__(self) -> None:
        self._held: dict[Key, _Held] = {}  # least recently fed first

    def take(self, key: Key, share: float) -> Live | None:
        """Return a file's parser to feed it, and make room for what it will hold.

        Args:
            key: Which file.
            share: What of a largest unit the file has behind its last complete one.
        """
        own = self._held.pop(key, None)
        if own and own.is_refused:
            share -= own.share
        self._make_room(min(1.0, share))
        return own.live if own else None

    def hold(self, key: Key, live: Live, share: float) -> None:
        """Keep a parser for the next look.

        Args:
            key: Of which file.
            live: After it was fed.
            share: What of a largest unit it was fed since its unit began.
        """
        self._held[key] = _Held(live, share)
        while len(self._held) > COUNT_MAX:
            self.drop(next(iter(self._held)))

    def drop(self, key: Key) -> None:
        """Let a file's parser go, if there is one."""
        self._held.pop(key, None)

    def _make_room(self, share: float) -> None:
        held = {key: each.share for key, each in self._held.items() if not each.is_refused}
        for key in list(held):
            if share + sum(held.values()) <= 1:
                return
            self.drop(key)
            del held[key]
