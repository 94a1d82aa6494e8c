"""How well a step's values fit between its limits: Cp, Cpk, Pp, Ppk. Pure: no I/O.

Values and limits share one unit of measure; the caller converts.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np

from broker.messages import Comparator
from service.core.intervals import Estimate, estimate_nearest_index, estimate_spread_index
from service.core.moments import Moments, Values, as_values, moments_of
from service.core.normality import Normality, normality_of
from service.core.resolution import Resolution, noise_of, resolution_of
from service.core.sigmas import Sigma, SigmaMethod, overall_sigma, within_sigma
from service.core.stability import Stability, stability_of

FEW_VALUES_MAX: Final = 49
"""With so many or fewer an index is a guess: of 1.33, Bissell's interval is 1.05 to 1.61 at 49."""

_BETWEEN: Final = frozenset(
    {Comparator.GTLT, Comparator.GELE, Comparator.GELT, Comparator.GTLE, Comparator.EQT}
)
_FLOORS: Final = frozenset({Comparator.GT, Comparator.GE})
_CEILINGS: Final = frozenset({Comparator.LT, Comparator.LE})


class Bounds(NamedTuple):
    """What values must stay between, in their unit; None: no limit on that side."""

    low: float | None = None
    high: float | None = None


class NoteKind(StrEnum):
    """Why to read an index with care."""

    CONSTANT = "constant"
    FEW_VALUES = "few_values"
    COARSE = "coarse"
    NOT_NORMAL = "not_normal"
    UNSTABLE = "unstable"
    CENSORED = "censored"


