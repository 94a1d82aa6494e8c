"""The tables. Rows are dumb: filled from judged messages only, and they never leave this package.

Names (machines, lines, products, procedures, steps …) are small integers in the big tables, with
their text once in `name`. Times are microseconds since 1970 UTC: both databases order and compare
them alike, and a row stays short. What an enum holds is stored as its code in `codes.py`.
"""

from typing import Final

from sqlalchemy import MetaData
from sqlmodel import SQLModel

from service.store.tables import (
    alerts,
    names,
    operations,
    people,
    rollups,
    rules,
    runs,
    units,
)

__all__ = [
    "METADATA",
    "alerts",
    "names",
    "operations",
    "people",
    "rollups",
    "rules",
    "runs",
    "units",
]

METADATA: Final[MetaData] = SQLModel.metadata
"""Every table by its name: importing the modules above is what fills it."""
