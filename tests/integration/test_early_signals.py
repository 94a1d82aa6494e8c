"""A program that is stopped in its first second ends as one that is stopped later."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import YIELDLINE, Process
from tests.support.waiting import eventually_sync


@contextmanager
def reading_its_settings(folder: Path, *arguments: str) -> Iterator[Process]:
    """Start a program that stays in the reading of its settings: they are a pipe."""
    pipe = folder / "settings.toml"
    os.mkfifo(pipe)

    def opened() -> int | None:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return None  # nobody reads yet

    environment = {"YIELDLINE_CONFIG": str(pipe)}
    with Process([YIELDLINE, *arguments], environment=environment, directory=folder) as process:
        writer = eventually_sync(opened, 30, saw=lambda: process.output)
        assert isinstance(writer, int)
        try:
            yield process
        finally:
            os.close(writer)


@pytest.mark.parametrize(
    ("arguments", "number", "exit_code"),
    [
        ("service", signal.SIGTERM, 0),
        ("up", signal.SIGINT, 0),
        ("ui", signal.SIGTERM, 0),
        ("simulate", signal.SIGTERM, 0),
        ("agent run --config settings.toml", signal.SIGTERM, 0),
        ("agent run --config settings.toml --once", signal.SIGTERM, 1),  # it has not sent it all
    ],
)
def test_a_signal_before_the_settings_are_read_ends_it_in_order(
    tmp_path: Path, arguments: str, number: signal.Signals, exit_code: int
) -> None:
    with reading_its_settings(tmp_path, *arguments.split()) as process:
        process.send(number)
        assert process.wait(20) == exit_code
        assert process.output == ""