class CapabilityNote(NamedTuple):
    """One reason to read an index with care."""

    kind: NoteKind
    text: str
    """A sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """Capability of one step; an index is None where there is no such limit, or no spread."""

    moments: Moments
    sigma_overall: Sigma | None
    """Of all values; None of fewer than two."""
    sigma_within: Sigma | None = None
    """Without what changes between neighbours or subgroups; None where only moments are known."""
    method: SigmaMethod | None = None
    """Where `sigma_within` is from."""
    cp: Estimate | None = None
    """Span of the limits over 6 sigma within; needs both limits."""
    cpk: Estimate | None = None
    """Way from the mean to the nearest limit over 3 sigma within."""
    pp: Estimate | None = None
    """As `cp`, with sigma overall."""
    ppk: Estimate | None = None
    """As `cpk`, with sigma overall."""
    normality: Normality | None = None
    """None where only moments are known, of fewer than eight values, or of equal ones."""
    resolution: Resolution | None = None
    """None where only moments are known."""
    stability: Stability | None = None
    """None where only moments are known, of fewer than eight values, or of equal ones."""

    @property
    def notes(self) -> tuple[CapabilityNote, ...]:
        """What to beware of; may be empty."""
        return tuple(_notes(self))


def capability_of(
    values: Values,
    bounds: Bounds,
    *,
    subgroup_size: int = 1,
    method: SigmaMethod | None = None,
) -> Capability:
    """Compare values with their limits.

    Args:
        values: In time order, in the unit of the limits; any number of them.
        bounds: Of a single limit only Cpk and Ppk of that side are known, of none no index.
        subgroup_size: 1 for individuals, or 2 to 25 values that were measured together.
        method: By default the moving range of individuals, and pooled subgroups.

    Raises:
        ValueError: `subgroup_size` is out of range; or see `as_values`.

    Source: Montgomery, Introduction to Statistical Quality Control, chapter 8; NIST/SEMATECH
    e-Handbook of Statistical Methods, 6.1.6. `intervals` and `sigmas` name theirs.
    """
    array = as_values(values)
    resolution = resolution_of(array)
    if array.size and resolution.increment is None:  # binary noise is no spread
        array = np.full_like(array, array[0])
    if method is None:
        method = SigmaMethod.MOVING_RANGE if subgroup_size == 1 else SigmaMethod.POOLED
    moments = moments_of(array)
    overall, within = overall_sigma(moments), within_sigma(array, method, subgroup_size)
    return Capability(
        moments=moments,
        sigma_overall=overall,
        sigma_within=within,
        method=method,
        cp=_spread_index(bounds, within),
        cpk=_nearest_index(bounds, within, moments),
        pp=_spread_index(bounds, overall),
        ppk=_nearest_index(bounds, overall, moments),
        normality=normality_of(array),
        resolution=resolution,
        stability=stability_of(array),
    )


def capability_of_moments(moments: Moments, bounds: Bounds) -> Capability:
    """Compare what a roll-up knows of values with their limits: Pp and Ppk, without time order."""
    moments = _without_noise(moments)
    overall = overall_sigma(moments)
    return Capability(
        moments=moments,
        sigma_overall=overall,
        pp=_spread_index(bounds, overall),
        ppk=_nearest_index(bounds, overall, moments),
    )


def bounds_of(comparator: Comparator, low: float | None, high: float | None) -> Bounds | None:
    """Return what values must stay between under a limit as results show it.

    Args:
        comparator: How values are compared.
        low: As in a result: the single limit of GT, GE, LT and LE, or the lower of two.
        high: The upper of two, or the single limit of LT and LE where `low` is None.

    Returns:
        None where a comparator keeps values in no such span (EQ, outside, text), where a limit is
        missing, or where `low` is not below `high`.
    """
    if comparator in _FLOORS and low is not None:
        return Bounds(low=low)
    if comparator in _CEILINGS:
        limit = high if low is None else low
        return None if limit is None else Bounds(high=limit)
    if comparator in _BETWEEN and low is not None and high is not None and low < high:
        return Bounds(low, high)
    return None


def _notes(capability: Capability) -> Iterator[CapabilityNote]:
    count, normality = capability.moments.value_count, capability.normality
    if capability.sigma_overall and not capability.sigma_overall.value:
        text = "All values are equal: there is no spread to compare with the limits."
        yield CapabilityNote(NoteKind.CONSTANT, text)
    if count <= FEW_VALUES_MAX:
        text = f"Fewer than {FEW_VALUES_MAX + 1} values ({count}): read the intervals."
        yield CapabilityNote(NoteKind.FEW_VALUES, text)
    if capability.resolution and capability.resolution.is_coarse:
        steps = f"{capability.resolution.increment:.6g}"
        text = f"The values move in steps of {steps}, too coarse to show their spread."
        yield CapabilityNote(NoteKind.COARSE, text)
    if normality and not normality.is_normal:
        text = (
            f"The values are not normal (Anderson-Darling, p = {normality.p_value:.2g}):"
            " the indices do not tell the share outside the limits."
        )
        yield CapabilityNote(NoteKind.NOT_NORMAL, text)
    if capability.stability and not capability.stability.is_stable:
        text = (
            f"The values wander (von Neumann's ratio {capability.stability.ratio:.2f}, 2 where they"
            " do not): the indices are of no one state. Look at the control chart first."
        )
        yield CapabilityNote(NoteKind.UNSTABLE, text)


def note_of_missing(failed: int, missing: int) -> CapabilityNote:
    """Return the note of a step that failed runs leave out: its worst values were never measured.

    Args:
        failed: Failed runs that were looked at.
        missing: Those in which the step was not measured.
    """
    text = (
        f"In {missing} of the newest {failed} failed runs the step was not measured: machines stop"
        " at the first failure, so these values may lack those of bad units."
    )
    return CapabilityNote(NoteKind.CENSORED, text)


def _without_noise(moments: Moments) -> Moments:
    """Return moments whose spread is 0 where binary arithmetic is all of it."""
    if moments.least is None or moments.greatest is None:
        return moments
    noise = noise_of(np.array([moments.least, moments.greatest]))
    is_constant = moments.greatest - moments.least <= noise
    return moments._replace(squares=0.0) if is_constant else moments


def _spread_index(bounds: Bounds, sigma: Sigma | None) -> Estimate | None:
    if bounds.low is None or bounds.high is None or sigma is None:
        return None
    index = _ratio(bounds.high - bounds.low, 6, sigma)
    return None if index is None else estimate_spread_index(index, sigma.freedom)


def _nearest_index(bounds: Bounds, sigma: Sigma | None, moments: Moments) -> Estimate | None:
    ways = []
    if bounds.low is not None:
        ways.append(moments.mean - bounds.low)
    if bounds.high is not None:
        ways.append(bounds.high - moments.mean)
    if not ways or sigma is None:
        return None
    index = _ratio(min(ways), 3, sigma)
    return (
        None if index is None else estimate_nearest_index(index, moments.value_count, sigma.freedom)
    )


def _ratio(way: float, factor: int, sigma: Sigma) -> float | None:
    """Return way over factor sigma; None without spread, where it would be infinite."""
    if not sigma.value:
        return None
    index = way / factor / sigma.value
    return index if math.isfinite(index * index) else None
