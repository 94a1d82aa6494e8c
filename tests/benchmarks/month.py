"""A month of a plant, judged already: 60 machines, 40 products, 10 million measurements. Pure.

Board testers with 700 measurements a run work by day, functional testers with 40 and stations with
a single one around the clock; a line changes its product with the shift. Eight runs in a hundred
are a unit's second. Everything falls out the same for the same size.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, cast

import numpy as np
import orjson

from broker.messages import Comparator, Measurement, Outcome, ReportedOutcome, Run
from service.core.records import Counts, DecodedRun, JudgedMeasurement, JudgedRun
from service.store.batches import Arrival

DAYS: Final = 30
LINES: Final = 10
PRODUCTS: Final = 40
MEASUREMENTS: Final = 10_000_000
"""What the numbers of runs below come to."""

BATCHES: Final = 3_000
RETESTED: Final = 0.08
_FAILING, _DISAGREEING = 0.06, 0.004
_SHIFT: Final = timedelta(hours=8)
_RETEST_AFTER: Final = timedelta(minutes=20)


class Kind(NamedTuple):
    """One kind of tester."""

    name: str
    procedure: str
    steps: int
    runs: int
    machines: int
    unit: str
    limits: tuple[float, float]
    by_day_only: bool = False


KINDS: Final = (
    Kind("ict", "ICT", 700, 9_000, 2, "Ohm", (900.0, 1_100.0), by_day_only=True),
    Kind("fct", "FCT", 40, 80_000, 18, "V", (4.5, 5.5)),
    Kind("eol", "torque", 1, 500_000, 40, "Nm", (8.0, 12.0)),
)
UNITS: Final = 460_000


class Value(NamedTuple):
    """All that the store reads of a measurement, at a tenth of the price of a message's model."""

    test_step: str
    measured_value: float
    unit: str
    reported_outcome: ReportedOutcome
    model_extra: None = None
    attributes: None = None


