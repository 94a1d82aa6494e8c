"""The sample rulebook, by which a demo is judged that is started away from the project's folder.

It is the project's `rules.toml`; an installed package carries it beside this file, a checkout has
it in its root.
"""

from pathlib import Path
from typing import Final

_PACKED: Final = Path(__file__).resolve().with_name("rules.toml")


def sample_rules() -> Path | None:
    """Return the file that an installed package carries; None in a checkout."""
    return _PACKED if _PACKED.is_file() else None
