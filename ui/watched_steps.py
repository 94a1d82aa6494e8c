"""The newest values of machines that somebody watches step by step. Pure: no I/O.

A browser has the past from the HTTP API; what it needs of a live result is one value. So the last
few results are kept of watched machines alone: memory is bounded by the viewers, not by the floor.
"""

from collections import deque
from collections.abc import Callable, Collection
from typing import Any, Final, TypeAlias

from broker.answers import Result, ResultMeasurement

Frame: TypeAlias = dict[str, Any]
RESULTS_MAX: Final = 8
"""Of each machine; a browser that missed more asks the HTTP API again."""


class WatchedSteps:
    """The last results of the machines that are watched."""

    def __init__(self, is_golden: Callable[[str], bool]) -> None:
        """Watch nothing yet; golden samples (told by their barcode) have no place in a chart."""
        self._is_golden = is_golden
        self._results: dict[str, deque[Result]] = {}

    def watch(self, machine_id: str) -> None:
        """Keep this machine's results from now on."""
        self._results.setdefault(machine_id, deque(maxlen=RESULTS_MAX))

    def keep_only(self, machine_ids: Collection[str]) -> None:
        """Forget every other machine: nobody watches it any more."""
        for machine_id in self._results.keys() - set(machine_ids):
            del self._results[machine_id]

    def take(self, result: Result) -> None:
        """Take in a live result, whoever sent it."""
        kept = self._results.get(result.machine_id)
        if kept is not None and not self._is_golden(result.barcode):
            kept.append(result)

    def values(self, machine_id: str, step: str) -> list[Frame]:
        """Return a step's newest values, oldest first; empty where nobody watches the machine.

        Each has `run`, `at` (seconds since 1970) and `product`; with a number also `value`, its
        `unit`, `outcome`, `low` and `high`. Without them the message left the step out: it listed
        only what is not PASS, and the database knows more.
        """
        return [
            {"run": result.run_id, "at": result.timestamp.timestamp(), "product": result.product_id}
            | found
            for result in self._results.get(machine_id, ())
            for found in _values_in(result, step)
        ]


def _values_in(result: Result, step: str) -> list[Frame]:
    measured = [each for each in result.measurements if each.test_step == step]
    if not measured and not result.measurements_complete:
        return [{}]
    return [_value(each) for each in measured if type(each.measured_value) is float]


def _value(measurement: ResultMeasurement) -> Frame:
    return {
        "value": measurement.measured_value,
        "unit": measurement.unit,
        "outcome": str(measurement.outcome),
        "low": measurement.low,
        "high": measurement.high,
    }
