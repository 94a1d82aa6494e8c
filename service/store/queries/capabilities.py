"""How well a step's values fit between the limits that judged them, from its newest values."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from service.core.capability import (
    Bounds,
    Capability,
    CapabilityNote,
    capability_of,
    note_of_missing,
)
from service.core.intervals import Estimate
from service.core.series import LimitUse, Series, series_of
from service.core.sigmas import SigmaMethod
from service.store.database import Database
from service.store.queries.base import Facts, as_time, connected
from service.store.queries.censoring import missing_in_failures
from service.store.queries.filters import Filters
from service.store.queries.step_values import VALUES_MAX, FoundValues, newest_values
from service.store.times import moment

_INDICES = ("cp", "cpk", "pp", "ppk")


def capabilities(
    database: Database,
    filters: Filters,
    *,
    subgroup_size: int = 1,
    method: str | None = None,
    limit: int = VALUES_MAX,
) -> Facts:
    """Return the capability of a step, from its newest values.

    One entry for each product and procedure that measure it, and for each unit of measure that does
    not convert to the others; that of the newest value first. Values are compared with the limit
    that judged the newest of them; `limits` has all that did.

    Args:
        database: Where from.
        filters: Which runs, and the step, which must be given.
        subgroup_size: As of `service.core.capability.capability_of`, like `method`.
        method: A `SigmaMethod`: how sigma within is estimated.
        limit: Values looked at, all together.

    Raises:
        ValueError: `method` is none.
    """
    sigma = SigmaMethod(method) if method else None
    found = newest_values(database, filters, limit)
    warnings = _censored(database, filters, found)
    items = [
        {
            **head_of(*place, filters.step, series),
            **capability_facts(
                capability_of(
                    series.values, series.bounds, subgroup_size=subgroup_size, method=sigma
                ),
                warnings[place],
            ),
            "first_at": as_time(series.sources[0].started_us),
            "last_at": as_time(series.sources[-1].started_us),
            "is_complete": found.is_complete,
        }
        for place, values in found.of.items()
        for series in series_of(values)
    ]
    return {"items": items, "reason": found.reason}


def _censored(
    database: Database, filters: Filters, found: FoundValues
) -> dict[tuple[str, str], list[CapabilityNote]]:
    """Return by product and procedure whether machines leave the step out of failed runs.

    They are those of the time in which the values were measured.
    """
    notes: dict[tuple[str, str], list[CapabilityNote]] = {}
    with connected(database) as connection:
        for (product_id, procedure), values in found.of.items():
            here = replace(
                filters,
                product_id=product_id,
                procedure=procedure,
                since=moment(values[0].started_us),
                until=moment(values[-1].started_us + 1),
            )
            missing = missing_in_failures(connection, here)
            notes[product_id, procedure] = [note_of_missing(*missing)] if missing else []
    return notes


def head_of(product_id: str, procedure: str, step: str | None, series: Series) -> Facts:
    """Return what a series is of, and the limits that judged it."""
    return {
        "product_id": product_id,
        "procedure": procedure,
        "test_step": step,
        "unit": series.unit,
        **bounds_facts(series.bounds, series.limits),
        "limits_changed": len(series.limits) > 1,
        "limits": [_limit(each) for each in series.limits],
    }


def bounds_facts(bounds: Bounds, limits: Sequence[LimitUse]) -> Facts:
    """Return the limit in force: what values must stay between, and by which comparator."""
    comparator = limits[0].comparator.value if limits else None
    return {"comparator": comparator, "low": bounds.low, "high": bounds.high}


def _limit(use: LimitUse) -> Facts:
    return {
        "comparator": use.comparator.value,
        "low": use.low,
        "high": use.high,
        "value_count": use.value_count,
        "first_at": as_time(use.first_us),
        "last_at": as_time(use.last_us),
    }


def capability_facts(capability: Capability, more: Sequence[CapabilityNote] = ()) -> Facts:
    """Return a capability as the API says it; `more` are notes that the values do not tell."""
    moments, normality = capability.moments, capability.normality
    overall, within = capability.sigma_overall, capability.sigma_within
    resolution = capability.resolution
    return {
        "value_count": moments.value_count,
        "mean": moments.mean,
        "least": moments.least,
        "greatest": moments.greatest,
        "sigma_overall": overall and overall.value,
        "sigma_within": within and within.value,
        "sigma_method": capability.method and capability.method.value,
        **{
            key: value
            for name in _INDICES
            for key, value in _estimate(name, getattr(capability, name)).items()
        },
        "normality_p": normality and normality.p_value,
        "resolution": resolution and resolution.increment,
        "notes": [
            {"kind": each.kind.value, "text": each.text} for each in [*capability.notes, *more]
        ],
    }


def _estimate(name: str, estimate: Estimate | None) -> dict[str, Any]:
    value, low, high = estimate or (None, None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}
