"""Units of GR228X logs for tests, and what the format makes of them."""

from broker.messages import Run, RunMeasurement
from edge_agent.formats import Item, Options, Parsed, Skipped, Unparsed, open_parser

PROGRAM = "F:\\BOARDS\\X_PROGRAM\\43420_BIO2.obc[31-JUL-12  14:17:35\n"
START = "@31-JUL-12  14:18:51 SN A1\n"
ROW = "R508=100.2K(92.919K,105.131K)R \n"
END = '"31-JUL-12  14:25:28\n'


def parse(content: str | bytes, **options: object) -> list[Item]:
    """Return all that the format makes of a file."""
    raw = content.encode() if isinstance(content, str) else content
    parser = open_parser("gr228x", Options(**options), r"D:\logs\board.LOG")
    return [*parser.feed(raw), *parser.finish()]


def units(content: str | bytes, **options: object) -> list[Item]:
    """Return the items but those between the units."""
    return [item for item in parse(content, **options) if not isinstance(item, Skipped)]


def runs_of(items: list[Item]) -> list[Run]:
    """Return the runs among what was found, in order."""
    return [item.runs[0] for item in items if isinstance(item, Parsed)]


def one_run(content: str | bytes, **options: object) -> Run:
    """Return the run of a file of one unit without holes."""
    (item,) = units(content, **options)
    assert isinstance(item, Parsed), item
    assert not item.holes
    return item.runs[0]


def refusal(content: str | bytes, **options: object) -> str:
    """Return why nothing of a unit was understood."""
    (item,) = units(content, **options)
    assert isinstance(item, Unparsed), item
    return item.reason


def measured(line: str, **options: object) -> RunMeasurement:
    """Return the one measurement of a unit that holds this line."""
    (measurement,) = one_run(PROGRAM + START + line + "\n" + END, **options).measurements
    return measurement
