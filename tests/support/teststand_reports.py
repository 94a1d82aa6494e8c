"""TestStand XML reports for tests, and what the format makes of them."""

from broker.messages import Run, RunMeasurement
from edge_agent.formats import Item, Options, Parsed, Unparsed, open_parser
from tests.support.logs.teststand import prop, report, step

ON = step("On", "Passed", prop("PassFail", "True"))


def parse(content: str | bytes, **options: object) -> list[Item]:
    """Return all that the format makes of a file."""
    raw = content.encode() if isinstance(content, str) else content
    parser = open_parser("teststand", Options(**options), r"D:\logs\Report[1].xml")
    return [*parser.feed(raw), *parser.finish()]


def one_run(content: str | bytes, **options: object) -> Run:
    """Return the run of a file of one report without holes."""
    (item,) = parse(content, **options)
    assert isinstance(item, Parsed), item
    assert not item.holes
    return item.runs[0]


def measured(step_: str, **options: object) -> RunMeasurement:
    """Return the one measurement of a report that holds this step."""
    (measurement,) = one_run(report(step_), **options).measurements
    return measurement


def refusal(content: str | bytes, **options: object) -> str:
    """Return why nothing of a file was understood."""
    (item,) = parse(content, **options)
    assert isinstance(item, Unparsed)
    return item.reason
