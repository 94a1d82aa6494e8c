"""Keysight i3070 logs: where records and boards end, cut lines, and bounds."""

import pytest

from edge_agent.formats import Options, Parsed, Skipped, Unparsed, open_parser
from tests.support.i3070 import (
    A_RES,
    BATCH,
    BLOCK,
    BTEST,
    FOOT,
    HEAD,
    LIM3,
    measured,
    one_item,
    one_run,
    parse,
    refusal,
    said,
    steps,
    told,
)
from tests.support.logs.i3070 import board_log

# Other records


def test_report_and_unknown_records_are_kept() -> None:
    run = one_run(
        HEAD
        + "{@RPT|r17 HAS FAILED}\n"
        + BLOCK.replace("}\n}", "}\n{@NOTE|a|b}\n}")
        + "{@D-T|1|0|12|3|1%u1\n{@DPIN|u1\\2|n1|5|n2|6}\n}\n"
        + "{@TS|1|1|0|0|s{@TS-S|1|0|n1{@TS-D\\1|n2|+1.0E+00}}}\n{@RPT|Measured: 5 | 6}\n"
        + FOOT
    )
    assert run.attributes == {
        "status_code": 0,
        "report": "r17 HAS FAILED\nMeasured: 5 | 6",
        "records": ["@NOTE|a|b", "@DPIN|u1\\2|n1|5|n2|6", "@TS-S|1|0|n1", "@TS-D\\1|n2|+1.0E+00"],
    }
    assert [each.test_step for each in run.measurements] == ["r17", "u1", "s"]


def test_records_of_the_batch_before_its_board_are_kept_with_it() -> None:
    run = one_run(BATCH + "\n{@AID|1|2}\n{@RPT|hello}\n" + BTEST + BLOCK + FOOT)
    assert run.attributes == {"status_code": 0, "report": "hello", "records": ["@AID|1|2"]}


def test_a_report_at_the_start_of_a_line_ends_at_its_last_brace() -> None:
    run = one_run(HEAD + "{@RPT|pins {1,2} and {3} failed}\n" + BLOCK + FOOT)
    assert run.attributes == {"status_code": 0, "report": "pins {1,2} and {3} failed"}


def test_a_report_inside_a_line_ends_at_its_first_brace() -> None:
    run = one_run(BATCH + BTEST + "{@RPT|one}{@RPT|two {2}{@PF|p|0|1}}}")
    assert run.attributes == {"status_code": 0, "report": "one\ntwo {2"}


def test_a_list_counts_as_one_field() -> None:
    assert measured("{@PF\\2|a|b|01|3}").reported_outcome == "FAIL"
    assert measured("{@D-T|1|0|0\\3|n1|n2|n3|1%u1}").test_step == "u1"


@pytest.mark.parametrize("mark", ["~7|", "|~7|"])
def test_a_literal_may_hold_braces_and_bars(mark: str) -> None:
    assert measured(f"{{@A-MEA|0|5{mark}a{{|}}b}}~}}").test_step == "a{|}b}~"
    assert one_run(HEAD + BLOCK + f"{{@RPT{mark}a{{|}}b}}~}}\n" + FOOT).attributes == {
        "status_code": 0,
        "report": "a{|}b}~",
    }


def test_a_literal_may_hold_the_mark_of_a_board() -> None:
    mark = "{@BATCH|x|{@BTEST|y}}"
    run = one_run((HEAD + BLOCK + FOOT).replace("|op|", f"~{len(mark)}|{mark}|"))
    assert run.operator == mark


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_a_literal_is_counted_in_characters(encoding: str) -> None:
    log = HEAD + "{@A-MEA|0|5~4|µ{é}}" + FOOT
    assert one_run(log.encode(encoding)).measurements[0].test_step == "µ{é}"


def test_a_literal_that_was_cut_ends_before_the_next_record() -> None:
    run = one_run(HEAD + "{@NOTE~90|not all {there\n" + BLOCK + FOOT)
    assert run.attributes == {"status_code": 0, "records": ["@NOTE~90|not all {there"]}
    assert [each.test_step for each in run.measurements] == ["r17"]


# Where a board ends


def test_a_board_is_complete_at_its_brace_at_once() -> None:
    parser = open_parser("i3070", Options(), "x")
    assert list(parser.feed((HEAD + BLOCK).encode())) == []
    (item,) = parser.feed(b"}")
    assert isinstance(item, Parsed)
    assert item.byte_end == len(HEAD + BLOCK) + 1


