"""Boards of Keysight i3070 logs for tests, and what the format makes of them."""

from broker.messages import Run, RunMeasurement
from edge_agent.formats import Item, Options, Parsed, Skipped, Unparsed, open_parser

BATCH = "{@BATCH|prod|A|fix|1||btest|200818031916|op|ctrl|prog|rev1|panel|B"
BTEST = "{@BTEST|SN1|00|200818045942|000039|0|all||n|n|200818050021||3|PNL7"
HEAD = f"{BATCH}\n{BTEST}\n"
FOOT = "}\n}\n"
LIM3 = "{@LIM3|+1.000000E+03|+1.100000E+03|+9.000000E+02}"
A_RES = f"{{@A-RES|0|+1.020000E+03{LIM3}}}"
BLOCK = f"{{@BLOCK|1%r17|00\n{A_RES}\n}}\n"


def parse(log: str | bytes, **options: object) -> list[Item]:
    """Return all that the format makes of a log."""
    raw = log.encode() if isinstance(log, str) else log
    parser = open_parser("i3070", Options(**options), r"D:\logs\board.log")
    return [*parser.feed(raw), *parser.finish()]


def told(log: str | bytes, **options: object) -> list[Item]:
    """Return the items but those between the boards."""
    return [item for item in parse(log, **options) if not isinstance(item, Skipped)]


def one_item(log: str | bytes, **options: object) -> Parsed:
    """Return what was understood where it is one item."""
    (item,) = told(log, **options)
    assert isinstance(item, Parsed), item
    return item


def one_run(log: str | bytes, **options: object) -> Run:
    """Return the run of a log of one board without holes."""
    item = one_item(log, **options)
    assert not item.holes
    return item.runs[0]


def measured(test: str, **options: object) -> RunMeasurement:
    """Return the one measurement of a board that holds these records."""
    (measurement,) = one_run(HEAD + test + FOOT, **options).measurements
    return measurement


def steps(log: str) -> list[str]:
    """Return the steps of a log of one board, in order."""
    return [each.test_step for each in one_run(log).measurements]


def refusal(log: str | bytes, **options: object) -> str:
    """Return why nothing of a log was understood."""
    (item,) = told(log, **options)
    assert isinstance(item, Unparsed)
    return item.reason


def said(measurement: RunMeasurement) -> dict[str, object]:
    """Return what a measurement holds, without what is absent."""
    return measurement.model_dump(exclude_none=True)
