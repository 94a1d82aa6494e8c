"""Which refused calls are logged: all of somebody who errs, few of a loop. Pure: no I/O."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

LINES_MAX: Final = 10
WITHIN_S: Final = 60.0
_KEPT_MAX: Final = 10_000


@dataclass
class _Minute:
    """The refusals of somebody since a moment."""

    began_s: float
    lines: int = 0
    unlogged: int = 0


class Refusals:
    """How many lines each has had: at most LINES_MAX within WITHIN_S."""

    def __init__(self) -> None:
        self._minutes: OrderedDict[str, _Minute] = OrderedDict()

    def note(self, who: str, now_s: float) -> int | None:
        """Count a refusal; return how many before it had no line, None: nor has this one.

        Args:
            who: Whose call it was.
            now_s: Of a clock that only goes forward, in seconds.
        """
        known = self._minutes.setdefault(who, _Minute(now_s))
        self._minutes.move_to_end(who)
        if len(self._minutes) > _KEPT_MAX:
            self._minutes.popitem(last=False)
        if now_s - known.began_s >= WITHIN_S:
            known.began_s, known.lines = now_s, 0
        if known.lines >= LINES_MAX:
            known.unlogged += 1
            return None
        known.lines += 1
        unlogged, known.unlogged = known.unlogged, 0
        return unlogged
