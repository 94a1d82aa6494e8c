"""Lines that are contract messages already."""

import json
from pathlib import Path
from typing import Any

import pytest

from broker.errors import SettingsError
from edge_agent.formats import Item, Options, Parsed, Skipped, Unparsed, open_parser, read_options
from edge_agent.formats.runs import run_json

FLAT: dict[str, Any] = {
    "barcode": "SN-1001",
    "product_id": "PROD-A",
    "test_step": "voltage_test",
    "measured_value": 85.5,
    "timestamp": "2026-11-23T10:00:00Z",
}
RUN: dict[str, Any] = {
    "barcode": "PCB7-000217",
    "product_id": "PCB-7",
    "procedure": "ICT",
    "started_at": "2025-03-04T06:11:09",
    "measurements": [{"test_step": "c17", "measured_value": None}],
}


def parse(*lines: object) -> list[Item]:
    texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    parser = open_parser("jsonl", Options(), "log.jsonl")
    return [*parser.feed(b"\n".join(texts)), *parser.finish()]


def reason(line: object) -> str:
    (item,) = parse(line)
    assert isinstance(item, Unparsed)
    return item.reason


def test_a_flat_measurement_is_shown_as_a_run_of_one() -> None:
    (item,) = parse({**FLAT, "low": 80, "unit": "V", "operator": "kim", "message_id": "m1"})
    assert isinstance(item, Parsed)
    (run,) = item.runs
    assert json.loads(run_json(run)) == {
        "barcode": "SN-1001",
        "product_id": "PROD-A",
        "operator": "kim",
        "message_id": "m1",
        "procedure": "voltage_test",
        "started_at": "2026-11-23T10:00:00Z",
        "measurements": [
            {"test_step": "voltage_test", "measured_value": 85.5, "unit": "V", "low": 80.0}
        ],
    }


def test_a_run_keeps_its_naive_time_and_its_null() -> None:
    (item,) = parse(RUN)
    assert isinstance(item, Parsed)
    assert json.loads(run_json(item.runs[0])) == RUN


def test_an_array_is_one_record_with_a_run_an_element() -> None:
    (item,) = parse([FLAT, RUN])
    assert isinstance(item, Parsed)
    assert [run.barcode for run in item.runs] == ["SN-1001", "PCB7-000217"]


def test_unknown_fields_are_kept() -> None:
    (item,) = parse({**FLAT, "torque_id": 2**70})
    assert isinstance(item, Parsed)
    assert json.loads(run_json(item.runs[0]))["measurements"][0]["torque_id"] == 2**70


def test_a_bad_line_is_unparsed_and_its_neighbours_are_read() -> None:
    found = parse(FLAT, b"{half", FLAT, b"", FLAT)
    assert [type(item) for item in found] == [Parsed, Unparsed, Parsed, Skipped, Parsed]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"barcode": ""}, "barcode"),
        ({"measured_value": [1]}, "measured_value"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"message_id": "x" * 129}, "message_id"),
        ({"note": "a\0b"}, "U+0000"),
    ],
)
def test_the_reason_says_what_the_contract_refuses(change: dict[str, Any], said: str) -> None:
    assert said in reason({**FLAT, **change})


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "1" + "0" * 400, "1" * 5000])
@pytest.mark.parametrize("field", ["measured_value", "note"])
def test_numbers_that_do_not_fit_a_double_are_refused(field: str, number: str) -> None:
    line = json.dumps({**FLAT, field: "HERE"}).replace('"HERE"', number)
    assert reason(line.encode())


@pytest.mark.parametrize(
    "line",
    [b'{"a":1,"a":2}', b"[" * 100_000, b'"\xff"', b'"\\ud800"', b"[]", b"7", b"[7]", b"{} {}"],
)
def test_what_is_no_message_is_refused(line: bytes) -> None:
    assert reason(line)


def test_a_large_exponent_that_fits_is_taken() -> None:
    (item,) = parse(json.dumps(FLAT).replace("85.5", "1e+100").encode())
    assert isinstance(item, Parsed)


def test_an_option_it_does_not_take_is_an_error() -> None:
    with pytest.raises(SettingsError, match="product_id is not an option of format jsonl"):
        read_options("jsonl", {"product_id": "P"})


def test_an_unknown_option_names_the_closest() -> None:
    with pytest.raises(SettingsError, match=r"a\.toml: procdure .* Did you mean procedure\?"):
        read_options("spea", {"procdure": "ICT"}, "a.toml: ")


@pytest.mark.parametrize(
    "table",
    [
        {"date_order": "ymmd"},
        {"encoding": "utf-16"},
        {"encoding": "rot13"},
        {"encoding": "unicode_escape"},
        {"encoding": "klingon"},
        {"max_unit_bytes": 1},
        {"product_id": ""},
    ],
)
def test_a_wrong_option_value_is_an_error(table: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(table))):
        read_options("spea", table)


def test_an_unknown_format_names_the_closest() -> None:
    with pytest.raises(SettingsError, match=r"'spae' is not a format .* Did you mean spea\?"):
        open_parser("spae", Options(), str(Path("x")))
