"""TestStand XML reports: the published facts of the real files, and every trap of the format."""

from datetime import datetime
from pathlib import Path

import pytest

from broker.messages import RUN, Comparator, Run, RunMeasurement
from edge_agent.formats import Item, Options, Parsed, Skipped, Unparsed, open_parser
from edge_agent.formats.runs import run_json
from tests.support.logs.teststand import (
    HEAD,
    PROLOG,
    SAMPLES,
    call,
    group,
    number,
    prop,
    report,
    step,
)

ON = step("On", "Passed", prop("PassFail", "True"))


def parse(content: str | bytes, **options: object) -> list[Item]:
    raw = content.encode() if isinstance(content, str) else content
    parser = open_parser("teststand", Options(**options), r"D:\logs\Report[1].xml")
    return [*parser.feed(raw), *parser.finish()]


def one_run(content: str | bytes, **options: object) -> Run:
    (item,) = parse(content, **options)
    assert isinstance(item, Parsed), item
    assert not item.holes
    return item.runs[0]


def measured(step_: str, **options: object) -> RunMeasurement:
    (measurement,) = one_run(report(step_), **options).measurements
    return measurement


def refusal(content: str | bytes, **options: object) -> str:
    (item,) = parse(content, **options)
    assert isinstance(item, Unparsed)
    return item.reason


def sample_run(sample: Path) -> Run:
    content = sample.read_bytes()
    before, item, behind = parse(content)
    assert isinstance(before, Skipped)
    assert isinstance(item, Parsed)
    assert isinstance(behind, Skipped)
    assert not item.holes
    assert behind.byte_end == len(content)
    assert content[item.byte_start : item.byte_end].startswith(b"<Report Type='UUT'")
    assert content[item.byte_start : item.byte_end].endswith(b"</Report>")
    (run,) = item.runs
    assert run.source
    assert (run.source.byte_start, run.source.byte_end) == (item.byte_start, item.byte_end)
    return run


@pytest.mark.parametrize(
    ("sample", "barcode", "product", "started_at"),
    [
        ("TSWithWats2.xml", "5465466", "11", "2022-07-01T16:52:21.036000"),
        (
            "TsWithoutWats.xml",
            "2342343",
            "Computer Motherboard Test Sequence",
            "2022-07-01T15:47:48.927000",
        ),
    ],
)
def test_the_real_files_hold_one_passed_unit_each(
    sample: str, barcode: str, product: str, started_at: str
) -> None:
    (path,) = [each for each in SAMPLES if each.name == sample]
    run = sample_run(path)
    assert (run.barcode, run.product_id) == (barcode, product)
    assert run.started_at.isoformat() == started_at
    assert run.reported_outcome == "PASS"
    assert run.program == run.procedure == "Computer Motherboard Test Sequence"
    assert run.operator == "administrator"
    assert run.panel is None
    assert RUN.validate_json(run_json(run)) == run


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda each: each.name)
def test_the_real_files_have_these_nine_measurements(sample: Path) -> None:
    measurements = sample_run(sample).measurements
    assert [each.test_step for each in measurements] == [
        "Powerup Test",
        "CPU Test/Register Test",
        "CPU Test/Instruction Set Test",
        "CPU Test/Cache Test",
        "CPU Test/FPU Test",
        "ROM Test",
        "RAM Test",
        "Video Test",
        "Keyboard Test",
    ]
    assert [each.measured_value for each in measurements[:7]] == [True] * 7
    assert {(each.comparator, each.nominal) for each in measurements[:7]} == {("EQ", True)}
    video, keyboard = measurements[7:]
    assert (video.measured_value, video.comparator, video.low, video.high) == (5, "GTLT", 0, 10)
    assert video.unit == "microseconds"
    assert (keyboard.measured_value, keyboard.comparator) == (6, "GT")
    assert (keyboard.low, keyboard.high) == (5, None)
    assert {each.reported_outcome for each in measurements} == {"PASS"}


