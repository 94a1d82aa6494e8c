"""Records of STDF, and what the parser makes of them."""

from broker.messages import Run, RunMeasurement
from edge_agent.formats import Item, Options, Parsed, Skipped, Unparsed, open_parser
from tests.support.logs.stdf import (
    Writer,
)

W = Writer()
HEAD = W.far() + W.mir()
PTR = W.ptr(1, 1.5, b"Vcc")
PART = W.pir() + PTR + W.prr(b"1")


def parse(content: bytes, **options: object) -> list[Item]:
    parser = open_parser("stdf", Options(**options), r"D:\logs\lot7.stdf")
    return [*parser.feed(content), *parser.finish()]


def told(content: bytes, **options: object) -> list[Parsed | Unparsed]:
    return [item for item in parse(content, **options) if not isinstance(item, Skipped)]


def runs(content: bytes, **options: object) -> list[Run]:
    found = told(content, **options)
    assert all(isinstance(item, Parsed) and not item.holes for item in found), found
    return [run for item in found if isinstance(item, Parsed) for run in item.runs]


def one_run(content: bytes, **options: object) -> Run:
    (run,) = runs(content, **options)
    return run


def measured(*tests: bytes, **options: object) -> RunMeasurement:
    """The last measurement of a part with these tests."""
    return one_run(HEAD + W.pir() + b"".join(tests) + W.prr(), **options).measurements[-1]


def refusal(content: bytes, **options: object) -> str:
    (item,) = told(content, **options)
    assert isinstance(item, Unparsed)
    return item.reason
