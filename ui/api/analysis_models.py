"""What analysis answers with, for the OpenAPI document. The queries fill it; it is not built."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from broker.messages import Comparator, Outcome, ReportedOutcome, Timestamp


class FailingPlace(BaseModel):
    """A step's failures at one machine."""

    machine_id: str = Field(description="The machine.")
    first_failures: int = Field(description="Runs there whose first failed step it was.")
    failures: int = Field(description="Measurements there judged FAIL.")


class FailingStep(BaseModel):
    """A step that fails."""

    test_step: str = Field(description="The step.")
    first_failures: int = Field(description="Runs whose first failed step it was, or was missing.")
    failures: int = Field(description="Measurements judged FAIL.")
    share: float | None = Field(description="Of all that `order` counts; null: it counts nothing.")
    cumulative_share: float | None = Field(description="Its own and that of all before it.")
    machines: list[FailingPlace] = Field(description="Worst first.")


class OtherSteps(BaseModel):
    """The steps that are not listed, as one."""

    steps: int = Field(description="How many they are.")
    first_failures: int = Field(description="Of all of them.")
    failures: int = Field(description="Of all of them.")
    share: float | None = Field(description="Of all that `order` counts.")


class FailingSteps(BaseModel):
    """The steps that fail most, worst first: a Pareto."""

    order: Literal["first_failures", "failures"] = Field(description="What they are ranked by.")
    items: list[FailingStep] = Field(description="Worst first.")
    others: OtherSteps | None = Field(description="What is not listed; null: all is.")
    total_first_failures: int = Field(description="Of all steps, listed or not.")
    total_failures: int = Field(description="Of all steps, listed or not.")


class GoldenResult(BaseModel):
    """The last run of a golden sample."""

    run_id: int = Field(description="Its run.")
    machine_id: str = Field(description="Where it was.")
    timestamp: Timestamp = Field(description="Start of the run.")
    outcome: Outcome = Field(description="Ours.")
    first_failure: str | None = Field(description="The first step that failed.")


class GoldenSample(BaseModel):
    """A golden sample at one procedure."""

    barcode: str = Field(description="Its barcode.")
    product_id: str = Field(description="Its product.")
    procedure: str = Field(description="The procedure.")
    runs: int = Field(description="Its runs that match.")
    pass_count: int = Field(description="Those with PASS.")
    pass_rate: float = Field(description="pass_count / runs.")
    last_result: GoldenResult = Field(description="The last of them.")


class GoldenSamples(BaseModel):
    """Golden samples, that of the last run first."""

    items: list[GoldenSample] = Field(description="One a sample and procedure.")


class LimitUse(BaseModel):
    """A limit that judged some of the values."""

    comparator: Comparator = Field(description="How it compares.")
    low: float | None = Field(description="In `unit`, as high.")
    high: float | None = Field(description="The upper one of two, or of LT and LE the only one.")
    value_count: int = Field(description="Values it judged.")
    first_at: Timestamp = Field(description="Start of the first run it judged.")
    last_at: Timestamp = Field(description="Start of the last run it judged.")


class StepSeries(BaseModel):
    """Which values: of one product, procedure, step and unit of measure."""

    product_id: str = Field(description="The product.")
    procedure: str = Field(description="The procedure.")
    test_step: str = Field(description="The step.")
    unit: str | None = Field(description="Unit of measure; values in others are converted to it.")
    comparator: Comparator | None = Field(description="Of the limit used last; null: none.")
    low: float | None = Field(description="What values must not be below; null: no such limit.")
    high: float | None = Field(description="What values must not be above; null: no such limit.")
    limits_changed: bool | None = Field(
        description="Whether several limits judged the values; null in a list of steps."
    )
    limits: list[LimitUse] | None = Field(description="Each of them, the last used first.")
    is_complete: bool = Field(description="False: older values match too and were not looked at.")


class CapabilityNote(BaseModel):
    """A reason to read an index with care."""

    kind: Literal["constant", "few_values", "coarse", "not_normal", "unstable", "censored"] = Field(
        description="Which."
    )
    text: str = Field(description="In a sentence.")