def test_boards_are_joined_in_a_line_and_the_last_needs_no_newline() -> None:
    log = HEAD + BLOCK + "}}" + HEAD + BLOCK + "}}"
    found = parse(log)
    assert [type(item) for item in found] == [Parsed, Skipped, Parsed, Skipped]
    second = found[2]
    assert isinstance(second, Parsed)
    source = second.runs[0].source
    assert source
    assert (source.byte_start, source.byte_end) == (len(HEAD + BLOCK) + 2, len(log) - 1)


def test_newlines_between_records_are_optional() -> None:
    log = (HEAD + BLOCK * 2 + "{@PF|p|0|1}\n" + FOOT).replace("\n", "")
    assert steps(log) == ["r17", "r17", "p"]


def test_carriage_returns_and_a_byte_order_mark_are_dropped() -> None:
    log = b"\xef\xbb\xbf" + (HEAD + BLOCK + FOOT).replace("\n", "\r\n").encode()
    run = one_run(log)
    assert run.panel
    assert run.panel.id == "PNL7"
    assert run.source
    assert run.source.byte_start == 3


def test_a_batch_may_hold_several_boards() -> None:
    log = HEAD + BLOCK + "}\n" + BTEST.replace("SN1", "SN2") + "\n" + BLOCK + "}\n}\n"
    first, second = told(log)
    assert isinstance(first, Parsed)
    assert isinstance(second, Parsed)
    assert first.byte_start == 0
    assert log[second.byte_start :].startswith("{@BTEST|SN2")
    assert second.runs[0].product_id == "prod"
    assert second.runs[0].operator == "op"


def test_a_parser_that_starts_between_the_boards_of_a_batch_knows_the_batch() -> None:
    first = (HEAD + BLOCK + "}").encode()
    parser = open_parser("i3070", Options(), "x")
    list(parser.feed(first))
    fresh = open_parser("i3070", Options(), "x", len(first), parser.state())
    (_, item) = fresh.feed(f"\n{BTEST}\n{BLOCK}}}".encode())
    assert isinstance(item, Parsed)
    assert (item.runs[0].product_id, item.runs[0].fixture) == ("prod", "fix")


def test_a_board_after_its_batch_was_closed_is_not_of_it() -> None:
    _, second = told(HEAD + BLOCK + FOOT + BTEST + "\n" + BLOCK + "}\n")
    assert isinstance(second, Unparsed)
    assert "product" in second.reason


@pytest.mark.parametrize("closing", ["", "}", "}\n"])
def test_lost_braces_are_made_up_for_by_the_records_that_follow(closing: str) -> None:
    log = HEAD + f"{{@BLOCK|a|00\n{{@A-RES|0|5{LIM3}{{@BLOCK|b|00\n{{@A-RES|0|6{closing}"
    first, second = told(log + HEAD + BLOCK + FOOT)
    assert isinstance(first, Parsed)
    assert isinstance(second, Parsed)
    assert [each.test_step for each in first.runs[0].measurements] == ["a", "b"]
    assert first.byte_end == len(log)


def test_half_a_board_is_unparsed_at_the_end() -> None:
    assert "without its end" in refusal(HEAD + BLOCK)


def test_a_batch_without_a_board_is_unparsed() -> None:
    first, second, third = told(BATCH + "\n" + BATCH + "}\n" + HEAD + BLOCK + FOOT)
    assert isinstance(first, Unparsed)
    assert isinstance(second, Unparsed)
    assert "without a board" in first.reason
    assert isinstance(third, Parsed)


def test_what_is_outside_of_any_board_is_one_unparsed_up_to_the_next_mark() -> None:
    log = "nonsense {x}\n{@RPT|lost}\n"
    first, second = parse(log + HEAD + BLOCK + "}")
    assert isinstance(first, Unparsed)
    assert (first.byte_start, first.byte_end) == (0, len(log))
    assert isinstance(second, Parsed)


def test_text_between_records_is_a_hole_with_its_braces() -> None:
    log = HEAD + BLOCK + "some } text\n" + BLOCK + FOOT
    item = one_item(log)
    (hole,) = item.holes
    assert log[hole.byte_start : hole.byte_end] == "some } text"
    assert len(item.runs[0].measurements) == 2


def test_only_text_makes_no_run() -> None:
    assert "no test was understood" in refusal(HEAD + "some text\n" + FOOT)


