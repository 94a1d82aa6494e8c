"""Values in a sentence: foreign text in quotes, numbers with their digits as sent. Pure: no I/O."""

from typing import Final

from broker.messages import Value

_QUOTE_CHARS_MAX: Final = 60
_UNIT_CHARS_MAX: Final = 20


def shorten(text: str, chars_max: int = _QUOTE_CHARS_MAX) -> str:
    """Return `text` cut to `chars_max` characters, with an ellipsis where something is missing."""
    return text if len(text) <= chars_max else f"{text[: chars_max - 1]}…"


def quote(text: str) -> str:
    """Return foreign text so that a sentence can hold it: escaped, in quotes, not too long."""
    return repr(shorten(text))


def say_number(value: float, unit: str | None = None) -> str:
    """Return the shortest digits that read back as this number, and the unit of measure."""
    digits = repr(float(value)).removesuffix(".0")
    return f"{digits} {shorten(unit, _UNIT_CHARS_MAX)}" if unit else digits


def say(value: Value) -> str:
    """Return any measured value in words."""
    if isinstance(value, str):
        return quote(value)
    if value is None:
        return "no value"
    if isinstance(value, bool):
        return "true" if value else "false"
    return say_number(value)
