"""Ending before there is anything to end in order: the first second of a program that runs on."""

import signal
from types import FrameType
from typing import NoReturn


def leave_when_told(exit_code: int = 0) -> None:
    """Let SIGINT and SIGTERM end this program from now on, until its own handlers stand.

    Call it first of all: what a program imports and reads before it works takes a second, and
    who stops it meanwhile would see it end by a signal, as if it had crashed. Main thread only.

    Args:
        exit_code: With what; 0 unless it has been asked for work that is now not done.
    """

    def leave(_number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(exit_code)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
