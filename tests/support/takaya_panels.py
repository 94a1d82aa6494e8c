"""Takaya panels for tests, and what the format makes of them."""

from broker.messages import Run, RunMeasurement
from edge_agent.formats import Item, Options, Parsed, Skipped, Unparsed, open_parser
from tests.support.logs.takaya import HEAD, board, row

END = b"@\n"


def parse(content: bytes, **options: object) -> list[Item]:
    """Return all that the format makes of a file."""
    parser = open_parser("takaya", Options(**options), r"D:\logs\board.ATD")
    return [*parser.feed(content), *parser.finish()]


def runs_of(items: list[Item]) -> list[Run]:
    """Return the runs among what was found, in order."""
    return [item.runs[0] for item in items if isinstance(item, Parsed)]


def boards(content: bytes, **options: object) -> list[Item]:
    """The items without what carries nothing between boards."""
    idle = {"head of a panel", "blank line", "end of the panel"}
    found = parse(content, **options)
    return [item for item in found if not (isinstance(item, Skipped) and item.reason in idle)]


def one_run(content: bytes, **options: object) -> Run:
    """Return the run of a file of one board without holes."""
    (item,) = boards(content, **options)
    assert isinstance(item, Parsed), item
    assert not item.holes
    return item.runs[0]


def refusal(content: bytes, **options: object) -> str:
    """Return why nothing of a board was understood."""
    (item,) = boards(content, **options)
    assert isinstance(item, Unparsed), item
    return item.reason


def measured(**cells: str) -> RunMeasurement:
    """Return the one measurement of a board of one row with these cells."""
    (measurement,) = one_run(HEAD + board("1", row(**cells)) + END).measurements
    return measurement
