"""What the parts of a service process beside the subscriber say of themselves."""

from dataclasses import dataclass, field

_ANSWERS = ("allowed", "refused", "invalid", "late")


def _no_answers() -> dict[str, int]:
    return dict.fromkeys(_ANSWERS, 0)


@dataclass(slots=True)
class Pulse:
    """One process; each part writes its own figures, on the event loop."""

    checks: dict[str, int] = field(default_factory=_no_answers)
    """Checks by what became of them: answered (allowed, refused), not understood, too old."""
