"""OpenHTF records: the facts of the real files, and every trap of the format."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from broker.errors import SettingsError
from broker.messages import RUN, Run, RunMeasurement
from edge_agent.formats import (
    Item,
    Options,
    Parsed,
    Skipped,
    Unparsed,
    open_parser,
    read_options,
)
from edge_agent.formats.runs import run_json

FIXTURES = Path(__file__).parents[1] / "fixtures/openhtf"
RECORD: dict[str, Any] = {
    "dut_id": "A1",
    "start_time_millis": 1795473168833,
    "end_time_millis": 1795473168839,
    "outcome": "PASS",
    "metadata": {"test_name": "fct", "test_version": "1.3", "part_number": "P-7"},
    "phases": [{"name": "up", "measurements": {"v": {"outcome": "PASS", "measured_value": 1}}}],
    "station_id": "bench-3",
}


def parse(content: bytes, **options: object) -> list[Item]:
    parser = open_parser("openhtf", Options(**options), r"D:\records\a.json")
    return [*parser.feed(content), *parser.finish()]


def as_bytes(**changes: object) -> bytes:
    return json.dumps({**RECORD, **changes}).encode()


def one_run(content: bytes, **options: object) -> Run:
    (item,) = parse(content, **options)
    assert isinstance(item, Parsed), item
    return item.runs[0]


def refusal(content: bytes, **options: object) -> str:
    (item,) = parse(content, **options)
    assert isinstance(item, Unparsed)
    return item.reason


def measured(**fields: object) -> RunMeasurement:
    measurement = {"name": "v", "outcome": "PASS", "measured_value": 1.5, **fields}
    phases = [{"name": "up", "measurements": {"v": measurement}}]
    (found,) = one_run(as_bytes(phases=phases)).measurements
    return found


def limited(validator: str, value: object = 1.5) -> dict[str, Any]:
    found = measured(validators=[validator], measured_value=value)
    return found.model_dump(
        exclude_none=True, include={"low", "high", "comparator", "nominal", "attributes"}
    )


@pytest.fixture(scope="module", params=["pass", "fail"])
def sample(request: pytest.FixtureRequest) -> Run:
    return one_run((FIXTURES / f"openhtf_{request.param}.json").read_bytes())


def test_the_real_files_hold_one_run_each() -> None:
    passed = one_run((FIXTURES / "openhtf_pass.json").read_bytes())
    failed = one_run((FIXTURES / "openhtf_fail.json").read_bytes())
    assert (passed.barcode, passed.reported_outcome) == ("DEMO-0001", "PASS")
    assert (failed.barcode, failed.reported_outcome) == ("DEMO-0002", "FAIL")
    assert passed.started_at == datetime(2026, 11, 23, 22, 32, 48, 833_000, UTC)
    assert failed.ended_at == datetime(2026, 11, 23, 22, 32, 49, 172_000, UTC)
    assert passed.source
    assert (passed.source.byte_start, passed.source.byte_end) == (0, 13_363)


def test_the_real_files_name_product_procedure_and_steps(sample: Run) -> None:
    assert (sample.product_id, sample.procedure) == ("DEMO-7", "demo_board_fct")
    assert (sample.program, sample.program_version) == ("demo_board_fct", "1.3.0")
    assert sample.attributes == {"station_id": "demo-station"}
    assert [measurement.test_step for measurement in sample.measurements] == [
        "power_up.supply_3v3", "power_up.supply_current", "power_up.ripple",
        "identify.firmware", "identify.self_test", "identify.mac",
        "clock.frequency", "clock.sweep", "clock.temperature",
        "leds.leds_on", "leds.not_taken",
    ]  # fmt: skip


def test_the_real_files_are_valid_messages(sample: Run) -> None:
    assert RUN.validate_json(run_json(sample)) == sample


def test_the_real_files_have_these_limits(sample: Run) -> None:
    step = {each.test_step: each for each in sample.measurements}
    assert (step["power_up.supply_3v3"].low, step["power_up.supply_3v3"].high) == (3.2, 3.4)
    assert (step["power_up.supply_current"].low, step["power_up.supply_current"].high) == (
        None,
        0.25,
    )
    assert (step["power_up.ripple"].low, step["power_up.ripple"].high) == (0.0, 0.05)
    assert step["clock.frequency"].low == pytest.approx(32764.7232)
    assert step["clock.frequency"].high == pytest.approx(32771.2768)
    assert (step["clock.temperature"].low, step["clock.temperature"].unit) == (None, "°C")
    assert (step["leds.leds_on"].comparator, step["leds.leds_on"].nominal) == ("EQ", 4)
    self_test, mac = step["identify.self_test"], step["identify.mac"]
    assert (self_test.measured_value, self_test.comparator, self_test.nominal) == (True, "EQ", True)
    assert (mac.comparator, mac.nominal) == ("REGEX", "^00:1B:44:11:3A:B7$")


def test_the_failed_file_has_these_failures() -> None:
    failed = one_run((FIXTURES / "openhtf_fail.json").read_bytes())
    others = {
        each.test_step: (each.measured_value, each.reported_outcome)
        for each in failed.measurements
        if each.reported_outcome != "PASS"
    }
    assert others == {"clock.frequency": (32790.0, "FAIL"), "leds.not_taken": (None, "ERROR")}
    assert (failed.measurements[-1].low, failed.measurements[-1].high) == (1, 2)
    assert b'"measured_value":null' in run_json(failed)


def test_a_table_is_pass_or_fail_and_kept(sample: Run) -> None:
    (sweep,) = (each for each in sample.measurements if each.test_step == "clock.sweep")
    assert (sweep.measured_value, sweep.comparator, sweep.nominal) == (True, "EQ", True)
    assert sweep.attributes == {
        "table": [[100, -0.1], [1000, -0.3], [10000, -2.9]],
        "dimensions": ["hertz Hz"],
        "unit": "dB",
    }


def test_records_need_no_newline_between_them_nor_at_the_end() -> None:
    first, second = parse(as_bytes() + as_bytes(dut_id="A2"))
    assert isinstance(first, Parsed)
    assert isinstance(second, Parsed)
    assert [first.runs[0].barcode, second.runs[0].barcode] == ["A1", "A2"]


def test_a_record_is_complete_when_it_closes() -> None:
    parser = open_parser("openhtf", Options(), "x")
    assert list(parser.feed(as_bytes()[:-1])) == []
    (item,) = parser.feed(b"}")
    assert isinstance(item, Parsed)


def test_wherever_the_first_record_breaks_off_the_second_is_read() -> None:
    content, whole = as_bytes(), as_bytes(dut_id="A2")
    for died_at in range(1, len(content)):
        damaged, item = parse(content[:died_at] + whole)
        assert isinstance(damaged, Unparsed)
        assert isinstance(item, Parsed)
        assert item.runs[0].source
        assert item.runs[0].source.byte_start == died_at


def test_braces_in_texts_end_nothing() -> None:
    run = one_run(as_bytes(log_records=[{"message": '}}]{"dut_id": \\'}], dut_id='"{'))
    assert run.barcode == '"{'


def test_blanks_and_a_byte_order_mark_are_skipped() -> None:
    found = parse(b"\xef\xbb\xbf" + as_bytes() + b"\r\n")
    assert [type(item) for item in found] == [Skipped, Parsed, Skipped]


@pytest.mark.parametrize(
    ("validator", "limits"),
    [
        ("3.2 <= x <= 3.4", {"low": 3.2, "high": 3.4}),
        ("x <= 0.25", {"high": 0.25}),
        ("-1e-05 <= x", {"low": -1e-05}),
        ("x == 4", {"comparator": "EQ", "nominal": 4}),
        ("x == False", {"comparator": "EQ", "nominal": False}),
        ("0.0 <= Marginal:0.0 <= x <= Marginal:0.03 <= 0.05", {"low": 0.0, "high": 0.05}),
        ("x <= Marginal:0.03 <= 0.05", {"high": 0.05}),
        ("0.1 <= Marginal:0.2 <= x", {"low": 0.1}),
        ("-inf <= x <= 5", {"high": 5}),
        ("-1e+100 <= x <= 5", {"high": 5}),
        ("'x' is within 10% of 5.", {"low": 4.5, "high": 5.5}),
        ("'x' is within 10% of -5.0.", {"low": -5.5, "high": -4.5}),
        ("'x' is within 20% of 10. Marginal: 10% of 10", {"low": 8, "high": 12}),
    ],
)
def test_a_validator_is_read_as_limits(validator: str, limits: dict[str, Any]) -> None:
    assert limited(validator) == limits


@pytest.mark.parametrize(
    ("validator", "limits"),
    [
        ("'x' matches /^a/b$/", {"comparator": "REGEX", "nominal": "^a/b$"}),
        ("'x' is equal to 'it's'", {"comparator": "EQ", "nominal": "it's"}),
        ("'x' is equal to '5'", {"comparator": "EQ", "nominal": "5"}),
    ],
)
def test_a_validator_of_text_is_read(validator: str, limits: dict[str, Any]) -> None:
    assert limited(validator, "text") == limits


def test_what_a_number_must_equal_is_a_number() -> None:
    assert limited("'x' is equal to '5'", 5) == {"comparator": "EQ", "nominal": 5}


@pytest.mark.parametrize(
    "validator",
    ["low <= x <= high", "All values pass: 0 <= x", "<function ok at 0x7f>", "1_0 <= x", "x", ""],
)
def test_another_validator_is_kept_as_it_is(validator: str) -> None:
    assert limited(validator).keys() <= {"attributes"}
    assert measured(validators=[validator]).attributes == (
        {"validators": [validator]} if validator else {"validators": [""]}
    )


def test_two_validators_hold_together_where_they_can() -> None:
    both = measured(validators=["1 <= x", "x <= 2"])
    assert (both.low, both.high, both.attributes) == (1, 2, None)
    mixed = measured(validators=["1 <= x", "x == 4", "2 <= x"])
    assert (mixed.low, mixed.comparator) == (1, None)
    assert mixed.attributes == {"validators": ["x == 4", "2 <= x"]}


@pytest.mark.parametrize(
    ("said", "outcome"),
    [("PASS", "PASS"), ("FAIL", "FAIL"), ("UNSET", "ERROR"), ("PARTIALLY_SET", "FAIL")],
)
def test_the_outcome_of_a_step(said: str, outcome: str) -> None:
    assert measured(outcome=said).reported_outcome == outcome


def test_a_skipped_measurement_is_none() -> None:
    measurements = {"v": {"outcome": "SKIPPED"}, "w": {"outcome": "PASS", "measured_value": 1}}
    run = one_run(as_bytes(phases=[{"name": "up", "measurements": measurements}]))
    assert [each.test_step for each in run.measurements] == ["up.w"]


@pytest.mark.parametrize(
    ("said", "outcome"),
    [("TIMEOUT", "ERROR"), ("ABORTED", "ABORTED"), ("ERROR", "ERROR"), ("ODD", "ERROR")],
)
def test_the_outcome_of_a_unit(said: str, outcome: str) -> None:
    assert one_run(as_bytes(outcome=said)).reported_outcome == outcome


def test_without_an_outcome_nothing_is_reported() -> None:
    assert one_run(as_bytes(outcome=None)).reported_outcome is None


def test_a_run_without_measurements_is_recorded() -> None:
    (measurement,) = one_run(as_bytes(outcome="ABORTED", phases=[])).measurements
    assert (measurement.test_step, measurement.measured_value) == ("run", "ABORTED")
    assert (measurement.comparator, measurement.reported_outcome) == ("LOG", None)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", '"nan"', '"-inf"'])
def test_no_number_is_null(value: str) -> None:
    content = as_bytes().replace(b'"measured_value": 1', f'"measured_value": {value}'.encode())
    (measurement,) = one_run(content).measurements
    assert measurement.measured_value is None


@pytest.mark.parametrize("value", [{"a": [1, float("nan")]}, [[1, 2]]])
def test_a_list_or_an_object_is_pass_or_fail_and_kept(value: object) -> None:
    found = measured(measured_value=value, outcome="FAIL")
    assert (found.measured_value, found.nominal) == (False, True)
    assert found.attributes
    assert "NaN" not in json.dumps(found.attributes)


def test_a_table_that_was_not_taken_is_null() -> None:
    found = measured(measured_value=None, outcome="UNSET", dimensions=[{"name": "hertz"}])
    assert (found.measured_value, found.reported_outcome) == (None, "ERROR")


def test_of_a_key_that_repeats_the_last_counts() -> None:
    assert one_run(b'{"dut_id": "first",' + as_bytes()[1:]).barcode == "A1"


@pytest.mark.parametrize("dut_id", [None, "", "  ", True, ["A"], {}])
def test_without_a_serial_number_it_is_no_run(dut_id: object) -> None:
    assert "serial number (dut_id)" in refusal(as_bytes(dut_id=dut_id))


def test_a_serial_number_may_be_a_number() -> None:
    assert one_run(as_bytes(dut_id=42)).barcode == "42"


def test_without_a_part_number_the_test_is_the_product() -> None:
    assert one_run(as_bytes(metadata={"test_name": "fct"})).product_id == "fct"


def test_without_a_test_name_the_option_is_named() -> None:
    content = as_bytes(metadata={"part_number": "P"})
    assert "option procedure" in refusal(content)
    assert one_run(content, procedure="FCT").procedure == "FCT"


def test_the_options_beat_the_file() -> None:
    run = one_run(as_bytes(), product_id="X", procedure="Y")
    assert (run.product_id, run.procedure, run.program) == ("X", "Y", "fct")


def test_an_option_maps_units() -> None:
    phases = [{"name": "up", "measurements": {"r": {"units": {"suffix": "Ω"}}}}]
    run = one_run(as_bytes(phases=phases), units={"Ω": "Ohm"})
    assert run.measurements[0].unit == "Ohm"


def test_the_order_of_a_date_is_no_option() -> None:
    with pytest.raises(SettingsError, match="date_order is not an option of format openhtf"):
        read_options("openhtf", {"date_order": "dmy"})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"phases": {}}, "phases"),
        ({"phases": [7]}, "phases"),
        ({"phases": [{"measurements": []}]}, "measurements"),
        ({"phases": [{"measurements": {"v": 7}}]}, "'v'"),
        ({"phases": [{"measurements": {"v": {"units": "V"}}}]}, "units"),
        ({"metadata": "fct"}, "metadata"),
        ({"start_time_millis": None}, "start_time_millis"),
        ({"start_time_millis": "now"}, "start_time_millis"),
        ({"start_time_millis": 10**18}, "start_time_millis"),
        ({"end_time_millis": True}, "end_time_millis"),
    ],
)
def test_a_wrong_type_refuses_the_record_in_words(changes: dict[str, Any], said: str) -> None:
    assert said in refusal(as_bytes(**changes))


def test_windows_1252_is_read_where_it_is_not_utf8() -> None:
    content = as_bytes().replace(b"bench-3", b"\xb5-bench")
    assert one_run(content).attributes == {"station_id": "µ-bench"}


def test_a_long_name_is_cut_and_stays_itself() -> None:
    phases = [{"name": "x" * 130, "measurements": {"a": {}, "b": {}}}]
    first, second = (each.test_step for each in one_run(as_bytes(phases=phases)).measurements)
    assert len(first) == len(second) == 128
    assert first != second


def test_a_text_that_no_message_may_hold_is_made_one() -> None:
    found = measured(measured_value="a\0b", docstring="c\0d\n", validators=["'x' matches /\0/"])
    assert (found.measured_value, found.nominal) == ("a b", " ")
    assert found.attributes == {"description": "c d"}


def test_more_than_5000_measurements_are_unparsed() -> None:
    phases = [{"name": "up", "measurements": {str(each): {} for each in range(5001)}}]
    assert "5000" in refusal(as_bytes(phases=phases))
