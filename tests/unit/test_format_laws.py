"""The six laws of a parser, for every format, over real, hand-written and random bytes."""

import itertools
import json
import random
import tracemalloc
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.formats import FORMAT_NAMES, Item, Options, Parsed, Skipped, Unparsed, open_parser
from edge_agent.formats.items import UNIT_BYTES_MAX
from edge_agent.formats.runs import run_json

LOGS: dict[str, Any] = {name: import_module(f"tests.support.logs.{name}") for name in FORMAT_NAMES}
for name in FORMAT_NAMES:  # a format may have logs of several kinds
    LOGS |= {f"{name}-{kind}": logs for kind, logs in getattr(LOGS[name], "MORE", {}).items()}
NAMES = tuple(LOGS)
SAMPLES = [(name, sample) for name in NAMES for sample in LOGS[name].SAMPLES]
SLICE_BYTES = 130_000  # of a large sample; a slice keeps it quick


def read(
    name: str,
    cuts: list[bytes],
    offset: int = 0,
    state: dict[str, Any] | None = None,
    *,
    options: Options,
    finishes: bool = True,
) -> list[tuple[Item, dict[str, Any]]]:
    """Every item with the state at that moment."""
    parser = open_parser(name.partition("-")[0], options, "folder/log.csv", offset, state)
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
    name: str, content: bytes, places: list[int], restart: int, options: Options | None = None
) -> None:
    options = options or LOGS[name].OPTIONS
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

    for item in items(whole):  # what is sent is what the contract accepted
        for built in getattr(item, "built", ()):
            assert json.loads(built.json) == json.loads(run_json(built.run))


@st.composite
def logs(draw: st.DrawFn, name: str) -> bytes:
    piece = st.one_of(st.sampled_from(LOGS[name].PIECES), st.binary(max_size=20))
    return b"".join(draw(st.lists(piece, max_size=25)))


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(deadline=None, max_examples=200)
def test_the_laws_hold_for_any_mixture_of_good_and_bad_lines(
    name: str, data: st.DataObject
) -> None:
    content = data.draw(logs(name))
    places = data.draw(st.lists(st.integers(0, 4000), max_size=8))
    check_laws(name, content, places, data.draw(st.integers(0, 5000)))


@pytest.mark.parametrize("name", NAMES)
@given(content=st.binary(max_size=200), restart=st.integers(0, 200))
@settings(deadline=None, max_examples=100)
def test_no_bytes_raise(name: str, content: bytes, restart: int) -> None:
    check_laws(name, content, [restart], restart)


@pytest.mark.parametrize("name", NAMES)
def test_bytes_one_by_one_give_the_same_items(name: str) -> None:
    content = b"".join(LOGS[name].PIECES)
    check_laws(name, content, list(range(len(content))), len(content) // 2)


@pytest.mark.parametrize(("name", "sample"), SAMPLES, ids=lambda each: getattr(each, "name", each))
@pytest.mark.parametrize("seed", range(3))
def test_the_laws_hold_on_the_real_files(name: str, sample: Path, seed: int) -> None:
    chance = random.Random(seed)
    content = sample.read_bytes()
    start = chance.randrange(max(1, len(content) - SLICE_BYTES + 1)) if seed else 0
    content = content[start : start + SLICE_BYTES]
    places = [chance.randrange(len(content)) for _ in range(40)]
    options = LOGS[name].OPTIONS.model_copy(update={"max_unit_bytes": UNIT_BYTES_MAX})
    check_laws(name, content, places, chance.randrange(len(content)), options)


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_above_the_bound_is_one_unparsed_and_the_next_is_read(name: str) -> None:
    logs = LOGS[name]
    found = items(read(name, [logs.GOOD + logs.TOO_LARGE + logs.GOOD], options=logs.OPTIONS))
    told = [item for item in found if not isinstance(item, Skipped)]
    assert [type(item) for item in told] == [Parsed, Unparsed, Parsed]
    assert "max_unit_bytes" in told[1][0]


@pytest.mark.parametrize("name", NAMES)
def test_bytes_without_end_do_not_fill_the_memory(name: str) -> None:
    parser = open_parser(name.partition("-")[0], LOGS[name].OPTIONS, "log")
    tracemalloc.start()
    found = [item for _ in range(50) for item in parser.feed(b"x" * 10_000)]
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 100_000
    found += parser.finish()
    assert not any(isinstance(item, Parsed) for item in found)
    assert found[-1].byte_end == 500_000


def test_abandoned_items_come_with_the_next_feed() -> None:
    parser = open_parser("jsonl", LOGS["jsonl"].OPTIONS, "log")
    line: bytes = LOGS["jsonl"].GOOD
    first = next(parser.feed(line * 3))
    assert first.byte_end == len(line)
    assert [item.byte_start for item in parser.feed(b"")] == [len(line), 2 * len(line)]
