"""Take the fields off the body of an STDF record. Pure: no I/O."""

import math
import struct
from typing import Final

BIG, LITTLE = ">", "<"
"""Orders of bytes in a number, as `struct` writes them."""
_BITS_IN_BYTE: Final = 8


class Fields:
    """The fields of one record, taken in order; the last ones may be missing, but only whole.

    Every method raises ValueError for a field that is cut in the middle.
    """

    def __init__(self, body: bytes, order: str) -> None:
        self._body, self._order, self._at = body, order, 0

    @property
    def is_at_end(self) -> bool:
        """Tell whether nothing follows."""
        return self._at == len(self._body)

    def needed(self, codes: str) -> tuple[int, ...]:
        """Return whole numbers, by their codes of `struct`, that must be there."""
        size = struct.calcsize(f"={codes}")
        return struct.unpack(self._order + codes, self.raw(size))

    def numbers(self, codes: str) -> list[int | None]:
        """Return whole numbers by their codes of `struct`; None for each that is missing."""
        return [None if self.is_at_end else self.needed(code)[0] for code in codes]

    def real(self) -> float | None:
        """Return a number; None where it is missing, NaN or infinite."""
        if self.is_at_end:
            return None
        (value,) = struct.unpack(f"{self._order}f", self.raw(4))
        return value if math.isfinite(value) else None

    def text(self) -> bytes:
        """Return a text as it stands; nothing where it is missing."""
        return b"" if self.is_at_end else self.raw(self.raw(1)[0])

    def texts(self, count: int) -> list[bytes]:
        """Return several texts."""
        return [self.text() for _ in range(count)]

    def bits(self) -> None:
        """Pass a field of bits, which has their number in front."""
        (count,) = self.numbers("H")
        self.raw(((count or 0) + _BITS_IN_BYTE - 1) // _BITS_IN_BYTE)

    def raw(self, size: int) -> bytes:
        """Return the next bytes."""
        found = self._body[self._at : self._at + size]
        if len(found) < size:
            raise ValueError("ends inside a field")
        self._at += size
        return found

    def end(self) -> None:
        """Make sure that nothing follows."""
        if not self.is_at_end:
            raise ValueError("is longer than its fields")
