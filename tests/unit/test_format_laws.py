"""The six laws of a parser, for every format, over real, hand-written and random bytes."""

import random
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.formats import Parsed, Skipped, Unparsed, open_parser
from edge_agent.formats.items import UNIT_BYTES_MAX
from tests.support.format_laws import LOGS, NAMES, check_laws, items, read

SAMPLES = [(name, sample) for name in NAMES for sample in LOGS[name].SAMPLES]
SLICE_BYTES = 130_000  # of a large sample; a slice keeps it quick


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
