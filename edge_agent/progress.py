"""What a person sees while `--once` works: a bar on a terminal, plain lines elsewhere."""

import time
from types import TracebackType
from typing import Final, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from edge_agent.spool import Books

_PLAIN_EVERY_S: Final = 2.0


class OnceProgress:
    """Messages receipted of messages read, on stderr."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("stored"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("reading", total=None)
        self._is_terminal = console.is_terminal
        self._said, self._said_at = Books(), time.monotonic()

    def __enter__(self) -> Self:
        if self._is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_terminal:
            self._bar.stop()

    def show(self, books: Books, *, is_read: bool) -> None:
        """Show where it stands; call it as often as you like."""
        if self._is_terminal:
            words = "waiting for receipts" if is_read else "reading"
            self._bar.update(
                self._task, description=words, total=books.spooled, completed=books.receipted
            )
        elif books != self._said and time.monotonic() - self._said_at >= _PLAIN_EVERY_S:
            self._said, self._said_at = books, time.monotonic()
            typer.echo(sentence(books), err=True)


def sentence(books: Books) -> str:
    """Return the books of this spool in words."""
    return (
        f"read {books.read} records: {books.refused} refused, {books.spooled} spooled,"
        f" {books.receipted} stored by the service, {books.depth} waiting"
    )
