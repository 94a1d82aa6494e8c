"""How long to wait before the next try."""

import random


def backoff_s(attempt: int, low_s: float, high_s: float) -> float:
    """Return a wait in seconds: doubling from `low_s` with full jitter, at most `high_s`."""
    return random.uniform(low_s / 2, min(high_s, low_s * 2 ** min(attempt, 30)))  # noqa: S311
