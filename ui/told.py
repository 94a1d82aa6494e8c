"""What an agent may tell of itself, in bounds: anybody may publish anything. Pure: no I/O."""

import math
from collections.abc import Mapping
from typing import Final

FACTS_MAX: Final = 50
TEXT_MAX: Final = 500
_NAME_MAX: Final = 64
_WHOLE_MAX: Final = 2**53
"""A browser counts no further without gaps."""


def agent_facts(told: Mapping[str, object]) -> dict[str, object]:
    """Return what of an agent's word can be shown, counted and sent on.

    Texts (shortened), truth, and numbers that a browser can hold; the first few of them. What is
    left out is as if it had not been told.
    """
    fit = ((name, _fit(value)) for name, value in told.items() if len(name) <= _NAME_MAX)
    kept = [(name, value) for name, value in fit if value is not None]
    return dict(kept[:FACTS_MAX])


def _fit(value: object) -> object:
    """Return a value as it may be passed on; None: it may not."""
    if isinstance(value, str):
        return value[:TEXT_MAX]
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _WHOLE_MAX else None
    return value if isinstance(value, float) and math.isfinite(value) else None
