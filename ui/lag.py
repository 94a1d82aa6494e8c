"""How long results take from the service's hand to ours, and whether we fall behind. Pure.

Two clocks are in it, the service's and ours: only what a lag has grown by tells that messages wait.
"""

from collections import deque
from statistics import median
from typing import Final

BEHIND_S: Final = 30.0
"""So much older than once are the newest results that what waits is better read anew."""
_KEPT: Final = 50


class Lag:
    """The lags of the newest results, since a connection began."""

    def __init__(self) -> None:
        self._lags_s: deque[float] = deque(maxlen=_KEPT)
        self._least_s = float("inf")

    def note(self, lag_s: float) -> None:
        """Take the lag of one result that was not known before; repeats are as old as they are."""
        self._lags_s.append(lag_s)
        self._least_s = min(self._least_s, lag_s)

    @property
    def usual_s(self) -> float | None:
        """The median; None while nothing came. Below 0 where our clock is behind."""
        return median(self._lags_s) if self._lags_s else None

    @property
    def is_behind(self) -> bool:
        """Tell whether results wait for us longer and longer."""
        if len(self._lags_s) < _KEPT:
            return False
        return median(self._lags_s) - self._least_s > BEHIND_S

    def restart(self) -> None:
        """Forget all: what waited was thrown away."""
        self._lags_s.clear()
        self._least_s = float("inf")