def test_the_start_is_read_from_its_numbers_not_from_its_texts() -> None:
    started_at = one_run(report(ON)).started_at
    assert started_at == datetime(2022, 7, 1, 15, 47, 48, 36_000)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (prop("Year", "2022"), "", "StartDate.Year"),
        (prop("Month", "7"), prop("Month", "13"), "no time"),
        (prop("Hours", "15"), prop("Hours", "x"), "not a number"),
        (prop("Hours", "15"), prop("Hours", "nan"), "StartTime.Hours"),
    ],
)
def test_a_start_that_is_no_time_refuses_the_unit(old: str, new: str, reason: str) -> None:
    assert reason in refusal(report(ON, head=HEAD.replace(old, new)))


def test_steps_stand_behind_their_sequence_calls_without_the_outermost() -> None:
    run = one_run(report(call("CPU", "Passed", call("Cores", "Passed", ON), ON), ON))
    assert [each.test_step for each in run.measurements] == ["CPU/Cores/On", "CPU/On", "On"]


def test_a_failed_sequence_call_comes_behind_the_step_that_failed_it() -> None:
    bad = step("Cache", "Failed", prop("PassFail", "False"))
    run = one_run(report(call("CPU", "Failed", bad), outcome="Failed"))
    assert [(each.test_step, each.reported_outcome) for each in run.measurements] == [
        ("CPU/Cache", "FAIL"),
        ("CPU", "FAIL"),
    ]
    assert run.reported_outcome == "FAIL"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("Passed", "PASS"),
        ("Done", "PASS"),
        ("Failed", "FAIL"),
        ("Error", "ERROR"),
        ("Terminated", "ABORTED"),
        ("Running", "FAIL"),
        ("", None),
    ],
)
def test_the_status_of_a_step_is_its_outcome(status: str, outcome: str | None) -> None:
    assert measured(number("Vcc", status, 5, "LOG")).reported_outcome == outcome


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("Passed", "PASS"),
        ("Done", "PASS"),
        ("Failed", "FAIL"),
        ("Error", "ERROR"),
        ("Terminated", "ABORTED"),
        ("Melted", "ERROR"),
    ],
)
def test_the_report_says_the_outcome_of_the_unit(status: str, outcome: str) -> None:
    assert one_run(report(ON, outcome=status)).reported_outcome == outcome


@pytest.mark.parametrize(("status", "outcome"), [("Failed", "FAIL"), ("Error", "ERROR")])
def test_another_step_is_a_measurement_only_in_trouble(status: str, outcome: str) -> None:
    broken = step("Switch on", status, group("Error", Msg="no supply"))
    calm = [step("If", each) for each in ("Done", "Passed", "Skipped", "Terminated")]
    (measurement,) = one_run(report(*calm, broken)).measurements
    assert measurement.model_dump(exclude_none=True, mode="json") == {
        "test_step": "Switch on",
        "measured_value": False,
        "comparator": "EQ",
        "nominal": True,
        "reported_outcome": outcome,
        "attributes": {"error": "no supply"},
    }


def test_a_skipped_test_measured_nothing() -> None:
    assert len(one_run(report(number("Vcc", "Skipped", 0, "GELE", Low=4), ON)).measurements) == 1


@pytest.mark.parametrize(
    ("comparison", "limits", "comparator", "low", "high"),
    [
        ("GELE", {"Low": 4, "High": 5.5}, "GELE", 4, 5.5),
        ("LTGT", {"Low": 4, "High": 5.5}, "LTGT", 4, 5.5),
        ("GT", {"Low": 5}, "GT", 5, None),
        ("LT", {"Low": 5}, "LT", 5, None),
        ("LE", {"High": 5}, "LE", 5, None),
        ("EQ", {"Low": 5}, "EQ", 5, None),
        ("GELT", {"Low": 4, "High": "INF"}, "GE", 4, None),
        ("GTLE", {"Low": -1e100, "High": 5}, "LE", 5, None),
        ("GELE", {}, None, None, None),
        ("LOG", {"Low": 0, "High": 0}, "LOG", None, None),
        ("", {"Low": 4}, None, 4, None),
    ],
)
def test_a_number_is_compared_as_the_file_says(
    comparison: str,
    limits: dict[str, object],
    comparator: str | None,
    low: float | None,
    high: float | None,
) -> None:
    measurement = measured(number("Vcc", "Passed", 5.25, comparison, **limits))
    assert measurement.measured_value == 5.25
    assert (measurement.comparator, measurement.low, measurement.high) == (comparator, low, high)


