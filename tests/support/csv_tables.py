"""Table files for tests as a plant would describe them, and what the format makes of them."""

from typing import Any

import pytest

from broker.errors import SettingsError
from broker.messages import Run, RunMeasurement
from edge_agent.formats import Item, Parsed, Unparsed, open_parser, read_options

REPORT: dict[str, Any] = {
    "layout": "report",
    "delimiter": ";",
    "table_starts_with": "StepName",
    "time_format": "%Y.%m.%d. %H:%M",
    "outcomes": {"Passed": "PASS", "Failed": "FAIL", "Info": ""},
    "head": {
        "barcode": "SerialNumber",
        "product_id": "Part Number",
        "started_at": "Start Time",
        "reported_outcome": "Result",
    },
    "columns": {
        "test_step": "StepName",
        "measured_value": "Value",
        "low": "Low",
        "high": "High",
        "unit": "Unit",
        "reported_outcome": "Status",
    },
}
HEAD = "SerialNumber;A1\nPart Number;P-7\nStart Time;2024.03.05. 14:07\nResult;Passed\n"
TABLE = "StepName;Value;Low;High;Unit;Status;Comment\n"
ROW = "Supply;5.01;4.75;5.25;V;Passed;\n"
ROWS: dict[str, Any] = {
    "layout": "rows",
    "product_id": "P-7",
    "columns": {
        "barcode": "SN",
        "started_at": "Started",
        "test_step": "Step",
        "measured_value": "Value",
        "reported_outcome": "Verdict",
    },
}
NAMES = "SN,Started,Step,Value,Verdict,Note\n"
NOON = "2024-03-05T12:00:00"


def parse(content: str | bytes, table: dict[str, Any] = REPORT, **changes: object) -> list[Item]:
    """Return all that the format makes of a file."""
    raw = content.encode() if isinstance(content, str) else content
    parser = open_parser("csv", read_options("csv", {**table, **changes}), r"D:\logs\board.csv")
    return [*parser.feed(raw), *parser.finish()]


def runs(content: str | bytes, table: dict[str, Any] = REPORT, **changes: object) -> list[Run]:
    """Return the runs of a file that is understood to the last byte."""
    found = parse(content, table, **changes)
    assert all(isinstance(item, Parsed) and not item.holes for item in found), found
    return [item.runs[0] for item in found if isinstance(item, Parsed)]


def one_run(content: str | bytes, **changes: object) -> Run:
    """Return the only run of such a file."""
    (run,) = runs(content, **changes)
    return run


def measured(row: str, **changes: object) -> RunMeasurement:
    """Return the one measurement of a report with this row."""
    (measurement,) = one_run(HEAD + TABLE + row + "\n", **changes).measurements
    return measurement


def refusal(content: str | bytes, table: dict[str, Any] = REPORT, **changes: object) -> str:
    """Return why nothing of a file was understood."""
    (item,) = parse(content, table, **changes)
    assert isinstance(item, Unparsed), item
    return item.reason


def complaint(table: dict[str, Any]) -> str:
    """Return what is said of options with a mistake."""
    with pytest.raises(SettingsError) as caught:
        read_options("csv", table, "o.toml: ")
    return str(caught.value)
