"""How far a command is: a bar on a terminal's stderr, nothing elsewhere."""

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn


class ProgressBar:
    """So many done of so many in all."""

    def __init__(self, words: str = "runs") -> None:
        columns = (BarColumn(), MofNCompleteColumn(), words, TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("runs", total=None)
        self._is_shown = self._bar.console.is_terminal

    def __enter__(self) -> Self:
        if self._is_shown:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_shown:
            self._bar.stop()

    def show(self, done: int, total: int) -> None:
        """Say how many are done, of how many."""
        self._bar.update(self._task, completed=done, total=total)
