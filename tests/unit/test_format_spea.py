"""SPEA logs: the published facts of the real file, and every trap of the format."""

from datetime import datetime
from pathlib import Path

import pytest

from broker.messages import RUN, Comparator, Run, RunMeasurement
from edge_agent.formats import Item, Options, Parsed, Skipped, Unparsed, open_parser
from edge_agent.formats.runs import run_json

SAMPLE = Path(__file__).parents[1] / "fixtures/spea/testdata_SN9871234012.csv"
HEAD = "FORMAT;mmdd\nSTART;Programme;prog;1.0;prod;op;10/12/2024;16:15:03\nLOT;\n"
ROW = "ANL;1;C1;7;1;first;;PASS;1.0;0.5;2.0;V;4 5;1\n"
FOOT = "SN;A1\nBOARDRESULT;PASS\nEND;PASS;10/12/2024;16:15:22\n"


def parse(content: str | bytes, **options: object) -> list[Item]:
    raw = content.encode() if isinstance(content, str) else content
    parser = open_parser("spea", Options(**options), r"D:\logs\board.csv")
    return [*parser.feed(raw), *parser.finish()]


def one_run(content: str | bytes, **options: object) -> Run:
    (item,) = parse(content, **options)
    assert isinstance(item, Parsed), item
    assert not item.holes
    return item.runs[0]


def measured(row: str, **options: object) -> RunMeasurement:
    (measurement,) = one_run(HEAD + row + "\n" + FOOT, **options).measurements
    return measurement


def refusal(content: str | bytes, **options: object) -> str:
    (item,) = parse(content, **options)
    assert isinstance(item, Unparsed)
    return item.reason


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    found = parse(SAMPLE.read_bytes())
    assert all(isinstance(item, Parsed) and not item.holes for item in found)
    return [item.runs[0] for item in found if isinstance(item, Parsed)]


def test_the_real_file_holds_ten_runs_of_one_board(runs: list[Run]) -> None:
    assert [run.barcode for run in runs] == ["SN9871234012"] * 10
    assert {(run.product_id, run.program, run.procedure) for run in runs} == {
        ("23462-TS", "23462-TS", "ICT")
    }
    assert {(run.program_version, run.operator) for run in runs} == {("1.0.2", "Test Operator op1")}
    assert [run.reported_outcome for run in runs] == ["FAIL"] * 9 + ["PASS"]
    assert [f"{run.started_at:%H:%M:%S}" for run in runs] == [
        "16:15:03", "16:15:29", "16:15:56", "16:16:21", "16:18:24",
        "16:18:46", "16:19:12", "16:19:34", "16:19:57", "16:22:03",
    ]  # fmt: skip
    assert {run.started_at.date().isoformat() for run in runs} == {"2024-10-12"}
    assert runs[-1].ended_at == datetime(2024, 10, 12, 16, 29, 21)  # noqa: DTZ001


def test_the_real_file_has_these_measurements_and_failed_steps(runs: list[Run]) -> None:
    failed = [
        [m.test_step for m in run.measurements if m.reported_outcome != "PASS"] for run in runs
    ]
    assert [len(run.measurements) for run in runs] == [1198] * 4 + [1201] * 2 + [1198] * 3 + [2410]
    assert [len(steps) for steps in failed] == [4, 4, 4, 4, 6, 7, 5, 5, 6, 21]
    assert [steps[0] for steps in failed] == [
        *["C332.1"] * 5, "DSC-CP[C285].2", "C332.1", "C332.1", "R562.1", "DSC-CP[C109](2).2",
    ]  # fmt: skip


def test_the_real_file_has_these_values_that_are_no_numbers(runs: list[Run]) -> None:
    everything = [m for run in runs for m in run.measurements]
    missing = [[m for m in run.measurements if m.measured_value is None] for run in runs]
    assert [len(each) for each in missing] == [1] * 9 + [0]
    assert {m.test_step for each in missing for m in each} == {"C332.1"}
    assert {(m.low, m.high) for each in missing for m in each} == {(8.5e-10, 1.15e-09)}
    truths = [m for m in everything if isinstance(m.measured_value, bool)]
    assert len(truths) == 173 + 2313
    assert {(m.comparator, m.nominal) for m in truths} == {(Comparator.EQ, True)}
    assert all(m.measured_value == (m.reported_outcome == "PASS") for m in truths)
    only_low = [m for m in runs[-1].measurements if m.low is not None and m.high is None]
    assert len(only_low) == 14


