"""The evidence pack: its page, and that it loses no character."""

import io
import json
import zipfile
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.store.queries.evidence import Evidence, Receipt
from service.store.queries.run_details import RawMessage
from service.store.rulebooks import StoredRulebook
from tests.support.pdf import pdf_pages, pdf_text
from ui.evidence_pack import evidence_files, packed
from ui.evidence_page import evidence_page
from ui.page_fonts import faces_for, spelt
from ui.unit_view import Clock

CLOCK = Clock(ZoneInfo("Europe/Berlin"))
NOON = "2026-11-23T12:00:00Z"


def measured(step: str, value: float, outcome: str = "PASS") -> dict[str, Any]:
    return {
        "test_step": step,
        "measured_value": value,
        "unit": "V",
        "outcome": outcome,
        "comparator": "GELE",
        "low": 4.5,
        "high": 5.5,
        "rule_id": "vcc",
        "reason": None,
        "reported_outcome": "PASS",
        "marginal": False,
    }


def evidence(
    barcode: str = "SN-1", measurements: tuple[dict[str, Any], ...] = (), **changes: object
) -> Evidence:
    shown = list(measurements) or [measured("vcc", 9.0, "FAIL"), measured("vdd", 5.0)]
    bare = {"nominal": None, "agrees": None, "attributes": None}
    empty = dict.fromkeys(("operator", "program", "program_version", "panel", "sequence", "source"))
    run: dict[str, Any] = {
        "message_id": "m-1",
        "run_id": 7,
        "barcode": barcode,
        "machine_id": "FCT-1",
        "line": "L1",
        "product_id": "P1",
        "procedure": "FCT",
        "outcome": "FAIL",
        "reported_outcome": "PASS",
        "agrees": False,
        "timestamp": NOON,
        "received_at": NOON,
        "attempt": 1,
        "first_failure": "vcc",
        "rulebook_version": 4,
        "clock_suspect": False,
        "counts": {"PASS": 1, "FAIL": 1, "ERROR": 0, "UNJUDGED": 0},
        "measurements": shown,
        "measurements_complete": True,
        "details": {
            **empty,
            "ended_at": None,
            "fixture": "F3",
            "attributes": None,
            "topic": "factory/v1/L1/FCT-1/test",
            "element": None,
            "content_hash": "ab" * 16,
            "measurements": [bare] * len(shown),
        },
        **changes,
    }
    book = StoredRulebook(4, "# the rules\n", "mo", "tighter", datetime(2026, 11, 1, tzinfo=UTC))
    message = RawMessage("factory/v1/L1/FCT-1/test", b'{"as": "it came"}', None)
    receipt = Receipt("m-1", NOON, b'{"message_ids":["m-1"]}')
    return Evidence(run, b'{"run_id":7}', message, book, receipt)


def page_of(given: Evidence) -> bytes:
    return evidence_page(given, evidence_files(given), CLOCK)


def pack_of(given: Evidence) -> bytes:
    files = evidence_files(given)
    return packed(given, files, evidence_page(given, files, CLOCK))


def test_the_page_says_verdict_unit_times_failure_limits_and_rulebook() -> None:
    text = pdf_text(page_of(evidence()))
    for words in (
        "FAIL",
        "SN-1",
        "FCT-1, line L1",
        "2026-11-23T12:00:00Z (23 November 2026 13:00:00 CET)",
        "vcc",
        "9 V",
        "4.5 \u2013 5.5",
        "v4 of 2026-11-01 00:00Z, mo: tighter",
        *(each.sha256 for each in evidence_files(evidence())),
    ):
        assert words in text


def test_the_page_is_one_however_much_failed() -> None:
    many = tuple(measured(f"step {i}", 9.0, "FAIL") for i in range(5_000))
    page = page_of(evidence("W" * 128, many))
    assert pdf_pages(page) == 1
    text = pdf_text(page)
    assert "step 0\n" in text
    shown = sum(f"step {i}\n" in text for i in range(5_000))
    assert f"{5_000 - shown} more are in run.json." in text


def test_what_the_font_draws_stands_as_it_is_and_the_rest_as_its_code_point() -> None:
    text = pdf_text(page_of(evidence("Ω-щ-Ä≤", product_id="中\u202e\U0001f600")))
    assert "Ω-щ-Ä≤\n" in text
    assert "<U+4E2D><U+202E><U+1F600>\n" in text


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_no_character_is_lost(text: str) -> None:
    known = {ord(each) for each in "abcé"}
    whole = spelt(text, known)
    for each in text:
        assert each in whole or f"<U+{ord(each):04X}>" in whole
    assert faces_for([text])


def test_the_same_run_gives_the_same_pack() -> None:
    assert pack_of(evidence()) == pack_of(evidence())
    assert pack_of(evidence()) != pack_of(evidence("SN-2"))


def test_a_pack_holds_the_message_as_it_came_and_the_rules_as_they_were_written() -> None:
    with zipfile.ZipFile(io.BytesIO(pack_of(evidence()))) as pack:
        content = {name.split("/")[1]: pack.read(name) for name in pack.namelist()}
    assert content["message.json"] == b'{"as": "it came"}'
    assert content["rulebook-v4.toml"] == b"# the rules\n"
    assert json.loads(content["manifest.json"])["run_id"] == 7
    assert b"sha256sum -c hashes.txt" in content["README.txt"]


@pytest.mark.parametrize(
    ("version", "words"),
    [(0, "# No rulebook was in force yet"), (9, "# Rulebook 9 is not stored.")],
)
def test_a_pack_without_rules_says_why(version: int, words: str) -> None:
    bare = evidence(rulebook_version=version)._replace(rulebook=None)
    files = {each.name: each.content.decode() for each in evidence_files(bare)}
    assert files[f"rulebook-v{version}.toml"].startswith(words)


def test_a_message_without_an_id_got_no_receipt_and_the_pack_says_so() -> None:
    silent = evidence()._replace(receipt=Receipt("ab" * 16, NOON, None))
    receipt = next(each for each in evidence_files(silent) if each.name == "receipt.json")
    told = json.loads(receipt.content)
    assert told["receipt"] is None
    assert told["received_at"] == NOON
    assert told["note"].startswith("No receipt was sent")
