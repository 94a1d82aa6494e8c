"""A time as the tables hold it: whole microseconds since 1970 UTC. Pure: no I/O."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST_US: Final = 253_402_300_799_999_999
"""The last moment that a datetime holds."""


def microseconds(at: datetime) -> int:
    """Return an aware time as whole microseconds since 1970 UTC."""
    passed = at - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def moment(at_us: int) -> datetime:
    """Return a stored time as an aware datetime, exact to the microsecond."""
    return _EPOCH + timedelta(microseconds=at_us)
