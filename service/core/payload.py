"""JSON as machines send it: parse it, explain what is wrong with it, cut it up. Pure: no I/O."""

import math
import re
from typing import Any, Final

import jiter

from broker.identity import given_message_id
from broker.messages import RejectionCode
from service.core.words import quote, shorten

_WORDS_CHARS_MAX: Final = 160
_PREVIEW_CHARS: Final = 200

# A number beyond double has three digits in its exponent or a very long run of digits. The table
# turns all digits into 0 and all else but e into a space, so that two searches find both at the
# speed of memory; a regular expression took a third of the whole decoding.
_SHAPES: Final = bytes(
    ord("0" if each in b"0123456789" else "e" if each in b"eE" else " ") for each in range(256)
)
_LONG_EXPONENT: Final = b"0e000"
_LONG_DIGITS: Final = b"0" * 200
_BIG_NUMBER: Final = re.compile(rb"[\s:,\[]-?[0-9][0-9.]*[eE]\+?[0-9]{3}")

# Strings are one token, so that a bracket in a text is not taken for one of ours. Possessive, and
# an unfinished string reaches to the end: linear in any case.
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)


def parse_json(payload: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Parse JSON strictly: UTF-8, no NaN, no key twice, at most 200 levels.

    Raises:
        ValueError: It is not such JSON; `explain_unreadable` says why.
    """
    return jiter.from_json(payload, allow_inf_nan=False, catch_duplicate_keys=True)


def read_message_id(payload: bytes) -> str | None:
    """Return the sender's id from a message that is otherwise wrong; None if there is none."""
    try:
        content = jiter.from_json(payload, allow_inf_nan=True)
    except ValueError:
        return None
    return given_message_id(content) if isinstance(content, dict) else None


def explain_unreadable(payload: bytes, error: ValueError) -> tuple[RejectionCode, str]:
    """Say why `parse_json` refused: the code, and a sentence with what to do."""
    if not payload:
        return RejectionCode.NOT_JSON, "it is empty. Send a Measurement or a Run as JSON."
    if payload.startswith((b"\xff\xfe", b"\xfe\xff")) or 0 in payload[:2]:
        return RejectionCode.NOT_UTF8, "it looks like UTF-16. Send it as UTF-8."
    try:
        payload.decode()
    except UnicodeDecodeError as wrong:
        byte = payload[wrong.start]
        return RejectionCode.NOT_UTF8, (
            f"byte {wrong.start} (0x{byte:02x}) is not UTF-8. Send it as UTF-8."
        )
    if payload.startswith(b"\xef\xbb\xbf"):
        return RejectionCode.NOT_JSON, (
            "it starts with a byte order mark (BOM), which JSON does not allow. Leave it out."
        )
    return RejectionCode.NOT_JSON, _explain_syntax(payload, str(error))


def _explain_syntax(payload: bytes, words: str) -> str:
    if "recursion limit" in words:
        return "it is nested deeper than 200 levels. Send it flatter."
    if "duplicate key" in words:
        return f"a key stands twice: {shorten(words, _WORDS_CHARS_MAX)}. Send each key once."
    if re.search(rb"[:\[,]\s*-?(NaN|Infinity)\b", payload):
        return f"NaN and Infinity are not JSON ({words}). Send null where there is no value."
    return f"it is not JSON: {shorten(words, _WORDS_CHARS_MAX)}. Check what the sender writes."


def may_hold_unstorable(payload: bytes) -> bool:
    """Tell, at little cost, whether `find_unstorable` has to look; True is often wrong."""
    if rb"\u0000" in payload:
        return True
    shapes = payload.translate(_SHAPES, b"+")
    if _LONG_DIGITS in shapes:
        return True
    # The hash in a message_id often holds such a shape, so a hit is looked at once more.
    return _LONG_EXPONENT in shapes and _BIG_NUMBER.search(payload) is not None


def find_unstorable(content: object) -> str | None:
    """Find U+0000 or a number that does not fit a double, anywhere in a parsed JSON value.

    Returns:
        What and where, in words; None where all is well.
    """
    waiting = [(content, "")]  # no recursion: JSON may be 200 levels deep
    while waiting:
        value, where = waiting.pop()
        if isinstance(value, dict):
            for key in value:
                if "\0" in key:
                    return f"the name {quote(key)} holds U+0000"
            waiting += [
                (each, shorten(f"{where}.{key}" if where else key)) for key, each in value.items()
            ]
        elif isinstance(value, list):
            waiting += [(each, shorten(f"{where}[{index}]")) for index, each in enumerate(value)]
        elif fault := _fault_of(value):
            return f"{where or 'it'} {fault}"
    return None


def _fault_of(value: object) -> str | None:
    if isinstance(value, str):
        return "holds U+0000" if "\0" in value else None
    if isinstance(value, int | float) and not _fits_double(value):
        return "does not fit a double"
    return None


def _fits_double(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer of more than 308 digits
        return False


def split_array(payload: bytes) -> list[bytes] | None:
    """Cut a JSON array into the bytes of its elements, also where some are no JSON.

    Returns:
        The elements in order; None if it is no array or something follows it. An element that
        never closes reaches to the end.
    """
    opening = payload.find(b"[")
    if opening < 0 or payload[:opening].strip():
        return None
    pieces: list[bytes] = []
    depth, start = 0, opening + 1
    for token in _TOKEN.finditer(payload, opening):
        at = token.start()
        kind = payload[at]
        if kind in b"[{":
            depth += 1
        elif kind in b"]}":
            depth -= 1
            if depth == 0:
                pieces.append(payload[start:at].strip())
                return None if payload[at + 1 :].strip() else pieces
        elif kind == b","[0] and depth == 1:
            pieces.append(payload[start:at].strip())
            start = at + 1
    return [*pieces, payload[start:].strip()]


def preview(payload: bytes) -> str:
    """Return the first 200 characters of any bytes, readable on one line."""
    text = payload[: 4 * _PREVIEW_CHARS].decode("utf-8", "replace")[:_PREVIEW_CHARS]
    return "".join(each if each.isprintable() else _stand_in(each) for each in text)


def _stand_in(character: str) -> str:
    return " " if character.isspace() else "\N{REPLACEMENT CHARACTER}"
