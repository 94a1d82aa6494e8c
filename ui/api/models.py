"""What the API answers with, for its OpenAPI document. The queries fill it; it is not built."""

from typing import Any

from pydantic import BaseModel, Field

from broker.answers import Counts, Rejection, Result
from broker.messages import Outcome, ReportedOutcome, Timestamp


class ResultPage(BaseModel):
    """A part of a list of Results."""

    items: list[Result] = Field(description="Long ones are cut as on the result topic.")
    next_cursor: str | None = Field(description="Where the list goes on; null at its end.")


class ResultCounted(BaseModel):
    """How many runs a list holds."""

    count: int = Field(description="Runs; never more than 100,000 are counted.")
    is_complete: bool = Field(description="false: there are more.")
    newest_run_id: int = Field(description="Stored last of all; 0: none is stored.")


class MeasurementDetails(BaseModel):
    """What a Result does not say of a measurement; same order as its measurements."""

    nominal: Any = Field(description="Expected value it was compared with.")
    agrees: bool | None = Field(description="The machine's word is what our arithmetic says.")
    attributes: dict[str, Any] | None = Field(description="Whatever else was sent with it.")


class RunDetails(BaseModel):
    """What a Result does not say of a run."""

    ended_at: Timestamp | None = Field(description="End of the run.")
    operator: str | None = Field(description="Who ran it.")
    fixture: str | None = Field(description="What held the unit.")
    program: str | None = Field(description="Name of the test program.")
    program_version: str | None = Field(description="Its version.")
    panel: dict[str, Any] | None = Field(description="The panel: id and position.")
    sequence: dict[str, Any] | None = Field(description="The sender's count: epoch and seq.")
    source: dict[str, Any] | None = Field(description="The log file and where in it.")
    attributes: dict[str, Any] | None = Field(description="Whatever else was sent.")
    topic: str = Field(description="Where the message arrived.")
    element: int | None = Field(description="Position in the array it came in.")
    content_hash: str = Field(description="BLAKE2b-128 of the canonical content, hex.")
    measurements: list[MeasurementDetails] = Field(description="One a measurement, in order.")


class DetailedResult(Result):
    """One run with all its measurements and circumstances."""

    details: RunDetails = Field(description="What a Result has no field for.")


class RunFigures(BaseModel):
    """Runs by outcome."""

    total_tests: int = Field(description="Runs.")
    pass_count: int = Field(description="Runs with PASS.")
    fail_count: int = Field(description="Runs with FAIL.")
    error_count: int = Field(description="Runs with ERROR.")
    unjudged_count: int = Field(description="Runs with UNJUDGED.")
    pass_rate: float | None = Field(description="pass_count / total_tests; null: no runs.")


class Figures(RunFigures):
    """Totals over runs, yields over units."""

    units: int = Field(description="Units whose first run of a procedure matches the filters.")
    first_pass_yield: float | None = Field(
        description="Share whose first run of every procedure counted was PASS; null: no units."
    )
    final_yield: float | None = Field(
        description="Share whose last run of every procedure counted was PASS; null: no units."
    )


class YieldGroup(Figures):
    """Yields of one group."""

    group: str | None = Field(
        description="Name of the procedure, line …, day or shift; of an hour its start. Null: the"
        " runs that named no fixture or operator."
    )
    since: Timestamp | None = Field(description="Start of the hour, day or shift; else null.")
    until: Timestamp | None = Field(description="Its end, which is not part of it.")
    first_passed: int = Field(description="Units good at first pass.")
    finally_passed: int = Field(description="Units good in the end.")
    first_pass_yield_low: float | None = Field(description="95 % Wilson interval of the FPY.")
    first_pass_yield_high: float | None = Field(description="Its upper end.")
    second_pass_yield: float | None = Field(
        description="Share whose first or second run of every procedure counted was PASS."
    )
    retested: int = Field(description="Units with more than one run of a procedure counted.")
    retest_rate: float | None = Field(description="retested / units.")
    retests: int = Field(description="Runs beyond the first of a unit at a procedure.")
    rolled_throughput_yield: float | None = Field(description="Product of the procedures' FPYs.")
    rolled_throughput_yield_low: float | None = Field(description="Its 95 % interval.")
    rolled_throughput_yield_high: float | None = Field(description="Its upper end.")
    late_runs: int = Field(
        description="Runs that came more than an hour after the hour of their start was over: they"
        " have corrected what was shown before."
    )
    last_late_at: Timestamp | None = Field(description="When the last of them came.")
    opportunities: int = Field(description="Measurements judged PASS or FAIL.")
    defects: int = Field(description="Measurements judged FAIL.")
    dpmo: float | None = Field(description="Defects per million opportunities.")
    target_fpy_percent: float = Field(
        description="The FPY to reach: of the machine, the product, the line or the plant."
    )


