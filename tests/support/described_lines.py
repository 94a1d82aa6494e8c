"""Log lines for tests as a plant would describe them, and what the format makes of them."""

from typing import Any

from broker.messages import Run, RunMeasurement
from edge_agent.formats import Item, Parsed, Skipped, Unparsed, open_parser, read_options

CONTEXT = {"match": r"^JOB (?P<job>\S*)( OPERATOR (?P<operator>.*))?$", "as": "context"}
START = {"match": r"^BEGIN (?P<piece>\S+) (?P<started_at>.+)$", "as": "start"}
MEASUREMENT = {
    "match": r"^ +(?P<test_step>[^=]*)=(?P<measured_value>\S*)"
    r"( (?P<unit>[A-Z]\w*))?( \[(?P<low>.*)\.\.(?P<high>.*)\])?"
    r"( (?P<reported_outcome>ok|nok|-))?( # (?P<note>.*))?$",
    "as": "measurement",
}
END = {"match": r"^END (?P<reported_outcome>\S+)", "as": "end"}
SKIP = {"match": "^#", "as": "skip"}
UNITS: dict[str, Any] = {
    "product_id": "P-7",
    "line": [CONTEXT, START, MEASUREMENT, END, SKIP],
    "fields": {"barcode": "{job}/{piece}"},
    "outcomes": {"ok": "PASS", "nok": "FAIL", "-": ""},
}
JOB = "JOB J1 OPERATOR Anna\n"
BEGIN = "BEGIN 1 2024-03-05 14:07\n"
ROW = "  vcc=5.01 V [4.75..5.25] ok\n"
FOOT = "END ok\n"
UNIT = BEGIN + ROW + FOOT
RUNS: dict[str, Any] = {
    "product_id": "P-7",
    "line": [
        {"match": r"^operator (?P<operator>.*)$", "as": "context"},
        {
            "match": r"^(?P<started_at>\S+) (?P<barcode>\S+) (?P<test_step>\S+)"
            r" (?P<measured_value>\S+) (?P<reported_outcome>\S+)( on (?P<socket>\S+))?$",
            "as": "run",
        },
    ],
}
LINE = "2024-03-05T14:07:00 S1 vcc 5.01 FAIL\n"


def parse(content: str | bytes, table: dict[str, Any] = UNITS, **changes: object) -> list[Item]:
    """Return all that the format makes of a log."""
    raw = content.encode() if isinstance(content, str) else content
    parser = open_parser("regex", read_options("regex", {**table, **changes}), "/logs/fct.log")
    return [*parser.feed(raw), *parser.finish()]


def told(content: str | bytes, table: dict[str, Any] = UNITS, **changes: object) -> list[Item]:
    """Return the items but those that carry nothing."""
    return [each for each in parse(content, table, **changes) if not isinstance(each, Skipped)]


def runs(content: str | bytes, table: dict[str, Any] = UNITS, **changes: object) -> list[Run]:
    """Return the runs of a log without holes."""
    found = told(content, table, **changes)
    assert all(isinstance(item, Parsed) and not item.holes for item in found), found
    return [item.runs[0] for item in found if isinstance(item, Parsed)]


def measured(row: str, **changes: object) -> RunMeasurement:
    """Return the first measurement of a unit that holds this row."""
    (run,) = runs(JOB + BEGIN + row + "\n" + FOOT, **changes)
    return run.measurements[0]


def refusal(content: str | bytes, table: dict[str, Any] = UNITS, **changes: object) -> str:
    """Return why nothing of a log was understood."""
    (item,) = told(content, table, **changes)
    assert isinstance(item, Unparsed), item
    return item.reason


def lines(*changes: tuple[int, dict[str, str] | None]) -> list[dict[str, str]]:
    """Return the line tables with some replaced, or with None left out."""
    found = [dict(changes).get(index, each) for index, each in enumerate(UNITS["line"])]
    return [each for each in found if each]
