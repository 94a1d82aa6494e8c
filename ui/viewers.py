"""Who watches the live pages: which view, and what its browser has painted. Pure: no I/O.

A viewer gets a frame only when it has given credit: painted the last one, and visible.
"""

from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from ui.meter import Meter

VIEWERS_MAX: Final = 1_000


@dataclass(slots=True)
class _Viewer:
    view: str
    seen: int
    """The number of the newest frame it has painted; -1: none."""
    has_credit: bool = True


class Viewers:
    """The open pages of one process, by client id."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._viewers: dict[str, _Viewer] = {}

    def __len__(self) -> int:
        return len(self._viewers)

    @property
    def views(self) -> set[str]:
        """What they look at."""
        return {each.view for each in self._viewers.values()}

    def give_credit(self, client_id: str, view: str, seen: int) -> bool:
        """Note what a browser has painted; False where there are too many viewers for a new one.

        Args:
            client_id: Whose.
            view: What it shows now.
            seen: The number of the newest frame it has painted; -1: none.
        """
        if client_id not in self._viewers and len(self._viewers) >= VIEWERS_MAX:
            return False
        self._viewers[client_id] = _Viewer(view, seen)
        return True

    def take_ready(self, before: int) -> dict[tuple[str, bool], list[str]]:
        """Return the viewers with credit, by view and by whether they have seen all but this.

        Their credit is spent.

        Args:
            before: The number of the frame before the one to send; -1: it adds to none.
        """
        ready: dict[tuple[str, bool], list[str]] = {}
        for client_id, viewer in self._viewers.items():
            if viewer.has_credit:
                ready.setdefault((viewer.view, viewer.seen == before >= 0), []).append(client_id)
                viewer.has_credit = False
                self._meter.frames += 1
            else:
                self._meter.skipped += 1
        return ready

    def keep_only(self, open_ids: Container[str]) -> None:
        """Forget the pages that are closed."""
        for client_id in [each for each in self._viewers if each not in open_ids]:
            del self._viewers[client_id]