def test_a_test_before_any_board_is_a_hole() -> None:
    item = one_item(BATCH + "\n{@PF|p|0|1}\n" + BTEST + "\n" + BLOCK + FOOT)
    assert len(item.holes) == 1
    assert [each.test_step for each in item.runs[0].measurements] == ["r17"]


# Cut lines


CUT_BLOCK = "{@BLOCK|1%c5|00\n{@A-CAP|0|+1.0E-08{@LIM3|+1.0E-08|+1.1E-08|"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\x04\n", "\x04", " \n"])
@pytest.mark.parametrize("stump", ["-6.650000E+0", "-6.65", "+", "-6.650000E", "6"])
def test_a_limit_cut_in_a_number_is_left_out_and_kept_as_a_hole(stump: str, end: str) -> None:
    log = HEAD + CUT_BLOCK + stump + end + "}\n" + BLOCK + FOOT
    item = one_item(log)
    cut, whole = item.runs[0].measurements
    assert said(cut) == {
        "test_step": "c5",
        "measured_value": 1.0e-8,
        "unit": "F",
        "nominal": 1.0e-8,
        "high": 1.1e-8,
        "reported_outcome": "PASS",
        "attributes": {"limit_cut": stump},
    }
    assert whole.test_step == "r17"
    (hole,) = item.holes
    assert log[hole.byte_start : hole.byte_end] == stump
    assert item.byte_end == len(log) - 3


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        ("{@LIM3|+1.000000E+00|", {"nominal": 1.0}),
        ("{@LIM3|+1.000000E+00", {"nominal": 1.0}),
        ("{@LIM2|+1.000000E+00|", {"high": 1.0}),
        ("{@LIM2|", {}),
        ("{@LIM2", {}),
    ],
)
def test_a_limit_cut_between_numbers_is_a_hole_too(limits: str, kept: dict[str, float]) -> None:
    log = HEAD + "{@BLOCK|x|00\n{@A-JUM|0|+5.000000E-01" + limits + "\n}\n" + BLOCK + FOOT
    item = one_item(log)
    cut = said(item.runs[0].measurements[0])
    assert cut.pop("attributes") == {"limit_cut": ""}
    assert {key: cut.get(key) for key in ("high", "low", "nominal") if key in cut} == kept
    assert len(item.holes) == 1


def test_whole_limits_before_a_newline_are_not_cut() -> None:
    block = BLOCK.replace("}}\n}", "\n}\n}\n}")
    assert steps(HEAD + block + BLOCK + FOOT) == ["r17", "r17"]
    assert measured(block).low == 900.0


def test_a_line_cut_at_column_80_after_a_whole_number_is_closed_too() -> None:
    line = "{@A-RES|0|+1.020000E+03|{name}{@LIM3|+1.000000E+03|+1.100000E+03|+9.000000E+02"
    line = line.replace("{name}", "n" * (80 - len(line) + len("{name}")))
    log = HEAD + "{@BLOCK|x|00\n" + line + "\n}\n" + FOOT
    assert len(line) == 80
    assert one_run(log).measurements[0].low == 900.0


@pytest.mark.parametrize("length", range(10, 76))
def test_wherever_column_80_cuts_a_line_the_board_ends_at_its_own_brace(length: int) -> None:
    line = " " * (80 - length) + A_RES.replace("E+03{", "E+03|sub{")[:length]
    log = HEAD + BLOCK + "{@BLOCK|x|01\n" + line + "\n}\n" + FOOT
    item = one_item(log)
    assert item.byte_end == len(log) - 3
    assert [each.test_step[0] for each in item.runs[0].measurements] == ["r", "x", "x"]


def test_a_value_cut_at_the_end_of_its_line_is_null_and_a_hole() -> None:
    log = HEAD + BLOCK + "{@BLOCK|x|00\n{@A-RES|1|+1.368866E+0\n" + BLOCK + FOOT
    item = one_item(log)
    cut = item.runs[0].measurements[1]
    assert (cut.test_step, cut.measured_value, cut.reported_outcome) == ("x", None, "FAIL")
    (hole,) = item.holes
    assert log[hole.byte_start : hole.byte_end] == "{@A-RES|1|+1.368866E+0"


