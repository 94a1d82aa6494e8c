"""Read the text of a PDF back: enough for pages of text in embedded fonts, and no more."""

import re
import zlib

_object = re.compile(rb"(\d+) 0 obj\n(.*?)\nendobj", re.DOTALL)
_resource = re.compile(rb"/(F\d+) (\d+) 0 R")
_shown = re.compile(
    rb"BT /(F\d+) [\d.]+ Tf ET|/(F\d+) [\d.]+ Tf|\(((?:\\.|[^\\)])*)\) Tj|(ET Q)", re.DOTALL
)
_escape = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def pdf_pages(pdf: bytes) -> int:
    """Return how many pages there are."""
    return len(re.findall(rb"/Type /Page\n", pdf))


def pdf_text(pdf: bytes) -> str:
    """Return the text of a page, a line a piece, in the order of writing."""
    objects = {int(number): body for number, body in _object.findall(pdf)}
    page = next(body for body in objects.values() if b"/Type /Page\n" in body)
    resources = objects[_number(page, b"Resources")]
    letters = {
        name: _letters(_stream(objects[_number(objects[int(font)], b"ToUnicode")]))
        for name, font in _resource.findall(resources)
    }
    outer = font = b""
    text = ""
    for lasting, named, string, end in _shown.findall(_stream(objects[_number(page, b"Contents")])):
        outer = lasting or outer  # the font of a piece is forgotten at its end
        font = outer if lasting or end else named or font
        text += "\n" if end else ""
        plain = _escape.sub(lambda found: _ESCAPED.get(found[1], found[1]), string)
        text += "".join(letters[font][plain[i : i + 2].hex()] for i in range(0, len(plain), 2))
    return text


def _number(body: bytes, key: bytes) -> int:
    found = re.search(rb"/%s (\d+) 0 R" % key, body)
    assert found
    return int(found[1])


def _stream(body: bytes) -> bytes:
    head, _, rest = body.partition(b"stream\n")
    content = rest.removesuffix(b"\nendstream")
    return zlib.decompress(content) if b"FlateDecode" in head else content


def _letters(cmap: bytes) -> dict[str, str]:
    """Return what each code of a font stands for."""
    pairs = re.findall(rb"<(\w{4})> <(\w+)>", cmap.partition(b"beginbfchar")[2])
    return {code.decode().lower(): _text(letter.decode()) for code, letter in pairs}


def _text(digits: str) -> str:
    return bytes.fromhex(digits).decode("utf-16-be")
