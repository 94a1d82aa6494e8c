"""The six laws of a parser, for every format, over real, hand-written and random bytes."""

import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.formats import FORMAT_NAMES, Item, Options, Parsed, Skipped, Unparsed, open_parser

SAMPLE = Path(__file__).parents[1] / "fixtures/spea/testdata_SN9871234012.csv"

SPEA_PIECES = [
    b"FORMAT;mmdd\n",
    b"FORMAT;ddmm\r\n",
    b"FORMAT;what\n",
    b"START;Programme;prog;1.0;prod;op;10/12/2024;16:15:03\n",
    b"START;Programme;prog;1.0;prod;op;13/12/2024;16:15:03\n",
    b"LOT;7\n",
    b"ANL;1;C1;1;1;first;;PASS;1.0;0.5;2.0;V;;1\n",
    b"ANL;1;C1;1;2;\xb5F \xe9;;FAIL(+);-NAN;0.5;2.0;O;;2\n",
    b"ANL;2;C1;1;1;other site;;PASS;1.0;0.5;2.0;V;;1\n",
    b"FUNC;1;FKT;0;1000;function;;PASS;0;0;0;;\n",
    b"FUNC;1;FKT;0;1000;broken row;;PA\n",
    b"SN;A1\n",
    b"SN;A2\r\n",
    b"BOARDRESULT;PASS\n",
    b"END;PASS;10/12/2024;16:15:22\n",
    b"END;FAIL;10/12/2024;16:15:22",
    b"END\n",
    b"\n",
    b"   \r\n",
    b"\xef\xbb\xbf",
    b"nonsense\n",
    b"\x00\xff\n",
    b"START;" + b"x" * 1500 + b"\n",
]
FLAT = (
    b'{"barcode":"S1","product_id":"P","test_step":"v","measured_value":1.5,'
    b'"timestamp":"2026-11-23T10:00:00Z"}'
)
JSONL_PIECES = [
    FLAT + b"\n",
    FLAT + b"\r\n",
    FLAT,
    b"[" + FLAT + b"," + FLAT + b"]\n",
    b"[]\n",
    b"{}\n",
    b"\n",
    b"{\n",
    b"\xef\xbb\xbf",
    b"\xff\xfe\n",
    b'{"a":NaN}\n',
    b"[" * 2000 + b"\n",
    b"1e999\n",
]
PIECES = {"spea": SPEA_PIECES, "jsonl": JSONL_PIECES}
OPTIONS = Options(max_unit_bytes=1024)


def read(
    name: str,
    cuts: list[bytes],
    offset: int = 0,
    state: dict[str, Any] | None = None,
    *,
    options: Options = OPTIONS,
    finishes: bool = True,
) -> list[tuple[Item, dict[str, Any]]]:
    """Every item with the state at that moment."""
    parser = open_parser(name, options, "folder/log.csv", offset, state)
    found = []
    for cut in cuts:
        found += [(item, parser.state()) for item in parser.feed(cut)]
    if finishes:
        found += [(item, parser.state()) for item in parser.finish()]
    return found


def items(found: list[tuple[Item, dict[str, Any]]]) -> list[Item]:
    return [item for item, _ in found]


def cut_at(content: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({min(place, len(content)) for place in places}), len(content)]
    return [content[start:end] for start, end in itertools.pairwise(edges)]


def check_laws(
    name: str, content: bytes, places: list[int], restart: int, options: Options = OPTIONS
) -> None:
    whole = read(name, [content], options=options)
    end = 0
    for item in items(whole):  # 1: they tile the input
        assert isinstance(item, Parsed | Unparsed | Skipped)
        assert item.byte_start == end
        assert item.byte_end > item.byte_start
        end = item.byte_end
    assert end == len(content)

    assert read(name, cut_at(content, places), options=options) == whole  # 2: however cut

    prefix = content[: restart % (len(content) + 1)]  # 3: never taken back
    said = items(read(name, [prefix], options=options, finishes=False))
    assert said == items(whole)[: len(said)]

    if whole:  # 4: a fresh parser goes on at any item
        index = restart % len(whole)
        item, state = whole[index]
        assert len(json.dumps(state)) <= 4096
        rest = read(name, [content[item.byte_end :]], item.byte_end, state, options=options)
        assert rest == whole[index + 1 :]

    for item in items(whole):  # 6: holes lie inside their item, in order
        edge = item.byte_start
        for hole in getattr(item, "holes", ()):
            assert edge <= hole.byte_start < hole.byte_end <= item.byte_end
            edge = hole.byte_end


@st.composite
def logs(draw: st.DrawFn, name: str) -> bytes:
    piece = st.one_of(st.sampled_from(PIECES[name]), st.binary(max_size=20))
    return b"".join(draw(st.lists(piece, max_size=25)))


@pytest.mark.parametrize("name", FORMAT_NAMES)
@given(data=st.data())
@settings(deadline=None, max_examples=200)
def test_the_laws_hold_for_any_mixture_of_good_and_bad_lines(
    name: str, data: st.DataObject
) -> None:
    content = data.draw(logs(name))
    places = data.draw(st.lists(st.integers(0, 4000), max_size=8))
    check_laws(name, content, places, data.draw(st.integers(0, 5000)))


@pytest.mark.parametrize("name", FORMAT_NAMES)
@given(content=st.binary(max_size=200), restart=st.integers(0, 200))
@settings(deadline=None, max_examples=100)
def test_no_bytes_raise(name: str, content: bytes, restart: int) -> None:
    check_laws(name, content, [restart], restart)


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_bytes_one_by_one_give_the_same_items(name: str) -> None:
    content = b"".join(PIECES[name])
    check_laws(name, content, list(range(len(content))), len(content) // 2)


@pytest.mark.parametrize("start", [0, 1_000_000, 1_131_415])
def test_the_laws_hold_on_the_real_spea_file(start: int) -> None:
    chance = random.Random(start)  # a slice keeps it quick
    content = SAMPLE.read_bytes()[start : start + 130_000]
    places = [chance.randrange(len(content)) for _ in range(40)]
    check_laws("spea", content, places, chance.randrange(100_000), Options())


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_a_unit_above_the_bound_is_one_unparsed_and_the_next_is_read(name: str) -> None:
    if name == "jsonl":
        good, bad = FLAT + b"\n", b'{"barcode":"' + b"x" * 5000 + b'"}\n'
    else:
        head, row = SPEA_PIECES[0] + SPEA_PIECES[3], SPEA_PIECES[6]
        foot = SPEA_PIECES[11] + SPEA_PIECES[14]
        good, bad = head + row + foot, head + row * 100 + foot
    found = items(read(name, [good + bad + good]))
    assert [type(item) for item in found] == [Parsed, Unparsed, Parsed]
    assert "max_unit_bytes" in found[1][0]


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_a_line_without_end_does_not_fill_the_memory(name: str) -> None:
    parser = open_parser(name, OPTIONS, "log")
    for _ in range(50):
        assert list(parser.feed(b"x" * 10_000)) == []
    assert len(parser._cutter._buffer) < 11_000  # type: ignore[attr-defined]
    (item,) = parser.finish()
    assert isinstance(item, Unparsed)
    assert item.byte_end == 500_000


def test_abandoned_items_come_with_the_next_feed() -> None:
    parser = open_parser("jsonl", OPTIONS, "log")
    first = next(parser.feed((FLAT + b"\n") * 3))
    assert first.byte_end == len(FLAT) + 1
    assert [item.byte_start for item in parser.feed(b"")] == [len(FLAT) + 1, 2 * len(FLAT) + 2]
