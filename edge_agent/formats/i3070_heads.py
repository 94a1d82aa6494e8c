"""What a Keysight BATCH and BTEST say of the run: identity, times, outcome. Pure: no I/O."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from edge_agent.formats import text
from edge_agent.formats.i3070_steps import code, field, word
from edge_agent.formats.items import Options
from edge_agent.formats.runs import panel

MARKED_OUT: Final = 13
_OUTCOMES: Final[Mapping[int | None, str]] = {
    0: "PASS",
    **dict.fromkeys((*range(1, 11), *range(14, 18), *range(90, 100)), "FAIL"),
    **dict.fromkeys((81, 82), "ABORTED"),
}
_BATCH: Final = {"product": 0, "fixture": 2, "operator": 7, "program": 9, "version": 10}
_BARCODE, _STATUS, _START, _SECONDS, _END, _POSITION, _PANEL = 0, 1, 2, 3, 9, 11, 12
_WORDS_JSON_MAX: Final = 3_900
_WORD_CHARS_MAX: Final = 60  # five of them, each character as two escapes of six

_as_moment = re.compile("([0-9]{2})" * 6).fullmatch


def batch_words(fields: Sequence[str], encoding: str) -> dict[str, str]:
    """Return what a BATCH says of all its boards: product, fixture, operator, program, version.

    They go into the parser's state, so that together they stay below 4 kB as JSON.
    """
    printed = {key: word(field(fields, place), encoding) for key, place in _BATCH.items()}
    words = {key: text.clean(each) for key, each in printed.items() if each}
    if len(json.dumps(words)) > _WORDS_JSON_MAX:
        words = {key: text.clean(each, _WORD_CHARS_MAX) for key, each in words.items()}
    return words


def run_fields(head: Sequence[str], batch: Mapping[str, str], options: Options) -> dict[str, Any]:
    """Return the fields of a Run that the two heads say; None where they say nothing.

    Args:
        head: Fields of the BTEST, as printed.
        batch: From `batch_words`; empty where there is no BATCH.
        options: Of the source.

    Raises:
        ValueError: There is no barcode, no product, or no start; the sentence says which.
    """
    words = [word(each, options.encoding) for each in head]
    barcode, start = field(words, _BARCODE), field(words, _START)
    product = options.product_id or text.name(batch.get("product") or batch.get("program") or "")
    started_at = _moment(start)
    if not barcode:
        raise ValueError("a board without a barcode")
    if not product:
        raise ValueError("a board without a product: its BATCH is missing. Set option product_id")
    if started_at is None:
        raise ValueError(f"the start {start[:40]!r} is no time such as 241012161503")
    return {
        "barcode": barcode,
        "product_id": product,
        "procedure": options.procedure or "ICT",
        "started_at": started_at,
        "ended_at": _ended_at(words, started_at),
        "reported_outcome": _OUTCOMES.get(code(field(words, _STATUS)), "ERROR"),
        "operator": batch.get("operator"),
        "fixture": batch.get("fixture"),
        "program": batch.get("program"),
        "program_version": batch.get("version"),
        "panel": _panel(words),
    }


def status_code(head: Sequence[str]) -> int | str:
    """Return the status of a board: a number, or what else is printed."""
    printed = field(head, _STATUS)
    number = code(printed)
    return text.clean(printed) if number is None else number


def _moment(printed: str) -> datetime | None:
    found = _as_moment(printed)
    if not found:
        return None
    year, *others = (int(each) for each in found.groups())
    try:
        return datetime(2000 + year, *others)  # type: ignore[arg-type] # noqa: DTZ001 - no zone
    except ValueError:
        return None


def _ended_at(words: Sequence[str], started_at: datetime) -> datetime | None:
    """Return the end as printed; where a tester leaves it out or cuts it, by the duration."""
    seconds = code(field(words, _SECONDS))
    by_duration = started_at + timedelta(seconds=seconds) if seconds else None
    return _moment(field(words, _END)) or by_duration


def _panel(words: Sequence[str]) -> dict[str, Any] | None:
    found: dict[str, Any] = panel(field(words, _POSITION)) or {}
    if name := text.clean(field(words, _PANEL)):
        found["id"] = name
    return found or None
