"""From when until when a certificate is valid. Pure: no I/O, no clock.

The standard library tells it only of a peer that it trusts, and what has expired is not trusted.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

_EXPLICIT_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17
_LONG_FORM: Final = 0x80


class Validity(NamedTuple):
    """A span of time, both ends included."""

    start: datetime
    end: datetime


def validity(der: bytes) -> Validity:
    """Return from when until when a certificate is valid.

    Args:
        der: The certificate, as `ssl.PEM_cert_to_DER_cert` returns it.

    Raises:
        ValueError: It is no certificate.

    Source: RFC 5280, sections 4.1 and 4.1.2.5.
    """
    try:
        ((_, certificate),) = _elements(der)
        (_, signed), *_ = _elements(certificate)
        fields = [each for each in _elements(signed) if each[0] != _EXPLICIT_VERSION]
        _serial, _algorithm, _issuer, (_, span), *_ = fields
        start, end = (_moment(tag, text.decode("ascii")) for tag, text in _elements(span))
    except (IndexError, ValueError) as error:
        raise ValueError(f"not an X.509 certificate ({error})") from error
    return Validity(start, end)


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (tag, content) of each element that stands side by side."""
    at = 0
    while at < len(der):
        tag, length = der[at], der[at + 1]
        at += 2
        if length & _LONG_FORM:
            count = length ^ _LONG_FORM
            length = int.from_bytes(der[at : at + count])
            at += count
        if at + length > len(der):
            raise ValueError("it is cut off")
        yield tag, der[at : at + length]
        at += length


def _moment(tag: int, text: str) -> datetime:
    if tag == _UTC_TIME:  # two digits of the year: 50 to 99 are of the last century
        text = f"{'19' if text[:2] >= '50' else '20'}{text}"
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
