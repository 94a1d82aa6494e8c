"""One run as the floor shows it, from a live Result or from the database. Pure: no I/O."""

from datetime import datetime
from typing import Final, NamedTuple

from broker.answers import Result, ResultMeasurement
from broker.messages import Outcome
from service.store.queries.pages_seed import StoredRun
from ui.wording import Scale, Telling, explain, limits_text

_TAPE: Final = {Outcome.FAIL: "F", Outcome.ERROR: "E", Outcome.UNJUDGED: "U"}


class Seen(NamedTuple):
    """One run, as much of it as the floor shows. Times are seconds since 1970 UTC."""

    run_id: int
    machine_id: str
    line: str
    barcode: str
    product_id: str
    procedure: str
    outcome: Outcome
    reported_outcome: str | None
    agrees: bool | None
    started_s: float
    received_s: float
    attempt: int
    marginal: bool
    first_failure: str | None
    telling: Telling | None
    """The measurement that explains it: the first failure, or a marginal one.

    It is put in words when they are shown: most runs of a busy floor never are.
    """

    @property
    def began_s(self) -> float:
        """When it began, as far as its machine's clock can be believed: not after it arrived."""
        return min(self.started_s, self.received_s)

    @property
    def step(self) -> str | None:
        """The step that explains it."""
        return self.telling.test_step if self.telling else self.first_failure

    @property
    def detail(self) -> str:
        """What is wrong with it, in a few words; empty: nothing to say."""
        if self.telling is None:
            return ""
        if self.telling.outcome is Outcome.PASS:
            return f"{self.value} is close to its limit {self.limit}".strip()
        return explain(self.telling)

    @property
    def value(self) -> str:
        """The measured value with its unit, such as `61.8 mV`."""
        if self.telling is None:
            return ""
        scale = Scale(self.telling.measured_value, self.telling.unit)
        return f"{scale.value(self.telling.measured_value)} {scale.unit}".strip()

    @property
    def limit(self) -> str:
        """What it was compared with, such as `≤ 55`."""
        if self.telling is None:
            return ""
        scale = Scale(self.telling.measured_value, self.telling.unit)
        low, high = self.telling.low, self.telling.high
        return limits_text(self.telling.comparator, low, high, None, scale)

    @property
    def mark(self) -> str:
        """Its sign on the tape: P, M (PASS, marginal), F, E or U."""
        return mark_of(self.outcome, is_marginal=self.marginal)


def mark_of(outcome: Outcome, *, is_marginal: bool = False) -> str:
    """Return the sign of an outcome on the tape."""
    return _TAPE.get(outcome, "M" if is_marginal else "P")


def seen_of(result: Result) -> Seen:
    """Return what the floor shows of a live result."""
    telling = _telling(result)
    is_marginal = telling is not None and telling.marginal
    if result.outcome is not Outcome.PASS:
        is_marginal = any(each.marginal for each in result.measurements)
    return _seen(result, result.timestamp, telling, is_marginal=is_marginal)


def seen_of_stored(run: StoredRun) -> Seen:
    """Return what the floor shows of a stored run."""
    return _seen(run, run.started_at, run.telling, is_marginal=run.marginal)


def _seen(
    run: Result | StoredRun, started_at: datetime, telling: Telling | None, *, is_marginal: bool
) -> Seen:
    return Seen(
        run_id=run.run_id,
        machine_id=run.machine_id,
        line=run.line,
        barcode=run.barcode,
        product_id=run.product_id,
        procedure=run.procedure,
        outcome=run.outcome,
        reported_outcome=str(run.reported_outcome) if run.reported_outcome else None,
        agrees=run.agrees,
        started_s=started_at.timestamp(),
        received_s=run.received_at.timestamp(),
        attempt=run.attempt,
        marginal=is_marginal,
        first_failure=run.first_failure,
        telling=telling,
    )


def _telling(result: Result) -> ResultMeasurement | None:
    """Return the measurement that explains the run, None where nothing needs to be explained."""
    if result.outcome is Outcome.PASS:
        return next((each for each in result.measurements if each.marginal), None)
    bad = [each for each in result.measurements if each.outcome is not Outcome.PASS]
    named = [each for each in bad if each.test_step == result.first_failure]
    same = [each for each in bad if each.outcome is result.outcome]
    return next(iter(named or same or bad), None)