@pytest.mark.parametrize("record", ["{@A-RES|0|1_0}", f"{{@A-RES|0|x{LIM3}}}"])
def test_a_value_that_is_no_number_is_null_and_a_hole(record: str) -> None:
    item = one_item(HEAD + "{@BLOCK|x|00\n" + record + "\n}\n" + FOOT)
    assert item.runs[0].measurements[0].measured_value is None
    assert len(item.holes) == 1


def test_limits_that_are_no_numbers_are_a_hole() -> None:
    log = HEAD + "{@BLOCK|x|00\n{@A-RES|0|5{@LIM2|much|1}}\n}\n" + FOOT
    item = one_item(log)
    (hole,) = item.holes
    assert log[hole.byte_start : hole.byte_end] == "{@LIM2|much|1"
    assert item.runs[0].measurements[0].low is None


def test_a_report_cut_at_column_80_is_closed() -> None:
    line = "{@RPT|" + "x" * 74
    run = one_run(HEAD + BLOCK + line + "\n" + FOOT)
    assert run.attributes == {"status_code": 0, "report": "x" * 74}


def test_a_report_whose_brace_is_in_the_next_line_is_closed_there() -> None:
    run = one_run(HEAD + "{@RPT|short\n}\n" + BLOCK + FOOT)
    assert run.attributes == {"status_code": 0, "report": "short"}


# Bounds


def test_a_run_above_the_message_limit_goes_without_measurement_attributes() -> None:
    log = HEAD + (CUT_BLOCK + "-6.65\n}\n") * 20 + FOOT
    item = one_item(log, payload_bytes_max=3200)
    assert [each.attributes for each in item.runs[0].measurements] == [None] * 20
    assert one_item(log).runs[0].measurements[0].attributes == {"limit_cut": "-6.65"}


def test_a_run_that_is_still_too_large_is_unparsed() -> None:
    assert "limit of 4096" in refusal(HEAD + BLOCK * 60 + FOOT, payload_bytes_max=4096)


def test_texts_that_no_message_holds_are_unparsed_without_holding_them() -> None:
    log = HEAD + BLOCK + ("{@RPT|" + "x" * 500 + "}\n") * 20 + FOOT
    assert "more than a message holds" in refusal(log, payload_bytes_max=4096)


def test_a_record_that_no_message_holds_refuses_its_board_and_the_next_is_read() -> None:
    log = HEAD + BLOCK + "{@RPT|" + "x" * 5000 + "}\n" + FOOT + HEAD + BLOCK + FOOT
    first, second = told(log, payload_bytes_max=4096)
    assert isinstance(first, Unparsed)
    assert "a record of more than 4096 bytes" in first.reason
    assert isinstance(second, Parsed)


def test_more_than_5000_measurements_are_unparsed() -> None:
    assert len(one_run(HEAD + BLOCK * 5000 + FOOT).measurements) == 5000
    assert "5001" in refusal(HEAD + BLOCK * 5001 + FOOT)
    assert "5001" in refusal(HEAD + "{@PF|p|0|1}\n" * 5001 + FOOT)


def test_the_batch_in_the_state_stays_below_4_kb_whatever_it_says() -> None:
    words = "\N{GRINNING FACE}" * 500
    head = HEAD.replace("|fix|", f"|{words}|").replace("|op|", f"|{words}|").replace("prog", words)
    parser = open_parser("i3070", Options(), "x")
    (item,) = parser.feed((head + BLOCK + "}").encode())
    assert len(str(parser.state()).encode("unicode_escape")) < 4096
    assert isinstance(item, Parsed)
    assert item.runs[0].operator == item.runs[0].fixture


def test_windows_1252_is_read_where_it_is_not_utf8() -> None:
    log = (HEAD + BLOCK.replace("r17", "r\u00b5") + FOOT).encode("cp1252")
    assert one_run(log).measurements[0].test_step == "r\u00b5"


def test_a_generated_log_is_understood_to_the_last_byte() -> None:
    found = told(b"".join(board_log(40, 60)))
    runs = [item.runs[0] for item in found if isinstance(item, Parsed) and not item.holes]
    assert len(runs) == 40
    assert {len(run.measurements) for run in runs} == {62}
    assert {run.reported_outcome for run in runs} == {"PASS", "FAIL"}


def test_a_generated_log_says_the_same_byte_by_byte() -> None:
    log = b"".join(board_log(4, 60))
    parser = open_parser("i3070", Options(), "board.log")
    found = [item for place in range(len(log)) for item in parser.feed(log[place : place + 1])]
    assert [*found, *parser.finish()] == parse(log)
