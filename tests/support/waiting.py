"""Poll to a deadline instead of sleeping; say what was last seen when it passes."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")

_PAUSE_S = 0.02


async def eventually(
    predicate: Callable[[], T | Awaitable[T]],
    timeout_s: float = 10,
    *,
    saw: Callable[[], Any] | None = None,
) -> T:
    """Await until `predicate()` is true and return its value.

    An `AssertionError` from it counts as "not yet", so it may assert. `saw` adds what to report.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        last: Any
        try:
            last = predicate()
            if inspect.isawaitable(last):
                last = await last
            if last:
                return last
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(_report(timeout_s, last, saw))
        await asyncio.sleep(_PAUSE_S)


def eventually_sync(
    predicate: Callable[[], T], timeout_s: float = 10, *, saw: Callable[[], Any] | None = None
) -> T:
    """Do the same without an event loop."""
    deadline = time.monotonic() + timeout_s
    while True:
        last: Any
        try:
            if last := predicate():
                return last
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(_report(timeout_s, last, saw))
        time.sleep(_PAUSE_S)


def _report(timeout_s: float, last: object, saw: Callable[[], Any] | None) -> str:
    text = f"not within {timeout_s} s; last saw {last!r}"
    return f"{text}\n{saw()}" if saw else text
