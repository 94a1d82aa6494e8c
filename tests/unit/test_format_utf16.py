"""UTF-16 logs: what the format says of them, at the offsets of the file."""

import json
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.formats import Options, Parsed, Parser, Skipped, Unparsed, as_utf8, open_parser
from tests.support.format_laws import check_laws, items, read

ORDERS = {"le": b"\xff\xfe", "be": b"\xfe\xff"}
NAMES = ("jsonl", "spea")
LOGS = {name: import_module(f"tests.support.logs.{name}") for name in NAMES}
OPTIONS = Options(max_unit_bytes=4096)


def utf16(content: bytes, order: str) -> bytes:
    text = content.decode("utf-8", "replace")
    return ORDERS[order] + text.encode(f"utf-16-{order}")


def line(barcode: str, **more: Any) -> bytes:  # noqa: ANN401
    fields = {
        "barcode": barcode,
        "product_id": "P",
        "test_step": "v",
        "measured_value": 1.5,
        "timestamp": "2026-11-23T10:00:00Z",
        **more,
    }
    return json.dumps(fields, ensure_ascii=False).encode() + b"\n"


@st.composite
def logs(draw: st.DrawFn, name: str) -> bytes:
    """Good and bad lines, wide characters, and bytes that are no UTF-16."""
    order = draw(st.sampled_from(sorted(ORDERS)))
    piece = st.one_of(
        st.sampled_from([utf16(each, order)[2:] for each in LOGS[name].PIECES]),
        st.text(max_size=10).map(lambda text: text.encode(f"utf-16-{order}", "surrogatepass")),
        st.sampled_from([b"\0\xd8", b"\xd8\0", b"\0\xdc", b"\xdc\0", b"x"]),
    )
    return ORDERS[order] + b"".join(draw(st.lists(piece, max_size=20)))


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(deadline=None, max_examples=300)
def test_the_laws_of_a_parser_hold_in_utf16(name: str, data: st.DataObject) -> None:
    content = data.draw(logs(name))
    places = data.draw(st.lists(st.integers(0, 4000), max_size=8))
    check_laws(name, content, places, data.draw(st.integers(0, 5000)), OPTIONS)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", NAMES)
def test_bytes_one_by_one_give_the_same_items(name: str, order: str) -> None:
    content = utf16("ÄΩ€😀".encode().join(LOGS[name].PIECES), order)
    check_laws(name, content, list(range(len(content))), len(content) // 3, OPTIONS)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", NAMES)
def test_it_means_what_it_means_in_utf8_and_names_the_bytes_of_the_file(
    name: str, order: str
) -> None:
    plain = LOGS[name].GOOD * 3
    content = utf16(plain, order)
    told = items(read(name, [content], options=OPTIONS))
    same = items(read(name, [plain], options=OPTIONS))
    assert [type(item) for item in told] == [type(item) for item in same] == [Parsed] * 3
    for item, twin in zip(told, same, strict=True):
        assert isinstance(item, Parsed)
        assert isinstance(twin, Parsed)
        assert (
            content[item.byte_start : item.byte_end].decode(f"utf-16-{order}").lstrip("\ufeff")
            == plain[twin.byte_start : twin.byte_end].decode()
        )
        run, other = item.runs[0], twin.runs[0]
        assert run.model_copy(update={"source": None}) == other.model_copy(update={"source": None})
        if name == "spea":
            assert run.source
            assert (run.source.byte_start, run.source.byte_end) == item[1:3]


@pytest.mark.parametrize("order", ORDERS)
def test_characters_of_every_width_count_as_the_bytes_they_take_in_the_file(order: str) -> None:
    lines = [line("S1", note="Ω°"), line("S2", note="漢字"), line("S3", note="😀𝄞"), line("S4")]
    content = utf16(b"".join(lines), order)
    found = items(read("jsonl", [content], options=OPTIONS))
    sizes = [len(each.decode().encode("utf-16-le")) for each in lines]
    assert [item.byte_end - item.byte_start for item in found] == [sizes[0] + 2, *sizes[1:]]
    for item, each in zip(found, lines, strict=True):
        raw = content[item.byte_start : item.byte_end]
        assert as_utf8(raw, {"utf_16": order}).removeprefix(b"\xef\xbb\xbf") == each


@pytest.mark.parametrize("broken", [b"\0\xd8", b"\0\xdc"], ids=["high", "low"])
def test_half_a_surrogate_pair_is_refused_with_its_place_and_the_next_line_is_read(
    broken: bytes,
) -> None:
    good = utf16(line("S1"), "le")
    bad = line("S2").decode().encode("utf-16-le").replace(b"2\0", b"2\0" + broken)
    content = good + bad + utf16(line("S3"), "le")[2:]
    first, second, third = items(read("jsonl", [content], options=OPTIONS))
    assert isinstance(first, Parsed)
    assert isinstance(third, Parsed)
    assert isinstance(second, Unparsed)
    assert f"no UTF-16 at byte {content.index(broken, 2)}" in second.reason


def test_half_a_character_at_the_end_is_refused() -> None:
    content = utf16(line("S1") + line("S2").rstrip(), "le")
    *_, last = items(read("jsonl", [content[:-1]], options=OPTIONS))
    assert isinstance(last, Unparsed)
    assert "no UTF-16" in last.reason
    assert last.byte_end == len(content) - 1


def test_a_hole_is_at_the_bytes_of_the_file() -> None:
    good = LOGS["spea"].GOOD
    plain = good.replace(b"SN;A1", "Weiß;Ω\nSN;A1".encode())
    content = utf16(plain, "be")
    (unit,) = items(read("spea", [content], options=OPTIONS))
    assert isinstance(unit, Parsed)
    (hole,) = unit.holes
    assert content[hole.byte_start : hole.byte_end].decode("utf-16-be") == "Weiß;Ω\n"


def test_the_mark_alone_is_an_empty_file() -> None:
    for mark in (*ORDERS.values(), b"\xef\xbb\xbf"):
        (only,) = items(read("jsonl", [mark], options=OPTIONS))
        assert isinstance(only, Skipped)


def test_where_reading_goes_on_the_state_knows_the_encoding() -> None:
    content = utf16(line("S1") + line("S2"), "be")
    (first, state), *_ = read("jsonl", [content], options=OPTIONS)
    parser: Parser = open_parser("jsonl", OPTIONS, "log", first.byte_end, state)
    (second,) = parser.feed(content[first.byte_end :])
    assert isinstance(second, Parsed)
    assert second.runs[0].barcode == "S2"