def test_a_comparison_we_do_not_know_is_kept_without_limits() -> None:
    measurement = measured(number("Vcc", "Passed", 5, "NEAR", Low=4, High=6))
    assert (measurement.comparator, measurement.low, measurement.high) == (None, None, None)
    assert measurement.attributes == {"comparison": "NEAR"}


@pytest.mark.parametrize(
    ("kind", "field"),
    [("Percentage", "tolerance_percent"), ("PPM", "tolerance_ppm"), ("Delta", "tolerance")],
)
def test_a_nominal_with_equal_thresholds_has_a_tolerance(kind: str, field: str) -> None:
    raw = group("RawLimits", Nominal=5, Low=10, High=10)
    limits = group("Limits", Low=4.5, High=5.5, ThresholdType=kind)
    parts = (prop("Numeric", "5.1"), prop("Comp", "EQT"), raw, limits)
    measurement = measured(step("Vcc", "Passed", *parts))
    assert (measurement.comparator, measurement.nominal) == (Comparator.EQT, 5)
    assert getattr(measurement, field) == 10
    assert (measurement.low, measurement.high) == (None, None)


@pytest.mark.parametrize(
    ("kind", "low", "high"), [("Percentage", -6.0, -4.0), ("PPM", -5.0001, -4.9999)]
)
def test_a_nominal_with_two_thresholds_has_the_limits_they_mean(
    kind: str, low: float, high: float
) -> None:
    limits = group("Limits", Nominal=-5, Low=20, High=20.0000001, ThresholdType=kind)
    parts = (prop("Numeric", "-5.1"), prop("Comp", "EQT"), limits)
    measurement = measured(step("Vcc", "Passed", *parts))
    assert measurement.comparator == Comparator.GELE
    assert (measurement.low, measurement.high) == (
        pytest.approx(low, rel=1e-8),
        pytest.approx(high, rel=1e-8),
    )


@pytest.mark.parametrize("printed", ["NAN", "-INF", "IND", "", "1e999"])
def test_no_number_is_null_and_keeps_its_limits(printed: str) -> None:
    measurement = measured(number("Vcc", "Failed", printed, "GELE", Low=4, High=5))
    assert measurement.measured_value is None
    assert (measurement.low, measurement.high) == (4, 5)
    assert measurement.reported_outcome == "FAIL"


def test_units_are_as_printed_or_as_the_option_says() -> None:
    volts = step("Vcc", "Passed", prop("Numeric", "5"), prop("Units", "Volts"))
    assert measured(volts).unit == "Volts"
    assert measured(volts, units={"Volts": "V"}).unit == "V"
    assert measured(volts.replace("Volts", "ohm")).unit == "Ohm"


@pytest.mark.parametrize(
    ("comparison", "comparator"),
    [("CaseSensit", Comparator.CASESENSIT), ("IgnoreCase", Comparator.IGNORECASE)],
)
def test_a_text_is_compared_with_what_was_expected(comparison: str, comparator: Comparator) -> None:
    parts = (prop("String", " v1.2 "), prop("Comp", comparison), group("Limits", String="V1.2"))
    measurement = measured(step("Version", "Passed", *parts))
    assert (measurement.measured_value, measurement.nominal) == ("v1.2", "V1.2")
    assert measurement.comparator == comparator


def test_a_text_without_expectation_has_no_comparator() -> None:
    measurement = measured(step("Version", "Done", prop("String", "1.2"), prop("Comp", "LOG")))
    assert (measurement.measured_value, measurement.comparator) == ("1.2", None)


def test_a_step_with_several_measurements_is_several() -> None:
    def part(name: str, *props: str) -> str:
        return f"<Value><Prop Name='{name}' Type='Obj'>{''.join(props)}</Prop></Value>"

    first = part("3V3", prop("Data", "3.31"), prop("Comp", "GE"), group("Limits", Low=3.2))
    other = part("5V", prop("Data", "5.6"), prop("Status", "Failed"), prop("Units", "V"))
    plot = part("curve", prop("Points", "1"))
    both = f"<Prop Name='Measurement' Type='Array'>{first}{plot}{other}</Prop>"
    run = one_run(report(step("Rails", "Failed", both), outcome="Failed"))
    assert [
        (each.test_step, each.measured_value, each.low, each.unit, each.reported_outcome)
        for each in run.measurements
    ] == [("Rails/3V3", 3.31, 3.2, None, None), ("Rails/5V", 5.6, None, "V", "FAIL")]


