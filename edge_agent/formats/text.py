"""The rules that hold for text in every format: decoding, names, numbers, times. Pure: no I/O."""

import math
import re
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Final

NAME_CHARS_MAX: Final = 128
TEXT_CHARS_MAX: Final = 1024
_NAME_HEAD_CHARS: Final = 119
_LIMIT_MAX: Final = 9.9e99
_CENTURY: Final = 100
_CONTROLS: Final = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), " ")
_UNITS: Final = {"O": "Ohm", "ohm": "Ohm"}

_is_number = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?").fullmatch
_is_no_value = re.compile(r"[+-]?(nan|inf|infinity|1\.#[a-z0-9]+)", re.IGNORECASE).fullmatch
_as_date = re.compile(r"([0-9]{1,4})[-/. ]([0-9]{1,2})[-/. ]([0-9]{1,4})\.?").fullmatch
_as_clock = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?").fullmatch


def decode(content: bytes, encoding: str) -> str:
    """Decode one line: UTF-8 where it is that, else `encoding`; unknown bytes become U+FFFD."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode(encoding, "replace")


def clean(text: str, chars_max: int = TEXT_CHARS_MAX) -> str:
    """Return free text without control characters, trimmed, and shortened like a name."""
    return _shortened(text.translate(_CONTROLS).strip(), chars_max)


def name(text: str) -> str:
    """Return text as a name: no control characters, trimmed, at most 128 characters.

    A longer one keeps its first 119, then `~` and a hash of the whole, so that two stay two.
    """
    return _shortened(text.translate(_CONTROLS).strip(), NAME_CHARS_MAX)


def number(text: str) -> float | None:
    """Return a finite number.

    Returns:
        None for NaN, Inf, no text, and what does not fit a double.

    Raises:
        ValueError: It is other text; `float()` alone would take too much (`1_000`).
    """
    if not text or _is_no_value(text):
        return None
    if not _is_number(text):
        raise ValueError(f"{text[:40]!r} is not a number")
    value = float(text)
    return value if math.isfinite(value) else None


def limit(text: str) -> float | None:
    """Return a limit; None where there is none, also by a huge number (beyond 9.9e99).

    Raises:
        ValueError: It is not a number.
    """
    value = number(text)
    return None if value is None or abs(value) > _LIMIT_MAX else value


def unit(text: str, units: Mapping[str, str]) -> str | None:
    """Return a unit of measure as printed, mapped by `units` or our few own; None for no text."""
    text = clean(text)
    return units.get(text, _UNITS.get(text, text)) or None


def moment(date: str, clock: str, order: str | None) -> datetime:
    """Return a naive time from a date such as 10/12/2024 and a time such as 16:15:03.

    Args:
        date: Three numbers; a two-digit year is 20xx.
        clock: With or without seconds and fraction; cut to microseconds.
        order: `dmy`, `mdy` or `ymd`.

    Raises:
        ValueError: Not a date, or not in this order; the sentence names the option.
    """
    if order is None:
        raise ValueError(f"the order of day and month in {date!r} is open. Set option date_order")
    found, time = _as_date(date), _as_clock(clock)
    if not found:
        raise ValueError(f"{date[:40]!r} is not a date")
    if not time:
        raise ValueError(f"{clock[:40]!r} is not a time such as 16:15:03")
    part = dict(zip(order, (int(each) for each in found.groups()), strict=True))
    year = part["y"] + 2000 if part["y"] < _CENTURY else part["y"]
    hours, minutes, seconds, fraction = time.groups()
    try:
        return datetime(  # noqa: DTZ001 - the file has no zone; the machine's setting applies
            year,
            part["m"],
            part["d"],
            int(hours),
            int(minutes),
            int(seconds or 0),
            int((fraction or "0")[:6].ljust(6, "0")),
        )
    except ValueError as error:
        raise ValueError(
            f"{date!r} {clock!r} is no time when read as {order}. Check option date_order"
        ) from error


def base_name(file: str) -> str:
    """Return the last part of a path, of Windows too; never empty, at most 1024 characters."""
    last = re.split(r"[/\\]", file)[-1].encode("utf-8", "replace").decode()  # no lone surrogates
    return clean(last) or "file"


def _shortened(text: str, chars_max: int) -> str:
    if len(text) <= chars_max:
        return text
    head = chars_max - (NAME_CHARS_MAX - _NAME_HEAD_CHARS)
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{text[:head]}~{digest}"
