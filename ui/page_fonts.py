"""The fonts of printed pages: the framework's own Roboto, which comes in parts by script.

What no part can draw, and what draws nothing or turns text around, is spelt as its code point: a
barcode may hold any character, and none may vanish from evidence.
"""

import re
import unicodedata
from collections.abc import Container, Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

_face = re.compile(r'font-family: "Roboto";[^}]*?url\(([^)]+)\)[^}]*?unicode-range: ([^;]+);')
_UNSAFE: Final = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"))


class Face(NamedTuple):
    """One part of the font."""

    path: Path
    ranges: tuple[tuple[int, int], ...]
    """First and last code point of each span that it is for."""

    def has_any(self, codes: Iterable[int]) -> bool:
        """Tell whether it is for one of them."""
        return any(first <= code <= last for code in codes for first, last in self.ranges)


@cache
def faces() -> tuple[Face, ...]:
    """Return every part, the one for Latin text first."""
    framework = find_spec("nicegui")  # found, not imported: who wants only the API goes without
    assert framework is not None
    assert framework.origin is not None
    folder = Path(framework.origin).parent / "static"
    styles = (folder / "fonts.css").read_text("utf-8")
    spans = dict(_face.findall(styles))  # each weight names the same files: they are variable
    found = [Face(folder / path, tuple(_ranges(text))) for path, text in spans.items()]
    return tuple(sorted(found, key=lambda face: not face.has_any([ord("A")])))


def faces_for(texts: Iterable[str]) -> list[Face]:
    """Return the parts that these texts need, the one for Latin text first and always."""
    codes = {ord(character) for text in texts for character in text}
    first, *others = faces()
    return [first, *(face for face in others if face.has_any(codes))]


def spelt(text: str, known: Container[int]) -> str:
    """Return a text that can be drawn: `<U+4E2D>` stands for what `known` lacks."""
    return "".join(
        character if _is_drawn(character, known) else f"<U+{ord(character):04X}>"
        for character in text
    )


def _is_drawn(character: str, known: Container[int]) -> bool:
    return ord(character) in known and unicodedata.category(character) not in _UNSAFE


def _ranges(text: str) -> Iterable[tuple[int, int]]:
    for span in text.split(","):
        first, _, last = span.strip().removeprefix("U+").partition("-")
        yield int(first, 16), int(last or first, 16)
