"""The page of an evidence pack that a person reads: one PDF page, one run the same bytes."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from fpdf import FPDF
from fpdf.fonts import TTFFont

from service.store.queries.evidence import Evidence
from ui.evidence_pack import PackFile
from ui.measurement_view import rows
from ui.page_fonts import faces_for, spelt
from ui.unit_view import Clock

_LEFT, _RIGHT, _WIDTH = 15.0, 195.0, 180.0  # mm, of 210
_ROWS_END, _FOOT = 232.0, 283.0
_LABEL_WIDTH: Final = 32.0
_LINE: Final = 5.2
_BARCODE_LINES_MAX: Final = 4
_COLUMNS: Final = (
    ("outcome", 16.0),
    ("step", 54.0),
    ("value", 28.0),
    ("limits", 34.0),
    ("judged by", 28.0),
    ("tester said", 20.0),
)
_INK, _GREY, _RED = (20, 24, 27), (82, 93, 103), (184, 31, 22)
_FAMILY: Final = "face"


class Sheet(NamedTuple):
    """The words of the page."""

    verdict: str
    barcode: str
    facts: list[tuple[str, str]]
    """Label and value, a line each."""
    failures: list[tuple[str, ...]]
    """The cells of what is FAIL or ERROR, in the order of the columns; may be empty."""
    hashes: list[tuple[str, str]]
    """File and its SHA-256."""


def evidence_page(evidence: Evidence, files: Sequence[PackFile], clock: Clock) -> bytes:
    """Draw the page.

    Args:
        evidence: Of which run.
        files: What the page names with its hashes.
        clock: Tells times in the plant's zone, beside UTC.
    """
    sheet = _words(evidence, files, clock)
    page = _Page([*_texts(sheet), _NOTES], datetime.fromisoformat(evidence.run["received_at"]))
    page.head(sheet)
    left_out = page.failures(sheet.failures)
    page.foot(sheet.hashes, left_out)
    return page.bytes()


_NOTES: Final = (
    "\u2026 marks text that did not fit, <U+\u2026> a character that this font lacks;"
    " run.json has all of it. README.txt tells how to check the hashes."
)


def _words(evidence: Evidence, files: Sequence[PackFile], clock: Clock) -> Sheet:
    run = evidence.run
    made, _ = rows(run["measurements"], run["details"]["measurements"], everything=False)
    bad = [each for each in made if each["mark"] in {"F", "E"}]
    return Sheet(
        run["outcome"],
        run["barcode"],
        [(label, value) for label, value in _facts(evidence, clock) if value],
        [_cells(each) for each in bad],
        [(each.name, each.sha256) for each in files],
    )


def _facts(evidence: Evidence, clock: Clock) -> Iterator[tuple[str, str]]:
    run, more = evidence.run, evidence.run["details"]
    counts = " · ".join(f"{n} {word}" for word, n in run["counts"].items() if n)
    yield "Product", run["product_id"]
    yield "Machine", f"{run['machine_id']}, line {run['line']}"
    yield "Procedure", f"{run['procedure']}, attempt {run['attempt']}"
    yield "Began", _moment(run["timestamp"], clock)
    yield "Ended", _moment(more["ended_at"], clock) if more["ended_at"] else ""
    yield "Received", _moment(run["received_at"], clock)
    yield "Measurements", counts
    yield "First failure", run["first_failure"] or ""
    yield "Tester said", _said(run)
    yield "Rulebook", _rulebook(evidence)
    yield "Tested with", _circumstances(more)
    yield "Run", f"{run['run_id']}, message {run['message_id']}"
    yield "Topic", f"{more['topic']}{_element(more)}"
    yield "Receipt", "sent" if evidence.receipt.body else "none: the message had no message_id"
    yield "Content hash", f"BLAKE2b-128 {more['content_hash']}"


def _said(run: dict[str, Any]) -> str:
    said = run["reported_outcome"] or "nothing"
    return f"{said}; its own measurements say otherwise" if run["agrees"] is False else said


def _rulebook(evidence: Evidence) -> str:
    book, version = evidence.rulebook, evidence.run["rulebook_version"]
    if book is None:
        return f"v{version} is not stored" if version else "none was in force (version 0)"
    return f"v{book.version} of {book.activated_at:%Y-%m-%d %H:%M}Z, {book.author}: {book.reason}"


def _element(more: dict[str, Any]) -> str:
    return "" if more["element"] is None else f", element {more['element']} of its array"


def _circumstances(more: dict[str, Any]) -> str:
    panel, source = more["panel"] or {}, more["source"] or {}
    facts = (
        ("", " ".join(filter(None, (more["program"], more["program_version"])))),
        ("fixture ", more["fixture"]),
        ("operator ", more["operator"]),
        ("panel ", panel.get("id")),
        ("position ", panel.get("position")),
        ("log ", source.get("file")),
    )
    return ", ".join(f"{word}{value}" for word, value in facts if value not in {None, ""})


def _moment(text: str, clock: Clock) -> str:
    return f"{text} ({clock.full(text)})"


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    value = f"{row['value']} {row['unit']}".strip()
    said = f"≠ {row['reported']}" if row["differs"] else row["reported"]
    word = "FAIL" if row["mark"] == "F" else "ERROR"
    against = row["limits"] if row["mark"] == "F" else row["why"]
    return word, row["step"], value, against, row["by"], said


def _texts(sheet: Sheet) -> Iterator[str]:
    yield sheet.barcode
    for pair in (*sheet.facts, *sheet.failures, *sheet.hashes):
        yield from pair


class _Page:
    """A page of A4 on which text is written from the top down."""

    def __init__(self, texts: Sequence[str], at: datetime) -> None:
        self._pdf = FPDF(format="A4")
        self._pdf.set_auto_page_break(auto=False)
        self._pdf.set_creation_date(at)  # else that of the asking
        self._pdf.set_title("Evidence")
        needed = faces_for(texts)
        for number, face in enumerate(needed):
            self._pdf.add_font(f"{_FAMILY}{number}", "", face.path)
        self._pdf.set_fallback_fonts([f"{_FAMILY}{number}" for number in range(1, len(needed))])
        fonts = [font for font in self._pdf.fonts.values() if isinstance(font, TTFFont)]
        self._known = frozenset[int]().union(*(font.cmap for font in fonts))
        self._pdf.add_page()
        self._y = 15.0

    def head(self, sheet: Sheet) -> None:
        """Write the verdict, the unit and the facts."""
        self._put(_LEFT, sheet.verdict, _WIDTH, 26, _RED if sheet.verdict == "FAIL" else _INK)
        self._put(_RIGHT - 48, "Yieldline, evidence of a run", 48, 9, _GREY)
        self._y += 12
        self._size(15)
        for line in self._wrapped(spelt(sheet.barcode, self._known)):
            self._put(_LEFT, line, _WIDTH, 15)
            self._y += 7
        self._y += 2
        for label, value in sheet.facts:
            self._put(_LEFT, label, _LABEL_WIDTH, 9, _GREY)
            self._put(_LEFT + _LABEL_WIDTH, value, _WIDTH - _LABEL_WIDTH, 9)
            self._y += _LINE
        self._y += 3

    def failures(self, failures: Sequence[Sequence[str]]) -> int:
        """Write as many of the failures as there is room for, and return how many are left out."""
        if not failures:
            self._put(_LEFT, "No measurement is FAIL or ERROR.", _WIDTH, 9)
            return 0
        self._row([name for name, _ in _COLUMNS], _GREY)
        room = int((_ROWS_END - self._y) / _LINE)
        for row in failures[:room]:
            self._row(row, _INK)
        return max(0, len(failures) - room)

    def foot(self, hashes: Sequence[tuple[str, str]], left_out: int) -> None:
        """Write what did not fit, and the hashes."""
        if left_out:
            self._put(_LEFT, f"{left_out} more are in run.json.", _WIDTH, 9, _GREY)
        self._y = _FOOT - 8 - _LINE * (len(hashes) + 1)
        self._put(_LEFT, "SHA-256 of the files beside this page", _WIDTH, 9, _GREY)
        for name, sha256 in hashes:
            self._y += _LINE
            self._put(_LEFT, name, _LABEL_WIDTH, 8)
            self._put(_LEFT + _LABEL_WIDTH, sha256, _WIDTH - _LABEL_WIDTH, 8)
        self._y = _FOOT
        self._put(_LEFT, _NOTES, _WIDTH, 7, _GREY)

    def bytes(self) -> bytes:
        """Return the PDF."""
        return bytes(self._pdf.output())

    def _row(self, cells: Sequence[str], colour: tuple[int, int, int]) -> None:
        x = _LEFT
        for cell, (_, width) in zip(cells, _COLUMNS, strict=True):
            self._put(x, cell, width - 2, 8, _RED if cell == "FAIL" else colour)
            x += width
        self._y += _LINE

    def _put(
        self, x: float, text: str, width: float, size: float, colour: tuple[int, int, int] = _INK
    ) -> None:
        self._size(size)
        self._pdf.set_text_color(*colour)
        self._pdf.set_xy(x, self._y)
        self._pdf.cell(width, _LINE, self._fitting(spelt(text, self._known), width))

    def _size(self, size: float) -> None:
        self._pdf.set_font(f"{_FAMILY}0", size=size)

    def _fitting(self, text: str, width: float) -> str:
        """Return a text, cut with an ellipsis where it is too long."""
        if self._is_within(text, width):
            return text
        fits, over = 0, len(text)
        while over - fits > 1:
            middle = (fits + over) // 2
            if self._is_within(f"{text[:middle]}\u2026", width):
                fits = middle
            else:
                over = middle
        return f"{text[:fits]}\u2026"

    def _wrapped(self, text: str) -> list[str]:
        """Return a text in lines of the page's width, the last one cut where there are too many."""
        lines: list[str] = []
        while text and len(lines) < _BARCODE_LINES_MAX - 1:
            line = self._fitting(text, _WIDTH)
            count = len(text) if line == text else len(line) - 1
            lines.append(text[:count])
            text = text[count:]
        return [*lines, text] if text else lines

    def _is_within(self, text: str, width: float) -> bool:
        margins = 2 * float(self._pdf.c_margin)
        return bool(self._pdf.get_string_width(text) <= width - margins)
