"""The columns of an export, the same in every format, in the contract's words. Pure: no I/O."""

from collections.abc import Sequence
from enum import Enum, StrEnum, auto
from typing import Any, Final, NamedTuple, TypeAlias


class Rows(StrEnum):
    """What one row stands for."""

    RUNS = "runs"
    MEASUREMENTS = "measurements"


class FileFormat(StrEnum):
    """How a file is written; the value is its suffix."""

    CSV = "csv"
    PARQUET = "parquet"


class Kind(Enum):
    """What a column holds; every kind may be empty (None)."""

    WHOLE = auto()
    NUMBER = auto()
    TEXT = auto()
    """From outside or a word of ours."""
    TRUTH = auto()
    TIME = auto()
    """Microseconds since 1970, UTC."""


class Column(NamedTuple):
    """One column."""

    name: str
    kind: Kind


Page: TypeAlias = Sequence[Sequence[Any]]
"""Some rows by column, in the order of `COLUMNS`; all columns are of one length, at least 1."""

_RUN: Final = (
    Column("run_id", Kind.WHOLE),
    Column("barcode", Kind.TEXT),
    Column("product_id", Kind.TEXT),
    Column("machine_id", Kind.TEXT),
    Column("line", Kind.TEXT),
    Column("procedure", Kind.TEXT),
    Column("attempt", Kind.WHOLE),
    Column("timestamp", Kind.TIME),
)
_OF_RUNS: Final = (
    Column("ended_at", Kind.TIME),
    Column("received_at", Kind.TIME),
    Column("outcome", Kind.TEXT),
    Column("reported_outcome", Kind.TEXT),
    Column("agrees", Kind.TRUTH),
    Column("first_failure", Kind.TEXT),
    Column("rulebook_version", Kind.WHOLE),
    Column("clock_suspect", Kind.TRUTH),
    Column("golden", Kind.TRUTH),
    Column("pass_count", Kind.WHOLE),
    Column("fail_count", Kind.WHOLE),
    Column("error_count", Kind.WHOLE),
    Column("unjudged_count", Kind.WHOLE),
    Column("fixture", Kind.TEXT),
    Column("operator", Kind.TEXT),
    Column("program", Kind.TEXT),
    Column("program_version", Kind.TEXT),
    Column("panel_id", Kind.TEXT),
    Column("panel_position", Kind.TEXT),
    Column("source_file", Kind.TEXT),
    Column("message_id", Kind.TEXT),
)
_OF_MEASUREMENTS: Final = (
    Column("run_outcome", Kind.TEXT),
    Column("rulebook_version", Kind.WHOLE),
    Column("position", Kind.WHOLE),
    Column("test_step", Kind.TEXT),
    Column("measured_value", Kind.NUMBER),
    Column("measured_text", Kind.TEXT),
    Column("unit", Kind.TEXT),
    Column("outcome", Kind.TEXT),
    Column("comparator", Kind.TEXT),
    Column("low", Kind.NUMBER),
    Column("high", Kind.NUMBER),
    Column("nominal", Kind.TEXT),
    Column("rule_id", Kind.TEXT),
    Column("reason", Kind.TEXT),
    Column("reported_outcome", Kind.TEXT),
    Column("agrees", Kind.TRUTH),
    Column("marginal", Kind.TRUTH),
)
OWN: Final = _OF_MEASUREMENTS[2:]
"""What is a measurement's own, and not its run's."""
COLUMNS: Final = {
    Rows.RUNS: (*_RUN, *_OF_RUNS),
    Rows.MEASUREMENTS: (*_RUN, *_OF_MEASUREMENTS),
}
"""By what a row stands for. A value that is no number is in `measured_text`; true and false too."""