def test_every_run_of_the_real_file_is_a_valid_message(runs: list[Run]) -> None:
    for run in runs:
        payload = run_json(run)
        assert len(payload) < 524_288
        assert RUN.validate_json(payload) == run
        assert b'"started_at":"2024-10-12T16:' in payload


def test_the_source_says_where_the_unit_stands(runs: list[Run]) -> None:
    sources = [run.source for run in runs if run.source]
    assert [source.file for source in sources] == ["board.csv"] * 10
    assert (sources[0].byte_start, sources[0].byte_end) == (0, 125_636)
    assert sources[-1].byte_end == 1_406_304


def test_a_row_becomes_a_measurement() -> None:
    run = one_run(HEAD + ROW + FOOT)
    (measurement,) = run.measurements
    assert measurement.model_dump(exclude_none=True) == {
        "test_step": "C1.1",
        "measured_value": 1.0,
        "unit": "V",
        "low": 0.5,
        "high": 2.0,
        "reported_outcome": "PASS",
        "attributes": {"description": "first"},
    }
    assert run.panel
    assert run.panel.position == 1


@pytest.mark.parametrize(
    ("order", "date", "month", "day"),
    [("mmdd", "10/12/2024", 10, 12), ("ddmm", "10/12/2024", 12, 10), ("mmdd", "10/12/24", 10, 12)],
)
def test_the_format_line_says_the_order_of_the_date(
    order: str, date: str, month: int, day: int
) -> None:
    run = one_run((HEAD + ROW + FOOT).replace("mmdd", order).replace("10/12/2024", date))
    assert run.started_at == datetime(2024, month, day, 16, 15, 3)  # noqa: DTZ001


def test_a_date_without_order_is_refused_naming_the_option() -> None:
    content = (HEAD + ROW + FOOT).replace("FORMAT;mmdd\n", "")
    assert "date_order" in refusal(content)
    assert one_run(content, date_order="dmy").started_at.month == 12


def test_a_date_that_the_order_cannot_mean_is_refused_naming_the_option() -> None:
    assert "date_order" in refusal((HEAD + ROW + FOOT).replace("10/12/", "13/12/"))


def test_the_order_holds_until_the_next_format_line() -> None:
    first, second = parse((HEAD + ROW + FOOT) + (HEAD + ROW + FOOT).replace("FORMAT;mmdd\n", ""))
    assert isinstance(first, Parsed)
    assert isinstance(second, Parsed)
    assert first.runs[0].started_at == second.runs[0].started_at


@pytest.mark.parametrize("verdict", ["FAIL(+)", "FAIL(-)", "FAIL(+/-)", "FAIL", "SOMETHING"])
def test_what_is_not_pass_failed(verdict: str) -> None:
    measurement = measured(f"ANL;1;C1;7;1;first;;{verdict};1.0;0.5;2.0;V;;1")
    assert measurement.reported_outcome == "FAIL"


def test_a_step_without_verdict_has_no_reported_outcome() -> None:
    assert measured("ANL;1;C1;7;1;first;;;1.0;0.5;2.0;V;;1").reported_outcome is None


@pytest.mark.parametrize(("verdict", "truth"), [("PASS", True), ("FAIL(+)", False)])
@pytest.mark.parametrize("cells", ["0.0e+00;0.0e+00;0.0e+00;V", "Automatic;;236;", "0;0;0;"])
def test_three_zeroes_and_automatic_are_pass_or_fail(cells: str, verdict: str, truth: bool) -> None:  # noqa: FBT001
    measurement = measured(f"ANL;1;C1;7;1;first;;{verdict};{cells};;1")
    assert measurement.measured_value is truth
    assert (measurement.comparator, measurement.nominal) == ("EQ", True)
    assert (measurement.low, measurement.high, measurement.unit) == (None, None, None)


