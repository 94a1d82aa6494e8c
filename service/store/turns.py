"""Long work beside work that is in a hurry: done in short turns, with a rest after each."""

import time
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

Item = TypeVar("Item")
_TURN_S: Final = 0.0005
_REST_S: Final = 0.001


def in_turns(items: Iterable[Item]) -> Iterator[Item]:
    """Yield each item, and rest for a millisecond after each half of one that went into them.

    The interpreter runs one thread at a time: who works on and on lets a result wait at each of its
    steps until it is made to give way. While it rests, nobody waits for it at all.
    """
    begun_s = time.perf_counter()
    for item in items:
        yield item
        if time.perf_counter() - begun_s >= _TURN_S:
            time.sleep(_REST_S)
            begun_s = time.perf_counter()