def test_of_several_measurements_only_the_bad_one_is_a_hole() -> None:
    parts = "".join(
        f"<Value><Prop Name='{name}' Type='Obj'>{prop('Data', name)}</Prop></Value>"
        for name in ("1", "x", "3")
    )
    array = f"<Prop Name='Measurement' Type='Array'>{parts}</Prop>"
    (item,) = parse(report(step("Rails", "Passed", array)))
    assert isinstance(item, Parsed)
    assert [each.test_step for each in item.runs[0].measurements] == ["Rails/1", "Rails/3"]
    (hole,) = item.holes
    assert "'x' is not a number" in hole.reason


def test_a_prototype_is_no_step() -> None:
    prototype = (
        "<ArrayElementPrototype Type='TEResult'><Prop Name='Numeric'><Value>1</Value></Prop>"
        "<Prop Type='TEResult'><Prop Name='Status'><Value>Failed</Value></Prop></Prop>"
        "</ArrayElementPrototype>"
    )
    assert len(one_run(report(prototype, ON)).measurements) == 1


def test_the_first_of_two_values_counts() -> None:
    twice = prop("Numeric", "1").replace("</Value>", "</Value><Value ID='[1]'>2</Value>")
    assert measured(step("Vcc", "Passed", twice)).measured_value == 1


@pytest.mark.parametrize(
    ("socket", "batch", "panel"),
    [
        (-1, "", None),
        (0, "", {"position": 0}),
        (3, "B7", {"id": "B7", "position": 3}),
        (-1, "B7", {"id": "B7"}),
    ],
)
def test_socket_and_batch_are_the_panel(
    socket: int, batch: str, panel: dict[str, object] | None
) -> None:
    head = HEAD.replace(prop("TestSocketIndex", "-1"), prop("TestSocketIndex", str(socket)))
    head = head.replace(prop("BatchSerialNumber", ""), prop("BatchSerialNumber", batch))
    found = one_run(report(ON, head=head)).panel
    assert (found and found.model_dump(exclude_none=True)) == panel


def test_station_and_login_are_kept() -> None:
    head = HEAD + group("StationInfo", StationID="TS-7", LoginName="anna")
    run = one_run(report(ON, head=head))
    assert (run.operator, run.attributes) == ("anna", {"station": "TS-7"})


def test_the_sequence_file_is_program_and_procedure() -> None:
    run = one_run(report(ON))
    assert (run.program, run.procedure, run.product_id) == ("Board Test", "Board Test", "P1")
    nameless = report(ON, head=HEAD.replace("P1", ""))
    assert one_run(nameless).product_id == "Board Test"


def test_the_options_beat_the_file() -> None:
    run = one_run(report(ON), product_id="PCB-7", procedure="FCT")
    assert (run.product_id, run.procedure, run.program) == ("PCB-7", "FCT", "Board Test")


@pytest.mark.parametrize(
    ("option", "rest"), [("product_id", {"procedure": "FCT"}), ("procedure", {"product_id": "P"})]
)
def test_without_a_sequence_file_the_options_are_named(option: str, rest: dict[str, str]) -> None:
    bare = report(ON, head=HEAD.replace("P1", "")).replace(r"C:\seq\Board Test.seq", "")
    assert option in refusal(bare, **rest)


def test_without_a_serial_number_it_is_no_run() -> None:
    assert "SerialNumber" in refusal(report(ON, head=HEAD.replace("A1", " ")))


def test_a_report_without_measurement_is_recorded() -> None:
    (measurement,) = one_run(report(outcome="Terminated")).measurements
    assert (measurement.test_step, measurement.measured_value) == ("run", "Terminated")
    assert (measurement.comparator, measurement.reported_outcome) == ("LOG", None)


def test_a_report_is_complete_at_its_end_mark() -> None:
    parser = open_parser("teststand", Options(), "x")
    content = report(ON).encode()
    assert list(parser.feed(content[:-1])) == []
    (item,) = parser.feed(content[-1:])
    assert isinstance(item, Parsed)


