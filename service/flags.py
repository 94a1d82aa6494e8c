"""What is given as a flag, as values. Pure: no I/O."""

from datetime import UTC, datetime

from broker.errors import SettingsError


def moment_of(flag: str, text: str | None) -> datetime | None:
    """Return the time that a flag was given, aware, UTC; without an offset it is UTC.

    Raises:
        SettingsError: It is no time.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(
            f"{flag} {text!r} is not a time. Write it like 2026-11-23 or 2026-11-23T06:00+01:00."
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