def test_of_crossed_limits_only_the_low_one_counts() -> None:
    measurement = measured("FUNC;1;FKT;0;1000;read serial;;PASS;1.0;1.0;0.0;;")
    assert measurement.test_step == "read serial"
    assert (measurement.low, measurement.high, measurement.comparator) == (1.0, None, None)


def test_a_low_limit_of_zero_is_real() -> None:
    assert measured("ANL;1;C1;7;1;first;;PASS;1.0;0;2.0;V;;1").low == 0


@pytest.mark.parametrize("value", ["-NAN", "NAN", "INF", "1.#QNAN", "1e999", ""])
def test_no_number_is_null_and_keeps_its_limits(value: str) -> None:
    measurement = measured(f"ANL;1;C1;7;1;first;;FAIL(+/-);{value};0.5;2.0;V;;1")
    assert measurement.measured_value is None
    assert (measurement.low, measurement.high) == (0.5, 2.0)
    assert measurement.reported_outcome == "FAIL"
    assert b'"measured_value":null' in run_json(
        one_run(HEAD + f"ANL;1;C1;7;1;x;;PASS;{value};0.5;2.0;V;;1\n" + FOOT)
    )


def test_a_huge_limit_is_none() -> None:
    measurement = measured("ANL;1;C1;7;1;first;;PASS;1.0;-9.91e99;1e100;V;;1")
    assert (measurement.low, measurement.high) == (None, None)


@pytest.mark.parametrize(("printed", "unit"), [("O", "Ohm"), ("ohm", "Ohm"), ("kV", "kV")])
def test_units_are_as_printed_but_ohm(printed: str, unit: str) -> None:
    assert measured(f"ANL;1;R1;7;1;first;;PASS;1.0;0.5;2.0;{printed};;1").unit == unit


def test_an_option_maps_units() -> None:
    row = "ANL;1;R1;7;1;first;;PASS;1.0;0.5;2.0;V;;1"
    assert measured(row, units={"V": "mV"}).unit == "mV"


def test_the_options_beat_the_file() -> None:
    run = one_run(HEAD + ROW + FOOT, product_id="PCB-7", procedure="ICT-2")
    assert (run.product_id, run.procedure, run.program) == ("PCB-7", "ICT-2", "prog")


def test_without_a_product_the_program_is_the_product() -> None:
    assert one_run((HEAD + ROW + FOOT).replace(";prod;", ";;")).product_id == "prog"


def test_rows_of_a_second_site_refuse_the_unit() -> None:
    assert "sites" in refusal(HEAD + ROW + ROW.replace("ANL;1", "ANL;2") + FOOT)


@pytest.mark.parametrize("foot", ["END;PASS\n", "SN;\nEND;PASS\n"])
def test_without_a_serial_number_it_is_no_run(foot: str) -> None:
    assert "serial number" in refusal(HEAD + ROW + foot)


def test_a_unit_cut_off_by_the_next_is_unparsed_and_the_next_is_read() -> None:
    damaged, whole = parse(HEAD + ROW + HEAD + ROW + FOOT)
    assert isinstance(damaged, Unparsed)
    assert "END" in damaged.reason
    assert isinstance(whole, Parsed)


def test_the_last_line_needs_no_newline() -> None:
    assert one_run((HEAD + ROW + FOOT).rstrip()).reported_outcome == "PASS"


def test_a_half_unit_is_a_run_only_after_its_end() -> None:
    parser = open_parser("spea", Options(), "x")
    assert list(parser.feed((HEAD + ROW + "SN;A1\nEND;PASS;10/12/2024;16:15:2").encode())) == []
    (item,) = parser.feed(b"2\n")
    assert isinstance(item, Parsed)


@pytest.mark.parametrize(
    "bad", ["DIG;1;x\n", "ANL;1;C1;7\n", "ANL;1;C1;7;1;x;;PASS;1_0;0;1;V;;1\n"]
)
def test_a_row_that_is_not_understood_is_a_hole(bad: str) -> None:
    (item,) = parse(HEAD + ROW + bad + ROW + FOOT)
    assert isinstance(item, Parsed)
    (hole,) = item.holes
    assert (HEAD + ROW + bad + ROW + FOOT)[hole.byte_start : hole.byte_end] == bad
    assert len(item.runs[0].measurements) == 2


