"""Takaya logs that are damaged, cut, too large or of another form: what is lost, what is read."""

import pytest

from edge_agent.formats import Parsed, Unparsed
from tests.support.logs.takaya import COLUMNS, HEAD, board, row
from tests.support.takaya_panels import END, boards, parse, refusal, runs_of


@pytest.mark.parametrize(
    "bad",
    [
        row()[:200] + b"\n",
        row().replace(b"\n", b"\tx\n"),
        row(c22="1_0"),
        row(c35="few"),
        row(c3="", c4="", c5="", c9="", c11=""),
        b"nonsense\n",
    ],
)
def test_a_line_that_is_not_understood_is_a_hole(bad: bytes) -> None:
    content = HEAD + board("1", row() + bad + row()) + END
    (item,) = boards(content)
    assert isinstance(item, Parsed)
    (hole,) = item.holes
    assert content[hole.byte_start : hole.byte_end] == bad
    assert len(item.runs[0].measurements) == 2


@pytest.mark.parametrize(
    "columns",
    [
        b"",
        COLUMNS.replace(b"Group_No.", b"Group"),
        COLUMNS.replace(b"Function", b"Aux."),
        COLUMNS.replace(b"Group_No.\t", b"Group_No.\tx\t"),
    ],
)
def test_rows_under_another_column_head_are_refused(columns: bytes) -> None:
    content = HEAD + board("1", row()).replace(COLUMNS, columns) + END
    assert "column head" in refusal(content)


QUOTED = b'000932 "P2P1       " "P-Auto     " "V1-V2   " 326   330   "400.0 O  " "OP"\n'


def test_the_quoted_form_is_unparsed_by_name_and_the_next_panel_is_read() -> None:
    content = HEAD + board("1", QUOTED * 3).replace(COLUMNS, b"") + END
    refused, read = boards(content + HEAD + board("1", row()) + END)
    assert isinstance(refused, Unparsed)
    assert "APT-94xx" in refused.reason
    assert isinstance(read, Parsed)


def test_the_atdx_form_is_unparsed_by_name_in_one_piece() -> None:
    content = (
        b'\xef\xbb\xbf#############"Main header"############\nTester ID:  APT-1400F FPT04\n'
        b"Model: 289-0254-4.0\nSerial number : WO-1\nTest Date: 25/05/2025 12:26:55\n\n"
        b'#############"Group header"#########\nGroup No.: 1 Side: A FAIL \n\nOrder;Aux;M.Aux\n'
        b"1;;;POWER_SHORTS\n"
    )
    (item,) = parse(content)
    assert isinstance(item, Unparsed)
    assert "ATDX" in item.reason
    assert (item.byte_start, item.byte_end) == (0, len(content))


def test_half_a_board_is_unparsed_also_when_it_was_not_tested() -> None:
    assert "half a board" in refusal(HEAD + board("1", row()))
    assert "half a board" in refusal(HEAD + board("1", b"", verdict="NO-TEST"))


def test_half_a_head_is_unparsed() -> None:
    assert "half the head" in refusal(HEAD[:-2])


@pytest.mark.parametrize("lost", [b"Model:V1_BOT.SWX\n", b"DATE 20/4/2023 13:02:39\n"])
def test_boards_without_model_or_date_are_unparsed(lost: bytes) -> None:
    head, one, two = boards(
        HEAD.replace(lost, b"") + board("1", row()) + board("2", row()) + END + END
    )[:3]
    assert isinstance(head, Unparsed)
    for item in (one, two):
        assert isinstance(item, Unparsed)
        assert "head of its panel" in item.reason


def test_a_panel_that_lost_its_at_does_not_hide_the_next() -> None:
    second = HEAD.replace(b"V1_BOT", b"V2_TOP")
    content = HEAD + board("1", row()) + second + board("1", row(), serial="A2") + END
    found = runs_of(parse(content))
    assert [(run.product_id, run.barcode) for run in found] == [("V1_BOT", "A1"), ("V2_TOP", "A2")]


def test_a_head_that_lost_its_end_does_not_hide_the_next() -> None:
    second = HEAD.replace(b"V1_BOT", b"V2_TOP")
    found = runs_of(parse(HEAD[:-2] + second + board("1", row()) + END))
    assert [run.product_id for run in found] == ["V2_TOP"]


def test_a_damaged_group_line_costs_one_item_and_the_rest_of_the_panel_is_read() -> None:
    damaged = board("2", row(), serial="A2").replace(b"* GROUP", b"* GR#UP")
    for first in (b"", board("1", row())):
        content = HEAD + first + damaged + board("3", row(), serial="A3") + END
        refused, read = boards(content)
        assert isinstance(refused, Unparsed)
        assert isinstance(read, Parsed)
        assert read.runs[0].barcode == "A3"


def test_two_boards_are_never_read_as_one() -> None:
    content = HEAD + board("1", row()) + b"Serial No.:A2\n" + row() + END
    assert "two boards in one" in refusal(content)


def test_an_unknown_line_in_the_head_is_told_and_the_boards_are_read() -> None:
    told, read = boards(HEAD.replace(b"Model", b"nonsense\nModel") + board("1", row()) + END)
    assert isinstance(told, Unparsed)
    assert "nonsense" in told.reason
    assert isinstance(read, Parsed)


def test_lines_before_a_panel_are_unparsed_in_one_piece() -> None:
    litter, read = boards(b"one\n\ntwo\n" + HEAD + board("1", row()) + END)
    assert isinstance(litter, Unparsed)
    assert (litter.byte_start, litter.byte_end) == (0, 9)
    assert isinstance(read, Parsed)


def test_more_than_5000_measurements_are_unparsed() -> None:
    assert "5001" in refusal(HEAD + board("1", row() * 5001) + END)


def test_a_barcode_that_the_contract_refuses_is_unparsed_with_its_sentence() -> None:
    assert "barcode" in refusal(HEAD + board("1", row(), serial="A" * 129) + END)
