"""Numbers as a person reads them. Pure: no I/O."""

from datetime import UTC, datetime
from typing import Final

_MINUTE_S: Final = 60
_HOUR_S: Final = 3_600
_DAY_S: Final = 86_400
_STEP: Final = 1_000


def size(byte_count: float) -> str:
    """Return bytes in the largest decimal unit that leaves a digit: `512 bytes`, `1.4 MB`."""
    if byte_count < _STEP:
        return counted(int(byte_count), "byte")
    for unit in ("kB", "MB", "GB"):
        byte_count /= _STEP
        if byte_count < _STEP:
            return f"{byte_count:.1f} {unit}"
    return f"{byte_count / _STEP:.1f} TB"


def duration(seconds: float) -> str:
    """Return a length of time in one unit: `8 s`, `12 min`, `5 h`, `3 days`."""
    if seconds < 2 * _MINUTE_S:
        return f"{max(0, seconds):.0f} s"
    if seconds < 2 * _HOUR_S:
        return f"{seconds / _MINUTE_S:.0f} min"
    if seconds < 2 * _DAY_S:
        return f"{seconds / _HOUR_S:.0f} h"
    return f"{seconds / _DAY_S:.0f} days"


def moment(seconds: float) -> str:
    """Return seconds since 1970 as a UTC time to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, plural unless it is one: `1 message`, `2,000 messages`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