class Month:
    """The history of a plant up to `until`, in batches by time.

    Args:
        until: Its end, a midnight, aware.
        share: Of the runs that make 10 million measurements.
    """

    def __init__(self, until: datetime, share: float = 1.0) -> None:
        self._start = until - timedelta(days=DAYS)
        self._share = share
        self._dice = np.random.default_rng(6)
        self._payloads = {kind: _payload(kind) for kind in KINDS}
        self._numbers = dict.fromkeys(KINDS, 0)

    def batches(self) -> Iterator[tuple[datetime, list[Arrival]]]:
        """Yield what arrives together, and when."""
        length = timedelta(days=DAYS) / BATCHES
        for batch in range(BATCHES):
            start = self._start + batch * length
            arrivals = [
                self._arrival(kind, started_at)
                for kind in KINDS
                for started_at in self._starts(kind, start, start + length)
            ]
            if arrivals:
                yield start + length, arrivals

    def _starts(self, kind: Kind, since: datetime, until: datetime) -> Iterator[datetime]:
        """Yield when runs of a kind start."""
        before, after = (self._runs_before(kind, at) for at in (since, until))
        for place in range(after - before):
            yield since + (until - since) * (place / (after - before))

    def _runs_before(self, kind: Kind, at: datetime) -> int:
        worked = (_days_worked if kind.by_day_only else _days)(self._start, at)
        return round(kind.runs * self._share * worked / DAYS)

    def _arrival(self, kind: Kind, started_at: datetime) -> Arrival:
        number = self._numbers[kind]
        self._numbers[kind] += 1
        machine = number % kind.machines
        line = machine % LINES
        tested_at = started_at
        if self._dice.random() < RETESTED:
            tested_at -= _RETEST_AFTER
        topic = f"factory/v1/line-{line}/{kind.name}-{machine:02}/test"
        judged = self._judged(kind, number, started_at, self._unit(kind, tested_at, number))
        return Arrival(topic, f"line-{line}", self._payloads[kind], [judged])

    def _unit(self, kind: Kind, at: datetime, number: int) -> tuple[str, str]:
        """Return barcode and product of the unit that is at a kind of tester at a time."""
        share = (at - self._start) / timedelta(days=DAYS)
        unit = int(share * UNITS * self._share)
        unit += (number % kind.machines - unit) % LINES  # each line has units of its own
        shift = int(share * timedelta(days=DAYS) / _SHIFT)
        return f"SN-{unit:08}", f"PROD-{(unit % LINES * 4 + shift % 4) % PRODUCTS:02}"

    def _judged(
        self, kind: Kind, number: int, started_at: datetime, unit: tuple[str, str]
    ) -> JudgedRun:
        measurements, failed = self._measurements(kind)
        disagrees = self._dice.random() < _DISAGREEING
        barcode, product_id = unit
        machine = number % kind.machines
        said = ReportedOutcome.PASS if bool(failed) is disagrees else ReportedOutcome.FAIL
        fields: dict[str, Any] = {
            "barcode": barcode,
            "product_id": product_id,
            "operator": f"operator-{number % 20:02}",
            "fixture": f"fixture-{number % 8}",
            "reported_outcome": said,
        }
        message = (Run if kind.steps > 1 else Measurement).model_construct(**fields)
        run = DecodedRun(
            f"{kind.name}-{machine:02}",
            f"line-{machine % LINES}",
            f"{kind.name}-{number}",
            True,  # noqa: FBT003 - a field
            number.to_bytes(16, "big"),
            kind.procedure,
            started_at,
            None,
            False,  # noqa: FBT003 - likewise
            cast("Run", message),
            (),
            None,
        )
        return JudgedRun(
            run,
            Outcome.FAIL if failed else Outcome.PASS,
            not disagrees,
            measurements[failed[0]].measurement.test_step if failed else None,
            Counts(kind.steps - len(failed), len(failed), 0, 0),
            1,
            measurements,
        )

    def _measurements(self, kind: Kind) -> tuple[list[JudgedMeasurement], Sequence[int]]:
        """Return a run's measurements, and the places of those that failed."""
        low, high = kind.limits
        middle, spread = (low + high) / 2, (high - low) / 12
        values = self._dice.normal(middle, spread, kind.steps).clip(low, high).tolist()
        failed: list[int] = []
        if self._dice.random() < _FAILING:
            place = min(int(self._dice.exponential(kind.steps / 8)), kind.steps - 1)
            failed.append(place)
            values[place] = high + spread
        good = ReportedOutcome.PASS
        made = [
            JudgedMeasurement(
                cast("Any", Value(name, value, kind.unit, good)),
                Outcome.PASS,
                Comparator.GELE,
                low,
                high,
                None,
                None,
                None,
                False,  # noqa: FBT003 - a field
                True,  # noqa: FBT003 - a field
            )
            for name, value in zip(_STEP_NAMES[kind], values, strict=True)
        ]
        for place in failed:
            value = Value(_STEP_NAMES[kind][place], values[place], kind.unit, ReportedOutcome.FAIL)
            made[place] = made[place]._replace(measurement=cast("Any", value), outcome=Outcome.FAIL)
        return made, failed


def _days(start: datetime, at: datetime) -> float:
    return (at - start) / timedelta(days=1)


def _days_worked(start: datetime, at: datetime) -> float:
    """Return how many early shifts, from 6 to 14 o'clock, have passed."""
    days = _days(start, at)
    of_today = min(max((days % 1 * 24 - 6) / 8, 0.0), 1.0)
    return days // 1 + of_today


def _payload(kind: Kind) -> bytes:
    """Return bytes of the size that such a message has."""
    low, high = kind.limits
    one = {"measured_value": (low + high) / 2 + 1 / 3, "unit": kind.unit, "low": low, "high": high}
    steps = [{"test_step": name, **one} for name in _STEP_NAMES[kind]]
    head = {"barcode": "SN-00000000", "product_id": "PROD-00", "message_id": kind.name}
    return orjson.dumps(head | ({"measurements": steps} if kind.steps > 1 else steps[0]))


_STEP_NAMES: Final = {
    kind: tuple(f"{kind.name}-{step:03}" for step in range(kind.steps)) for kind in KINDS
}
