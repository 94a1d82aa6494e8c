"""What a person sees while old logs are caught up: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import structlog

from edge_agent.spool import Books
from edge_agent.words import duration, size

if TYPE_CHECKING:
    from rich.progress import Progress

_PLAIN_EVERY_S: Final = 5.0
_BACKLOG_BYTES: Final = 1_000_000
"""Less is read before a person has looked."""

log = structlog.get_logger()


class CatchUp:
    """How far a backlog is read, from how much is left. Times are of one clock, in seconds."""

    def __init__(self) -> None:
        self.total_bytes = self.left_bytes = 0
        self._began_at = 0.0

    def update(self, left_bytes: int, now: float) -> None:
        """Take what is left now; it may grow, since machines go on writing."""
        if self.left_bytes == 0 and left_bytes:
            self.total_bytes, self._began_at = 0, now
        self.left_bytes = left_bytes
        self.total_bytes = max(self.total_bytes, left_bytes)

    @property
    def read_bytes(self) -> int:
        """How much of the total is read."""
        return self.total_bytes - self.left_bytes

    def rate(self, now: float) -> float:
        """Return bytes a second since it began; 0 before anything is known."""
        seconds = now - self._began_at
        return self.read_bytes / seconds if seconds > 0 else 0.0

    def eta_s(self, now: float) -> float | None:
        """Return the seconds that the rest will take; None while nothing moves."""
        rate = self.rate(now)
        return self.left_bytes / rate if rate else None


class RunProgress:
    """Bytes read of bytes there are, and messages stored, on stderr. Use it in a `with`.

    Args:
        is_constant: Show from start to end; else only while there is a backlog.
    """

    def __init__(self, *, is_constant: bool) -> None:
        self._is_constant = is_constant
        self._catch_up = CatchUp()
        self._bar: _Bar | None = None
        self._said: tuple[Books, int] = (Books(), 0)
        self._said_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hide()

    def show(self, books: Books, left_bytes: int) -> None:
        """Show where it stands; call it as often as you like."""
        now = time.monotonic()
        self._catch_up.update(left_bytes, now)
        is_wanted = self._is_constant or left_bytes >= _BACKLOG_BYTES
        if not is_wanted and not (self._bar and left_bytes):
            self._hide()
        elif sys.stderr.isatty() or self._bar:
            self._bar = self._bar or _Bar()
            self._bar.show(self._catch_up, books)
        elif now - self._said_at >= _PLAIN_EVERY_S and self._said != (books, left_bytes):
            self._said, self._said_at = (books, left_bytes), now
            self._say(books, now)

    def _say(self, books: Books, now: float) -> None:
        catch_up = self._catch_up
        eta_s = catch_up.eta_s(now)
        log.info(
            "catching_up",
            read=f"{size(catch_up.read_bytes)} of {size(catch_up.total_bytes)}",
            rate=f"{size(catch_up.rate(now))}/s",
            left="unknown" if eta_s is None else duration(eta_s),
            summary=sentence(books),
        )

    def _hide(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None


class StepProgress:
    """One step of a command, on stderr. Use it in a `with`.

    Args:
        words: What is being done.
        total: Bytes, or a count.
        is_bytes: Which of the two.
    """

    def __init__(self, words: str, total: int, *, is_bytes: bool = False) -> None:
        self._words, self._total, self._is_bytes = words, total, is_bytes
        self._said_at = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = _progress("{task.description}", is_bytes=self._is_bytes)
            self._task = self._bar.add_task(self._words, total=self._total)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def show(self, done: int) -> None:
        """Show how much is done; call it as often as you like."""
        if self._bar:
            self._bar.update(self._task, completed=done)
        elif time.monotonic() - self._said_at >= _PLAIN_EVERY_S:
            self._said_at = time.monotonic()
            words = size if self._is_bytes else "{:,}".format
            log.info(self._words, done=words(done), of=words(self._total))


class _Bar:
    """The bar of `RunProgress`."""

    def __init__(self) -> None:
        self._progress = _progress("{task.fields[words]}")
        self._task = self._progress.add_task("reading", total=None, words="")
        self._progress.start()

    def show(self, catch_up: CatchUp, books: Books) -> None:
        words = f"{books.receipted:,} stored, {books.depth:,} waiting"
        self._progress.update(
            self._task,
            total=catch_up.total_bytes or None,
            completed=catch_up.read_bytes,
            words=words,
        )

    def stop(self) -> None:
        self._progress.stop()


def sentence(books: Books) -> str:
    """Return the books of this spool in words."""
    return (
        f"read {books.read} records: {books.refused} refused, {books.spooled} spooled,"
        f" {books.receipted} stored by the service, {books.depth} waiting"
    )


def _progress(last_column: str, *, is_bytes: bool = True) -> "Progress":
    from rich import progress as rich  # noqa: PLC0415 - a service without a terminal needs none
    from rich.console import Console  # noqa: PLC0415

    how_much = (rich.DownloadColumn(), rich.TransferSpeedColumn())
    return rich.Progress(
        rich.BarColumn(),
        *(how_much if is_bytes else (rich.MofNCompleteColumn(),)),
        rich.TimeRemainingColumn(),
        rich.TextColumn(last_column),
        console=Console(stderr=True),
        redirect_stdout=False,  # it is for what was asked for, perhaps a file
        transient=True,
    )
