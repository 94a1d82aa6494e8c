"""What is fuzzed: each target is a check of any bytes, with seeds that it holds for."""

import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from edge_agent.formats.items import UNIT_BYTES_MAX
from tests.support.core import FLAT, RUN, to_bytes
from tests.support.format_laws import LOGS, NAMES, check_laws
from tests.support.laws import check_decoding, check_expression, check_rulebook, check_template
from tests.support.measured import WORDS
from tests.support.paths import ROOT

INPUT_BYTES_MAX: Final = 4_096
"""A longer input reaches no more and takes longer. Seeds are cut to it."""
_CUTS_MAX: Final = 8
_SEPARATOR: Final = "\n"


class Target(NamedTuple):
    """One parser and what it promises."""

    check: Callable[[bytes], None]
    """Raises where a promise is broken; AssertionError where that is a law."""
    seeds: Sequence[bytes]
    """At least one; what mutation starts with."""
    pieces: Sequence[bytes]
    """At least one; what mutation puts in."""


def _check_format(name: str, content: bytes) -> None:
    """Check the laws; where the bytes are cut, and what bounds a unit, follows from the bytes."""
    chance = random.Random(content)
    places = [chance.randrange(len(content) + 1) for _ in range(chance.randrange(_CUTS_MAX))]
    options = LOGS[name].OPTIONS
    if chance.randrange(2):
        options = options.model_copy(update={"max_unit_bytes": UNIT_BYTES_MAX})
    check_laws(name, content, places, chance.randrange(INPUT_BYTES_MAX), options)


def _format_target(name: str) -> Target:
    logs = LOGS[name]
    samples = [_start_of(sample) for sample in logs.SAMPLES]
    marked = b"\xff\xfe" + logs.GOOD.decode("utf-8", "replace").encode("utf-16-le")
    seeds = [logs.GOOD, b"".join(logs.PIECES)[:INPUT_BYTES_MAX], logs.TOO_LARGE, marked, *samples]
    return Target(partial(_check_format, name), seeds, logs.PIECES)


def _start_of(sample: Path) -> bytes:
    with sample.open("rb") as file:
        return file.read(INPUT_BYTES_MAX)


def _check_text(check: Callable[[str], None], content: bytes) -> None:
    check(content.decode("utf-8", "replace"))


def _check_topic(text: str) -> None:
    template, _, topic = text.partition(_SEPARATOR)
    check_template(template, topic)


def _text_target(
    check: Callable[[str], None], seeds: Sequence[str], pieces: Sequence[str]
) -> Target:
    return Target(
        partial(_check_text, check),
        [each.encode() for each in seeds],
        [each.encode() for each in pieces],
    )


_RULES: Final = (ROOT / "rules.toml").read_text("utf-8")
_RULE_LINES: Final = sorted({f"{line}\n" for line in _RULES.splitlines() if " = " in line})
_EXPRESSION_RULE: Final = """
[[rule]]
id = "ratio"
test_step = "ratio"
expression = "steps['r1'] / 2 > 0.1 && steps.r1 > 0"
units = { r1 = 'mV' }
"""
_TOPICS: Final = (
    "factory/v1/{line}/{machine_id}/{channel}\nfactory/v1/line-1/MACH-01/test",
    "{enterprise}/{site}/{area}/{cell}/{machine_id}/{channel}\nacme/x/y/z/M.1/result",
    "{machine_id}/{channel}\nMACH-01/state",
)

TARGETS: Final = {
    **{name: _format_target(name) for name in NAMES},
    "decode": Target(
        check_decoding,
        [to_bytes(FLAT), to_bytes(RUN), to_bytes([FLAT, RUN, 7])],
        [b'"%s": ' % key.encode() for key in {**FLAT, **RUN, "message_id": "", "source": ""}]
        + [b"1e999", b"NaN", b'"\\u0000"', b"null", b"true", b"[", b"]", b"{", b"}", b","],
    ),
    "rulebook": _text_target(
        check_rulebook, [_RULES, _EXPRESSION_RULE], ["[[rule]]\n", *_RULE_LINES]
    ),
    "expression": _text_target(
        check_expression, ["steps['v_in'] / 2 > 1 && values['led'].all(x, x > 0)"], WORDS.split()
    ),
    "topic": _text_target(
        _check_topic, _TOPICS, [*"/\n", "{line}", "{machine_id}", "{channel}", "test", "M1"]
    ),
}
"""By name: every format of the agent (some in several kinds), then what the service reads."""