def test_only_rows_that_are_not_understood_make_no_run() -> None:
    assert "no row was understood" in refusal(HEAD + "ANL;1\n" + FOOT)


def test_a_unit_without_rows_is_recorded() -> None:
    (measurement,) = one_run(HEAD + FOOT).measurements
    assert (measurement.test_step, measurement.measured_value) == ("run", "PASS")
    assert (measurement.comparator, measurement.reported_outcome) == ("LOG", None)


@pytest.mark.parametrize(("said", "outcome"), [("FAIL", "FAIL"), ("ABORT", "ERROR"), ("", None)])
def test_the_end_line_says_the_outcome(said: str, outcome: str | None) -> None:
    assert one_run(HEAD + ROW + FOOT.replace("END;PASS", f"END;{said}")).reported_outcome == outcome


def test_another_word_on_the_board_is_kept() -> None:
    run = one_run(
        HEAD.replace("LOT;", "LOT;L7;") + ROW + FOOT.replace("BOARDRESULT;PASS", "BOARDRESULT;X")
    )
    assert run.attributes == {"lot": "L7", "board_result": "X"}


def test_windows_1252_is_read_where_it_is_not_utf8() -> None:
    content = (HEAD + ROW + FOOT).replace("first", "10 \u00b5F").encode("cp1252")
    assert one_run(content).measurements[0].attributes == {"description": "10 \u00b5F"}


def test_utf8_byte_order_mark_and_crlf_are_dropped() -> None:
    content = b"\xef\xbb\xbf" + (HEAD + ROW + FOOT).replace("\n", "\r\n").encode()
    run = one_run(content)
    assert run.barcode == "A1"
    assert run.source
    assert run.source.byte_end == len(content)


def test_blank_lines_between_units_are_skipped() -> None:
    found = parse("\n" + HEAD + ROW + FOOT + "\r\n")
    assert [type(item) for item in found] == [Skipped, Parsed, Skipped]


def test_a_long_name_is_cut_and_stays_itself() -> None:
    first = measured(f"FUNC;1;F;0;1;{'x' * 200};;PASS;1;0;2;V;").test_step
    other = measured(f"FUNC;1;F;0;1;{'x' * 201};;PASS;1;0;2;V;").test_step
    assert len(first) == len(other) == 128
    assert first != other
    assert first.startswith("x" * 119 + "~")


def test_control_characters_in_a_name_become_spaces() -> None:
    assert measured("FUNC;1;F;0;1;a\x01b;;PASS;1;0;2;V;").test_step == "a b"


def test_a_run_above_the_message_limit_goes_without_attributes() -> None:
    content = HEAD + ROW.replace("first", "d" * 500) * 20 + FOOT
    run = one_run(content, payload_bytes_max=4096)
    assert [m.attributes for m in run.measurements] == [None] * 20
    assert one_run(content).measurements[0].attributes == {"description": "d" * 500}


def test_a_run_that_is_still_too_large_is_unparsed() -> None:
    assert "limit of 4096" in refusal(HEAD + ROW * 60 + FOOT, payload_bytes_max=4096)


def test_more_than_5000_measurements_are_unparsed() -> None:
    assert len(one_run(HEAD + ROW * 5000 + FOOT).measurements) == 5000
    assert "5001" in refusal(HEAD + ROW * 5001 + FOOT)


def test_a_barcode_that_the_contract_refuses_is_unparsed_with_its_sentence() -> None:
    assert "barcode" in refusal(HEAD + ROW + FOOT.replace("A1", "A" * 129))


def test_more_than_5000_pieces_that_are_not_understood_are_one() -> None:
    content = HEAD + "x\nLOT;7\n" * 5000 + ROW + "{}" + FOOT
    (item,) = parse(content.format(""))
    assert isinstance(item, Parsed)
    assert len(item.holes) == 5000
    assert "more than 5000 pieces" in refusal(content.format("x\n"))
