"""GR228X logs that are damaged, cut or too large: what is lost is said, and the rest is read."""

import pytest

from edge_agent.formats import Options, Parsed, Unparsed, open_parser
from tests.support.gr228x_units import END, PROGRAM, ROW, START, refusal, units


def test_an_event_mark_without_a_date_ends_nothing() -> None:
    (item,) = units(PROGRAM + START + ROW + '"nonsense\n' + ROW + END)
    assert isinstance(item, Parsed)
    assert len(item.holes) == 1
    assert len(item.runs[0].measurements) == 2


@pytest.mark.parametrize("next_mark", [START, PROGRAM])
def test_a_unit_cut_off_is_unparsed_and_the_next_is_read(next_mark: str) -> None:
    damaged, whole = units(PROGRAM + START + ROW + next_mark + START + ROW + END)[-2:]
    assert isinstance(damaged, Unparsed)
    assert "event" in damaged.reason
    assert isinstance(whole, Parsed)


def test_half_a_unit_is_a_run_only_after_its_event() -> None:
    parser = open_parser("gr228x", Options(), "x")
    assert len(list(parser.feed((PROGRAM + START + ROW + END[:-2]).encode()))) == 1
    (item,) = parser.feed(b"8\n")
    assert isinstance(item, Parsed)
    assert "event" in refusal(PROGRAM + START + ROW + END[:-2])


@pytest.mark.parametrize(
    "bad",
    [
        "nonsense\n",
        "R1=1_0(1,2)R\n",
        "R1=1(1;2)R\n",
        "R1=1(x,2)R\n",
        "R1=1KK(1,2)R\n",
        "(X 1,2\n",
        "=1(,)R\n",
        "\x01=1(,)R\n",
        "@@@\n",
    ],
)
def test_a_line_that_is_not_understood_is_a_hole(bad: str) -> None:
    content = PROGRAM + START + ROW + bad + ROW + END
    (item,) = units(content)
    assert isinstance(item, Parsed)
    (hole,) = item.holes
    assert content[hole.byte_start : hole.byte_end] == bad
    assert len(item.runs[0].measurements) == 2


def test_only_lines_that_are_not_understood_make_no_run() -> None:
    assert "no row was understood" in refusal(PROGRAM + START + "nonsense\n" + END)


def test_lines_outside_of_units_are_unparsed_in_one_piece() -> None:
    litter = "WATS_partNumber=1\n\n" + END
    told, read = units(litter + PROGRAM + START + ROW + END)
    assert isinstance(told, Unparsed)
    assert (told.byte_start, told.byte_end) == (0, len(litter))
    assert isinstance(read, Parsed)


def test_more_than_5000_measurements_are_unparsed() -> None:
    assert "5001" in refusal(PROGRAM + START + ROW * 5001 + END)


def test_a_barcode_that_the_contract_refuses_is_unparsed_with_its_sentence() -> None:
    assert "barcode" in refusal(PROGRAM + START.replace("A1", "A" * 129) + ROW + END)