class Yields(BaseModel):
    """Yields by group, and over all procedures."""

    group: str = Field(description="What they are grouped by.")
    items: list[YieldGroup] = Field(description="By name or hour.")
    rolled_throughput_yield: float | None = Field(description="Product of all procedures' FPYs.")
    rolled_throughput_yield_low: float | None = Field(description="Its 95 % interval.")
    rolled_throughput_yield_high: float | None = Field(description="Its upper end.")
    target_fpy_percent: float = Field(description="The FPY that all of it should reach.")


class UnitRun(BaseModel):
    """One run in a unit's life."""

    run_id: int
    machine_id: str
    line: str
    product_id: str
    procedure: str
    attempt: int = Field(description="Place among the unit's runs of this procedure, by start.")
    timestamp: Timestamp
    ended_at: Timestamp | None
    received_at: Timestamp
    outcome: Outcome
    reported_outcome: ReportedOutcome | None
    agrees: bool | None
    first_failure: str | None
    counts: Counts
    fixture: str | None
    operator: str | None
    program: str | None
    program_version: str | None
    panel: dict[str, Any] | None = Field(description="Its panel: id and position; null: none.")
    rulebook_version: int
    clock_suspect: bool


class UnitProcedure(BaseModel):
    """What became of a unit at one procedure."""

    procedure: str
    runs: int
    first_run_id: int
    first_timestamp: Timestamp
    first_outcome: Outcome
    last_run_id: int
    last_timestamp: Timestamp
    last_outcome: Outcome


class PermissionView(BaseModel):
    """May a unit be run at a procedure, as `check` answers it."""

    procedure: str
    allowed: bool
    reason: str = Field(description="Why, or why not: one sentence.")


class CheckAnswer(PermissionView):
    """A verdict that was asked for over HTTP."""

    answered_at: Timestamp


class UnitOfProduct(BaseModel):
    """One unit: a barcode of one product."""

    product_id: str
    outcome: Outcome = Field(description="Of its last run.")
    first_pass: bool = Field(description="The first run of every procedure was PASS.")
    good: bool = Field(description="The last run of every procedure was PASS.")
    procedures: list[UnitProcedure]
    runs: list[UnitRun] = Field(description="By start time.")
    next_procedure: str | None = Field(
        description="The first of its product's route that it has not passed; null: none is left,"
        " or the product has no route."
    )
    may_go_to: list[PermissionView] = Field(
        description="One a procedure of the route, in its order; without a route those it was at."
    )


class UnitLife(BaseModel):
    """All that is known of a barcode."""

    barcode: str
    outcome: Outcome = Field(description="Of the last run of all.")
    units: list[UnitOfProduct] = Field(description="One a product that uses this barcode.")


class LastResult(BaseModel):
    """A machine's newest result."""

    run_id: int
    barcode: str
    product_id: str
    procedure: str
    outcome: Outcome
    first_failure: str | None
    timestamp: Timestamp
    received_at: Timestamp


class Books(BaseModel):
    """received = stored + rejected + duplicates."""

    received: int
    stored: int
    rejected: int
    duplicates: int


class MachineView(BaseModel):
    """One machine as the service sees it."""

    machine_id: str
    line: str
    status: str = Field(description="live, stale, offline, never (no result yet) or unknown.")
    last_received_at: Timestamp
    age_s: float = Field(description="Seconds since the service last heard of it.")
    last_result: LastResult | None = Field(description="Null: all it sent was rejected.")
    books: Books
    figures: Figures = Field(description="Since the start of today, in the plant's time zone.")


class Machines(BaseModel):
    """Every machine that ever sent something."""

    items: list[MachineView] = Field(description="By machine_id.")


class StoredRejection(Rejection):
    """A rejection as it is kept."""

    element: int | None = Field(description="Position in the array it came in.")
    repeats: int = Field(description="How often the very same bytes came again.")


class Accepted(BaseModel):
    """The broker has it."""

    message_ids: list[str] = Field(description="One an element, in order; see receipts.")