class StepCapability(StepSeries):
    """How well a step's values fit between its limits. Each interval is one of 95 %.

    An index is null where its limit is missing, or there is no spread.
    """

    value_count: int = Field(description="Values looked at.")
    mean: float = Field(description="Their mean.")
    least: float | None = Field(description="The least.")
    greatest: float | None = Field(description="The greatest.")
    sigma_overall: float | None = Field(description="Standard deviation of all; null of one.")
    sigma_within: float | None = Field(description="Without what changes between neighbours.")
    sigma_method: Literal["moving_range", "pooled", "mean_range"] | None = Field(
        description="Where sigma_within is from."
    )
    cp: float | None = Field(description="Span of the limits over 6 sigma within.")
    cp_low: float | None = Field(description="Its interval.")
    cp_high: float | None = Field(description="Its interval.")
    cpk: float | None = Field(description="Mean to nearest limit over 3 sigma within.")
    cpk_low: float | None = Field(description="Its interval.")
    cpk_high: float | None = Field(description="Its interval.")
    pp: float | None = Field(description="Span of the limits over 6 sigma overall.")
    pp_low: float | None = Field(description="Its interval.")
    pp_high: float | None = Field(description="Its interval.")
    ppk: float | None = Field(description="Mean to nearest limit over 3 sigma overall.")
    ppk_low: float | None = Field(description="Its interval.")
    ppk_high: float | None = Field(description="Its interval.")
    normality_p: float | None = Field(description="p of the Anderson-Darling test.")
    resolution: float | None = Field(description="Smallest step between two values.")
    notes: list[CapabilityNote] = Field(description="What to beware of.")
    first_at: Timestamp | None = Field(description="Start of the first run; null in a list.")
    last_at: Timestamp | None = Field(description="Start of the last run; null in a list.")


class Capabilities(BaseModel):
    """Capability of one step where it is given, of every step of a product where not."""

    items: list[StepCapability] = Field(
        description="Of a step: the newest first. Of a product: least Ppk first, none at the end."
    )
    reason: str | None = Field(description="Why there is none, in a sentence.")
    counted_since: Timestamp | None = Field(
        description="Of a product: start of the first hour that was added up."
    )


class StepHistogram(StepSeries):
    """Values counted in bins of one width."""

    value_count: int = Field(description="Values looked at.")
    mean: float = Field(description="Their mean.")
    sigma_overall: float | None = Field(description="Their standard deviation; null of one.")
    edges: list[float] = Field(description="Rising, one more than there are bins.")
    counts: list[int] = Field(description="Values in each bin, its lower edge included.")
    under_count: int = Field(description="Values too far below to draw.")
    over_count: int = Field(description="Values too far above to draw.")
    below_low_count: int = Field(description="Values below the low limit.")
    above_high_count: int = Field(description="Values above the high limit.")


class Histogram(BaseModel):
    """The histogram of a step's newest values."""

    item: StepHistogram | None = Field(description="Null: there is no value.")
    reason: str | None = Field(description="Why there is none, in a sentence.")
    also_in: list[str] = Field(description="Other procedures that measure the step.")


class ChartLines(BaseModel):
    """The lines of a chart, 3 sigma from the centre."""

    centre: float = Field(description="Mean of the baseline.")
    lower: float = Field(description="Lower control limit.")
    upper: float = Field(description="Upper control limit.")


class ChartPoint(BaseModel):
    """One point of both charts."""

    timestamp: Timestamp = Field(description="Start of its first run.")
    run_ids: list[int] = Field(description="The runs whose values it is made of.")
    value: float = Field(description="The value, or the mean of the subgroup.")
    spread: float | None = Field(
        description="Moving range, range or standard deviation; of the first value null."
    )


class ChartSignal(BaseModel):
    """A rule that the chart breaks."""

    of: Literal["location", "spread"] = Field(description="On which of the two charts.")
    number: int = Field(description="The rule's number in its set.")
    rule: str = Field(description="The rule, in a sentence.")
    points: list[int] = Field(description="Places in `points` that complete its pattern.")


