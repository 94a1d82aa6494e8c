"""Cutting a stream of bytes into JSON objects."""

import itertools
import json
import time
import tracemalloc

import pytest

from edge_agent.formats import Skipped, Unparsed
from edge_agent.formats.jsonvalues import DEPTH_MAX, Piece, Value, ValueCutter

HEADS = ("sn", "root")
A = b'{"sn": "A", "text": "a } \\" { [ \\\\", "list": [1, -2.5e+3, true, null], "root": {"x": {}}}'
B = b'{"sn": "B", "root": {"steps": [{"name": "{"}]}}'


def cut(*parts: bytes, bytes_max: int = 1 << 20, offset: int = 0) -> list[Piece]:
    cutter = ValueCutter(offset, bytes_max, HEADS)
    found: list[Piece] = []
    for part in parts:
        cutter.add(part)
        found += cutter.pieces()
    return [*found, *cutter.rest()]


def kinds(pieces: list[Piece]) -> list[type[Piece]]:
    return [type(each) for each in pieces]


def contents(pieces: list[Piece]) -> list[bytes]:
    return [each.content for each in pieces if isinstance(each, Value)]


def test_an_object_is_complete_at_its_brace_without_a_byte_more() -> None:
    cutter = ValueCutter(0, 1 << 20, HEADS)
    cutter.add(A[:-1])
    assert list(cutter.pieces()) == []
    cutter.add(A[-1:])
    assert list(cutter.pieces()) == [Value(A, 0, len(A))]


def test_offsets_are_those_of_the_file() -> None:
    pieces = cut(b"\n" + A + b"\r\n\xef\xbb\xbf" + B, offset=1000)
    assert kinds(pieces) == [Skipped, Value, Skipped, Value]
    assert [each.byte_start for each in pieces] == [
        1000, 1001, 1001 + len(A), 1006 + len(A),
    ]  # fmt: skip
    assert contents(pieces) == [A, B]


def test_objects_need_nothing_between_them() -> None:
    assert contents(cut(A + B + A)) == [A, B, A]


@pytest.mark.parametrize("between", [b"", b"\n", b" \r\n"])
def test_wherever_a_writer_dies_the_next_object_is_read(between: bytes) -> None:
    for died_at in range(1, len(A)):
        damaged, whole = cut(A[:died_at] + between + B)
        assert isinstance(damaged, Unparsed)
        assert isinstance(whole, Value), A[:died_at]
        assert whole.content == B


def test_wherever_a_file_begins_the_next_object_is_read() -> None:
    for begins_at in range(1, len(A)):
        assert contents(cut(A[begins_at:] + b"\n" + B))[-1] == B, A[begins_at:]


@pytest.mark.parametrize(
    "damage",
    [b"]", b"}}", b'"', b"x", b"tru", b"\n\x00", b'"a\nb"', b"[" * DEPTH_MAX, b'{"a" nul}', b"\\"],
)
def test_damage_is_one_piece_up_to_the_next_start_mark(damage: bytes) -> None:
    damaged = b'{"sn": "D", "a": [' + damage + b', {"sn": 1}, {"root": 2}], "root": 3}'
    before, lost, after = (each for each in cut(A + damaged + B) if not isinstance(each, Skipped))
    assert isinstance(before, Value)
    assert isinstance(lost, Unparsed)
    assert isinstance(after, Value)
    assert (lost.byte_start, lost.byte_end) == (len(A), len(A + damaged))


def test_what_is_outside_of_any_object_is_one_piece() -> None:
    (lost, value) = cut(b'null, "{", [1, 2]\n' + B)
    assert isinstance(lost, Unparsed)
    assert lost.reason == "outside of any object"
    assert isinstance(value, Value)


def test_an_object_that_does_not_close_is_told_at_the_end() -> None:
    (lost,) = cut(A[:-1])
    assert lost == Unparsed("an object that is not closed", 0, len(A) - 1)


@pytest.mark.parametrize("half", [A[:-1], b'{"a', b'{"sn"', b"x", b"[[", b"{tru", b"\xef\xbb"])
def test_what_comes_after_the_end_is_read_afresh(half: bytes) -> None:
    cutter = ValueCutter(0, 1 << 20, HEADS)
    cutter.add(half)
    assert kinds([*cutter.pieces(), *cutter.rest()]) == [Unparsed]
    cutter.add(B)
    assert list(cutter.pieces()) == [Value(B, len(half), len(half + B))]


def test_an_object_above_the_bound_is_one_piece_and_the_next_is_read() -> None:
    large = b'{"sn": "L", "text": "' + b"{[" * 500 + b'", "more": [' + B + b"]}"
    pieces = cut(A, large.replace(b'"root"', b'"other"'), B, bytes_max=200)
    assert kinds(pieces) == [Value, Unparsed, Value]
    assert "above max_unit_bytes (200)" in str(pieces[1])


def test_the_same_key_in_a_text_is_no_start_mark() -> None:
    content = json.dumps({"sn": 1, "log": json.dumps({"sn": 2, "root": 3}), "root": 4}).encode()
    assert contents(cut(content)) == [content]


def test_an_object_inside_with_one_of_the_heads_is_no_start_mark() -> None:
    content = b'{"root": {"x": "sn"}, "units": [{"sn": "root"}, {"sn": 1}], "sn": 4}'
    assert contents(cut(content)) == [content]


def test_the_deepest_object_that_can_be_read_is_cut() -> None:
    deepest = b'{"a":' * DEPTH_MAX + b"1" + b"}" * DEPTH_MAX
    assert contents(cut(deepest)) == [deepest]
    assert kinds(cut(b'{"a":' + deepest + b"}")) == [Unparsed]


@pytest.mark.parametrize(
    "content",
    [b'{"a":"' + b"x" * 2_000_000, b"[" * 200_000, b'{"' * 100_000, b"\n" * 2_000_000],
    ids=["string", "brackets", "quotes", "blanks"],
)
def test_what_never_ends_holds_no_memory(content: bytes) -> None:
    cutter = ValueCutter(0, 1024, HEADS)
    tracemalloc.start()
    for start in range(0, len(content), 10_000):
        cutter.add(content[start : start + 10_000])
        assert list(cutter.pieces()) == []
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 100_000


@pytest.mark.parametrize("unit", [b'{"a":"' + b"x\\n" * 500_000, b'{"a":[' + b'"b",{},' * 200_000])
def test_reading_in_crumbs_looks_at_every_byte_once(unit: bytes) -> None:
    """Four times the bytes take four times the time, not sixteen times."""
    spent = []
    for content in (unit[: len(unit) // 16], unit[: len(unit) // 4]):
        cutter = ValueCutter(0, 1 << 30, HEADS)
        began = time.process_time()
        for start, end in itertools.pairwise(range(0, len(content), 16)):
            cutter.add(content[start:end])
            list(cutter.pieces())
        spent.append(time.process_time() - began)
    assert spent[1] < 9 * spent[0]
