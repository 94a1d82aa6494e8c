"""The values of `vcc` in a random history, in one unit, as the brute force sees them."""

from collections.abc import Sequence
from typing import NamedTuple

from broker.messages import Outcome
from tests.support.random_history import Kept


class Volt(NamedTuple):
    """A value of `vcc` in the unit of the newest, as the brute force sees it."""

    value: float
    run_id: int
    low: float
    high: float
    is_judged: bool


def volts_of(runs: Sequence[Kept], unit: str) -> list[Volt]:
    """Return every value of these runs, and its limits, in this unit; in order of start."""
    found = []
    for run in runs:
        for each in run.judged.measurements:
            measurement = each.measurement
            if measurement.test_step == "vcc":
                assert isinstance(measurement.measured_value, float)
                assert measurement.low is not None
                assert measurement.high is not None
                factor = {("V", "mV"): 1e3, ("mV", "V"): 1e-3}.get(
                    (measurement.unit or "", unit), 1.0
                )
                found.append(
                    Volt(
                        measurement.measured_value * factor,
                        run.run_id,
                        round(measurement.low * factor, 9),
                        round(measurement.high * factor, 9),
                        each.outcome in {Outcome.PASS, Outcome.FAIL},
                    )
                )
    return found


def newest_unit(runs: Sequence[Kept]) -> str:
    """Return the unit in which the newest of these runs measured."""
    units = [
        each.measurement.unit
        for each in runs[-1].judged.measurements
        if each.measurement.test_step == "vcc"
    ]
    assert units[0] is not None
    return units[0]