def test_several_reports_in_a_file_are_several_units() -> None:
    second = report(ON, head=HEAD.replace("A1", "A2"))
    found = parse(PROLOG + report(ON) + "\n" + second + "\n</Reports>\n")
    assert [type(item) for item in found] == [Skipped, Parsed, Skipped, Parsed, Skipped]
    assert [item.runs[0].barcode for item in found if isinstance(item, Parsed)] == ["A1", "A2"]


@pytest.mark.parametrize("quote", ["'", '"'])
def test_attributes_may_stand_in_either_quotes_and_any_order(quote: str) -> None:
    content = report(ON).replace("'", quote)
    turned = content.replace(
        "Type='UUT' UUTResult='Passed'".replace("'", quote),
        "\n\tUUTResult = 'Passed'\n\tTitle='a > b' Type='UUT' ".replace("'", quote),
    )
    assert one_run(turned).reported_outcome == "PASS"


def test_an_end_mark_in_a_comment_or_in_cdata_ends_nothing() -> None:
    hidden = "<!-- </Report> <Report Type='UUT'> --><![CDATA[</Report>]]><?x </Report>?>"
    assert len(one_run(report(ON, prop("Note", hidden), ON)).measurements) == 2


def test_a_report_in_a_comment_is_none() -> None:
    (item,) = parse(f"<!-- {report(ON)} -->\n")
    assert isinstance(item, Skipped)


def test_escapes_are_read() -> None:
    name = measured(step("A &lt;&amp;&gt; B &#181;", "Passed", prop("PassFail", "True"))).test_step
    assert name == "A <&> B \xb5"


@pytest.mark.parametrize(
    "damage",
    [
        report(ON)[:300],
        report(ON)[:-9],
        "<Report Type='UUT' UUTResult='Pas",
        report(ON)[:300] + "<![CDATA[",
        report(ON)[:300] + "<!-- ",
    ],
)
def test_half_a_report_is_unparsed_and_the_next_is_read(damage: str) -> None:
    half, whole = parse(damage + report(ON))
    assert isinstance(half, Unparsed)
    assert "</Report>" in half.reason
    assert half.byte_end == len(damage.encode())
    assert isinstance(whole, Parsed)


def test_a_comment_without_end_hides_nothing_beyond_the_bound() -> None:
    parser = open_parser("teststand", Options(max_unit_bytes=8192), "x")
    content = ("<!-- " + report(ON) * 20).encode()
    found = list(parser.feed(content))
    assert isinstance(found[0], Unparsed)
    assert found[0].byte_end == len("<!-- ")
    assert all(isinstance(item, Parsed) for item in found[1:])


@pytest.mark.parametrize("broken", ["<Value>", "&", "<a b=c/>", "\x01", "</Prop></Prop>"])
def test_xml_that_is_not_well_formed_is_unparsed(broken: str) -> None:
    damaged, whole = parse(report(ON, broken) + report(ON))
    assert isinstance(damaged, Unparsed)
    assert "well-formed" in damaged.reason
    assert isinstance(whole, Parsed)


def test_entities_are_refused_and_nothing_is_expanded() -> None:
    declared = "<!DOCTYPE Reports [<!ENTITY mine 'A1'><!ENTITY file SYSTEM 'file:///etc/passwd'>]>"
    for name in ("mine", "file"):
        head = HEAD.replace("A1", f"&{name};")
        doctype, damaged = parse(declared + report(ON, head=head))
        assert isinstance(doctype, Unparsed)
        assert isinstance(damaged, Unparsed)
        assert "undefined entity" in damaged.reason


def test_a_document_type_inside_a_report_is_refused() -> None:
    content = report(ON).replace("'Passed'>", "'Passed'><!DOCTYPE x [<!ENTITY a 'b'>]>", 1)
    assert "well-formed" in refusal(content)


def test_depth_is_bounded() -> None:
    assert "in one another" in refusal(report("<Prop>" * 600 + "</Prop>" * 600))
    nested = ON
    for _ in range(90):
        nested = call("c", "Passed", nested)
    assert len(one_run(report(nested)).measurements) == 1


