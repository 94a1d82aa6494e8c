"""The arithmetic of the queries, for pages that count what is live themselves. Pure: no I/O.

A figure of live results and the same one of stored results must not differ by a formula: so there
is only one of each.
"""

from service.core.breaks import breaks_of, breaks_within
from service.core.intervals import Estimate, wilson_interval
from service.core.shifts import Shift, shift_at
from service.core.yields import YieldCounts, estimate_rolled_throughput

__all__ = [
    "Estimate",
    "Shift",
    "YieldCounts",
    "breaks_of",
    "breaks_within",
    "estimate_rolled_throughput",
    "shift_at",
    "wilson_interval",
]
