"""Roll-ups: sums per hour, which the writer keeps true with every run."""

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from service.store.tables.columns import IN_KEY_ORDER, big_column, index_of


class _Hour(SQLModel):
    """The key of every roll-up: what happened in one hour since 1970, and where."""

    hour: int = Field(primary_key=True)
    machine: int = Field(primary_key=True)
    line: int = Field(primary_key=True)
    product: int = Field(primary_key=True)
    procedure: int = Field(primary_key=True)


class _DetailHour(_Hour):
    """The same, by fixture and operator as well, 0 for none."""

    fixture: int = Field(primary_key=True)
    operator: int = Field(primary_key=True)


class RunHourRow(_Hour, table=True):
    """Runs per hour of their start, by outcome: what dashboards add up instead of scanning runs.

    `late` counts those that came more than an hour after their hour was over: they corrected what
    was shown before. `measured_passed` and `measured_failed` count their measurements with that
    outcome. `repeating` counts those that measured a step more than once: without any, as many
    measurements of a step are as many runs that hold it. Golden samples are not in it, nor in the
    other roll-ups.
    """

    __tablename__ = "run_hour"
    __table_args__ = (IN_KEY_ORDER,)

    passed: int
    failed: int
    errors: int
    unjudged: int
    late: int = Field(sa_column_kwargs={"server_default": "0"})
    last_late_us: int | None = Field(sa_column=big_column(null=True))
    measured_passed: int = Field(sa_column=big_column(default="0"))
    measured_failed: int = Field(sa_column=big_column(default="0"))
    repeating: int = Field(sa_column_kwargs={"server_default": "0"})


class UnitHourRow(_Hour, table=True):
    """Units per hour of their first run at a procedure, by what became of them.

    `second_passed`: good at the first or the second run. `runs`: all of theirs, whenever.
    """

    __tablename__ = "unit_hour"
    __table_args__ = (IN_KEY_ORDER,)

    units: int
    first_passed: int
    second_passed: int
    last_passed: int
    retested: int
    runs: int


class RunHourDetailRow(_DetailHour, table=True):
    """As `run_hour`, by fixture and operator as well, 0 for none.

    Only of runs that name one of them, and of those that came late. Most questions do not want to
    know, and a machine that sends neither costs nothing here.
    """

    __tablename__ = "run_hour_detail"
    __table_args__ = (IN_KEY_ORDER,)

    passed: int
    failed: int
    errors: int
    unjudged: int
    late: int
    last_late_us: int | None = Field(sa_column=big_column(null=True))
    measured_passed: int = Field(sa_column=big_column())
    measured_failed: int = Field(sa_column=big_column())


class UnitHourDetailRow(_DetailHour, table=True):
    """As `unit_hour`, by fixture and operator of the first run as well, 0 for none.

    Only of units whose first run names one of them.
    """

    __tablename__ = "unit_hour_detail"
    __table_args__ = (IN_KEY_ORDER,)

    units: int
    first_passed: int
    second_passed: int
    last_passed: int
    retested: int
    runs: int


class StepHourRow(_Hour, table=True):
    """Measurements of one step and unit of measure per hour: outcomes, mean and squares.

    `measure_unit` is 0 where the machine sent none. Rows of two units never merge unconverted.

    A required step that was missing has its first failures here and no measurement.

    `squares` is the sum of squared deviations from `mean` (Chan, Golub, LeVeque 1983): unlike a
    plain sum of squares it keeps its digits when the spread is small beside the value.
    """

    __tablename__ = "step_hour"
    __table_args__ = (
        Index("step_hour_by_step", "step", "hour"),
        index_of("step_hour_that_fails", "hour", where="failed > 0 OR first_failures > 0"),
        IN_KEY_ORDER,
    )

    step: int = Field(primary_key=True)
    measure_unit: int = Field(primary_key=True)
    passed: int
    failed: int
    errors: int
    unjudged: int
    first_failures: int
    value_count: int
    mean: float
    squares: float
    least: float | None
    greatest: float | None
