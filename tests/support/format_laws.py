"""The six laws of a parser, as a check of any bytes; see `edge_agent.formats`."""

import itertools
import json
from importlib import import_module
from typing import Any

from edge_agent.formats import FORMAT_NAMES, Item, Options, Parsed, Skipped, Unparsed, open_parser
from edge_agent.formats.runs import run_json

LOGS: dict[str, Any] = {name: import_module(f"tests.support.logs.{name}") for name in FORMAT_NAMES}
for name in FORMAT_NAMES:  # a format may have logs of several kinds
    LOGS |= {f"{name}-{kind}": logs for kind, logs in getattr(LOGS[name], "MORE", {}).items()}
NAMES = tuple(LOGS)


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
