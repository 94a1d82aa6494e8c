"""SIGINT and SIGTERM: how our programs hear that they shall end, from first moment to last."""

import asyncio
import os
import signal
import threading
from types import FrameType
from typing import Final, NoReturn

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_EXIT_FAILED: Final = 1
_STDERR: Final = 2


def leave_when_told(exit_code: int = 0) -> None:
    """Let SIGINT and SIGTERM end this program from now on, until its own handlers stand.

    Call it first of all: what a program imports and reads before it works takes a second, and
    who stops it meanwhile would see it end by a signal, as if it had crashed. Main thread only.

    Args:
        exit_code: With what; 0 unless it has been asked for work that is now not done.
    """

    def leave(_number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(exit_code)

    for number in _SIGNALS:
        signal.signal(number, leave)


def stop_when_told(stop: asyncio.Event, patience_s: float) -> None:
    """Set `stop` on the first signal; end the process on the second, or when that takes too long.

    A thread that waits for a database that does not answer cannot be cancelled, and its end is
    waited for. Call it in the loop's thread, the main one.

    Args:
        stop: Whoever works looks at it.
        patience_s: Seconds to end in order.
    """
    loop = asyncio.get_running_loop()

    def begin() -> None:
        if stop.is_set():
            return
        stop.set()
        for number in _SIGNALS:  # the loop may stand still by then
            signal.signal(number, lambda *_: _leave_at_once("told so twice"))
        words = f"still at work {patience_s:g} s after it was told to stop"
        timer = threading.Timer(patience_s, _leave_at_once, (words,))
        timer.daemon = True
        timer.start()

    for number in _SIGNALS:
        try:
            loop.add_signal_handler(number, begin)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(begin))


def _leave_at_once(why: str) -> NoReturn:
    sentence = (
        f"ended at once: {why}. What was in hand is not finished, and is not lost: it was not"
        " acknowledged, and comes again at the next start.\n"
    )
    os.write(_STDERR, sentence.encode())  # whoever writes there now may be what is interrupted
    os._exit(_EXIT_FAILED)