def test_a_tsreport_is_unparsed_by_name() -> None:
    other = "<TSReport>\n<ReportInfo key='ID' value='1'/></TSReport>"
    prolog, damaged, end, whole = parse('<?xml version="1.0"?>' + other + "\n" + report(ON))
    assert isinstance(prolog, Skipped)
    assert isinstance(damaged, Unparsed)
    assert "TSReport" in damaged.reason
    assert isinstance(end, Skipped)
    assert isinstance(whole, Parsed)
    assert "TSReport" in refusal("<TSReport><ReportInfo")


def test_a_batch_report_is_unparsed_by_name() -> None:
    batch = report(ON).replace("Type='UUT'", "Type='Batch'", 1)
    assert "'Batch'" in refusal(batch)


def test_a_step_that_is_not_understood_is_a_hole() -> None:
    bad = number("Vcc", "Passed", "5,1", "GELE", Low=4, High=6)
    content = (report(ON, bad, ON) + "\n").encode()
    item, _ = parse(content)
    assert isinstance(item, Parsed)
    (hole,) = item.holes
    assert "'5,1' is not a number" in hole.reason
    piece = content[hole.byte_start : hole.byte_end]
    assert piece.startswith(b"<Prop Type='TEResult'>")
    assert piece.endswith(b"</Prop>")
    assert b"5,1" in piece
    assert b"On" not in piece
    assert len(item.runs[0].measurements) == 2


def test_a_hole_in_windows_1252_is_found_in_the_files_own_bytes() -> None:
    bad = number("\xb5C", "Passed", "0x5", "GELE")
    content = report(step("\xb5V", "Passed", prop("PassFail", "True")), bad, ON).encode("cp1252")
    (item,) = parse(content)
    assert isinstance(item, Parsed)
    assert [each.test_step for each in item.runs[0].measurements] == ["\xb5V", "On"]
    (hole,) = item.holes
    piece = content[hole.byte_start : hole.byte_end]
    assert piece.startswith(b"<Prop Type='TEResult'>")
    assert b"0x5" in piece


def test_a_step_without_a_name_is_a_hole() -> None:
    (item,) = parse(report(step("", "Passed", prop("PassFail", "True")), ON))
    assert isinstance(item, Parsed)
    assert "TS.StepName" in item.holes[0].reason


def test_only_steps_that_are_not_understood_make_no_run() -> None:
    assert "no step was understood" in refusal(report(number("Vcc", "Passed", "5,1", "GELE")))


def test_lines_that_are_not_utf8_are_windows_1252_or_the_option() -> None:
    content = report(step("\xe9", "Passed", prop("PassFail", "True"))).encode("cp1252")
    assert one_run(content).measurements[0].test_step == "\xe9"
    assert one_run(content, encoding="cp1251").measurements[0].test_step == "\u0439"
    utf8 = report(step("\u20ac", "Passed", prop("PassFail", "True"))).encode()
    assert one_run(utf8).measurements[0].test_step == "\u20ac"


def test_byte_order_mark_and_crlf_are_dropped() -> None:
    content = b"\xef\xbb\xbf" + (PROLOG + report(ON) + "\n").replace("\n", "\r\n").encode()
    found = parse(content)
    assert [type(item) for item in found] == [Skipped, Parsed, Skipped]


def test_a_report_above_the_bound_is_unparsed() -> None:
    assert "max_unit_bytes" in refusal(report(ON, "<Prop></Prop>" * 500), max_unit_bytes=4096)


def test_a_run_that_is_too_large_goes_without_attributes_or_is_unparsed() -> None:
    wordy = step("Bad", "Failed", group("Error", Msg="m" * 500))
    run = one_run(report(*[wordy] * 20), payload_bytes_max=4096)
    assert [each.attributes for each in run.measurements] == [None] * 20
    assert "limit of 4096" in refusal(report(*[wordy] * 60), payload_bytes_max=4096)
    assert "5000" in refusal(report(*[ON] * 5001))


def test_long_names_and_controls_follow_the_rules_of_names() -> None:
    name = measured(step("x" * 200, "Passed", prop("PassFail", "True"))).test_step
    assert len(name) == 128
    assert name.startswith("x" * 119 + "~")
    assert measured(step("a&#9;b", "Passed", prop("PassFail", "True"))).test_step == "a b"