class StepChart(StepSeries):
    """A control chart: where the process is, and how widely it scatters."""

    chart: Literal["i", "xbar-r", "xbar-s"] = Field(description="Which.")
    subgroup_size: int = Field(description="Values of a point.")
    rules: Literal["nelson", "western-electric"] = Field(description="Which rules were looked for.")
    sigma_within: float = Field(description="Standard deviation of single values.")
    location: ChartLines = Field(description="Of values or means.")
    spread: ChartLines = Field(description="Of moving ranges, ranges or standard deviations.")
    baseline_points: int = Field(description="Points that the lines are made of, the first ones.")
    points: list[ChartPoint] = Field(description="In time order.")
    signals: list[ChartSignal] = Field(description="By rule; of the spread only beyond its limits.")


class ControlChart(BaseModel):
    """The control chart of a step's newest values."""

    item: StepChart | None = Field(description="Null: there is nothing to draw.")
    reason: str | None = Field(description="Why, in a sentence.")
    also_in: list[str] = Field(description="Other procedures that measure the step.")


Kind = Literal["false_accept", "false_reject", "other"]


class DisagreeingMeasurement(BaseModel):
    """A measurement whose reported outcome is not what the arithmetic says."""

    test_step: str = Field(description="The step.")
    measured_value: Any = Field(description="Number, text, boolean or null.")
    unit: str | None = Field(description="Its unit of measure.")
    comparator: Comparator | None = Field(description="How it was compared.")
    low: float | None = Field(description="With what.")
    high: float | None = Field(description="With what.")
    rule_id: str | None = Field(description="The rule that judged it.")
    outcome: Outcome = Field(description="Ours.")
    reported_outcome: ReportedOutcome = Field(description="The machine's.")
    kind: Kind = Field(description="false_accept: the machine PASS, the arithmetic FAIL.")
    reason: str | None = Field(description="In words.")


class Disagreement(BaseModel):
    """A run in which machine and arithmetic differ."""

    run_id: int = Field(description="The run.")
    barcode: str = Field(description="Its unit.")
    machine_id: str = Field(description="Where.")
    line: str = Field(description="Where.")
    product_id: str = Field(description="Of what.")
    procedure: str = Field(description="Which.")
    timestamp: Timestamp = Field(description="Start of the run.")
    outcome: Outcome = Field(description="Ours.")
    reported_outcome: ReportedOutcome | None = Field(description="The machine's.")
    agrees: bool | None = Field(description="Of the run; its measurements have their own.")
    first_failure: str | None = Field(description="The first step that failed.")
    kind: Kind | None = Field(description="Which way the run differs; null: it does not.")
    measurement_count: int = Field(description="Its measurements that differ.")
    measurements: list[DisagreeingMeasurement] = Field(description="At most 50 of them.")


class StepDisagreements(BaseModel):
    """Measurements of a step at a machine that differ."""

    test_step: str = Field(description="The step.")
    machine_id: str = Field(description="The machine.")
    measurements: int = Field(description="All that differ.")
    false_accepts: int = Field(description="The machine said PASS, the arithmetic FAIL.")
    false_rejects: int = Field(description="The machine said FAIL, the arithmetic PASS.")
    others: int = Field(description="One of the two could not tell.")


class MachineDisagreements(BaseModel):
    """Runs at a machine that differ, by what it said of them."""

    machine_id: str = Field(description="The machine.")
    runs: int = Field(description="All that differ.")
    reported_pass: int = Field(description="It said PASS.")
    reported_fail: int = Field(description="It said FAIL.")
    reported_other: int = Field(description="It said ERROR or ABORTED.")


class Disagreements(BaseModel):
    """A part of the list of runs that differ, newest first, and how many there are."""

    items: list[Disagreement] = Field(description="Newest start first.")
    next_cursor: str | None = Field(description="Where the list goes on; null at its end.")
    steps: list[StepDisagreements] = Field(description="By step and machine, most first.")
    machines: list[MachineDisagreements] = Field(description="By machine, most first.")
