"""STDF records for the laws, and a small writer of them."""

import struct
from pathlib import Path
from typing import Final

from edge_agent.formats import Options

LITTLE, BIG = "<", ">"
START_S: Final = 1_741_068_669  # 2025-03-04 06:11:09
LOW_IS_FIRST, HIGH_IS_FIRST, NO_LOW, NO_HIGH = 0x10, 0x20, 0x40, 0x80


class Writer:
    """Writes records in one order of bytes. Fields that are left out at the end are missing."""

    def __init__(self, order: str = LITTLE) -> None:
        self.order = order

    def record(self, kind: tuple[int, int], *parts: bytes) -> bytes:
        body = b"".join(parts)
        return struct.pack(f"{self.order}HBB", len(body), *kind) + body

    def pack(self, codes: str, *numbers: float) -> bytes:
        return struct.pack(self.order + codes, *numbers)

    def far(self, version: int = 4) -> bytes:
        return self.record((0, 10), bytes([1 if self.order == BIG else 2, version]))

    def mir(
        self,
        *,
        lot: bytes = b"L7",
        sublot: bytes = b"S2",
        part_type: bytes = b"PT",
        job: bytes = b"job",
        operator: bytes = b"op",
        start_s: int = START_S,
    ) -> bytes:
        head = self.pack("IIBccc", start_s - 60, start_s, 1, b"P", b" ", b" ")
        tail = self.pack("Hc", 65_535, b" ")
        names = (lot, part_type, b"node", b"tester", job, b"1.4", sublot, operator, b"exec")
        return self.record((1, 10), head, tail, *map(text, names))

    def wir(self, wafer: bytes) -> bytes:
        return self.record((2, 10), self.pack("BBI", 1, 255, START_S), text(wafer))

    def pir(self, site: int = 1) -> bytes:
        return self.record((5, 10), bytes([1, site]))

    def prr(
        self,
        part_id: bytes = b"1",
        *,
        site: int = 1,
        flags: int = 0,
        x: int = -32_768,
        soft_bin: int = 65_535,
        others: bytes = b"",
    ) -> bytes:
        head = self.pack("BBBHHHhhI", 1, site, flags, 3, 5, soft_bin, x, -x - 1, 0)
        return self.record((5, 20), head, text(part_id), others)

    def ptr(
        self,
        number: int,
        result: float,
        name: bytes | None = None,
        *,
        site: int = 1,
        flags: int = 0,
        parameter_flags: int = 0,
        options: int | None = None,
        low: float | None = None,
        high: float | None = None,
        unit: bytes | None = None,
    ) -> bytes:
        """One value; with `options` OPT_FLAG and what follows, up to the first that is None."""
        parts = [self.pack("IBBBBf", number, 1, site, flags, parameter_flags, result)]
        if name is not None:
            parts.append(text(name))
        if options is not None:
            parts += [text(b""), self.pack("Bbbb", options, 0, 0, 0)]
            tail = (low, high)
            for each in tail:
                if each is not None:
                    parts.append(self.pack("f", each))
            if unit is not None:
                parts += [text(unit), text(b"%7.2f")]
        return self.record((15, 10), *parts)

    def mpr(self, number: int, results: list[float], *, flags: int = 0) -> bytes:
        count = len(results)
        head = self.pack("IBBBBHH", number, 1, 1, flags, 0, count, count)
        states = bytes((count + 1) // 2)
        tail = self.pack("Bbbbffff", 0x02, 0, 0, 0, 1.0, 2.0, 0.0, 0.0)
        values = self.pack(f"{count}f", *results)
        pins = self.pack(f"{count}H", *range(count))
        return self.record(
            (15, 15), head, states, values, text(b"pins"), text(b""), tail, pins, text(b"V")
        )

    def ftr(self, number: int, name: bytes, *, site: int = 1, flags: int = 0) -> bytes:
        head = self.pack("IBBBBIIIIiihHH", number, 1, site, flags, 0xFF, *[0] * 7, 3, 1)
        arrays = self.pack("3H", 1, 2, 3) + bytes(2) + self.pack("H", 1) + bytes(1)
        pins = self.pack("H", 9) + bytes(2)
        names = (b"pattern", b"", b"", name, b"", b"", b"")
        return self.record((15, 20), head, arrays, pins, *map(text, names))

    def dtr(self, words: bytes) -> bytes:
        return self.record((50, 30), text(words))

    def mrr(self) -> bytes:
        return self.record((1, 20), self.pack("I", START_S + 60))


def text(raw: bytes) -> bytes:
    return bytes([len(raw)]) + raw


def limited(writer: Writer, number: int, **others: object) -> bytes:
    """A first record: it says limits, unit and text."""
    told = {"options": 0x0E, "low": 1.0, "high": 2.0, "unit": b"V", "name": b"Vcc", **others}
    return writer.ptr(number, 1.5, **told)  # type: ignore[arg-type]


_W, _B = Writer(), Writer(BIG)
_LONG = _W.ptr(2, 1.5, b"long")
_HEAD, _ROW = _W.far() + _W.mir() + _W.pir(), limited(_W, 1)
OPTIONS = Options(max_unit_bytes=1024)
PIECES = [
    _HEAD,
    _HEAD + _ROW + _W.pir(2) + _W.ptr(1, 3.5, site=2),
    _HEAD + _ROW + _W.prr(b"7"),
    _B.far() + _B.mir() + _B.pir() + limited(_B, 1),
    _W.far(),
    _B.far(),
    _W.far(version=3),
    _W.mir(),
    _B.mir(sublot=b""),
    _W.mir(lot=b""),
    _W.wir(b"W1"),
    _W.pir(),
    _W.pir(2),
    _B.pir(),
    limited(_W, 1),
    limited(_W, 1, site=2),
    _W.ptr(1, 1.25),
    _W.ptr(1, 1.25, b"Vcc", site=2),
    _W.ptr(3, 1.25, b"default", flags=0x10, options=0x0E, low=0.0, high=1.0, unit=b"A"),
    _W.ptr(3, float("nan")),
    limited(_B, 1),
    _W.mpr(4, [1.0, 2.0, 3.0]),
    _W.ftr(5, b"scan", flags=0x80),
    _W.prr(),
    _W.prr(b"2", site=2, flags=0x08),
    _W.prr(b""),
    _B.prr(flags=0x04),
    _W.pir() + limited(_W, 1) + _W.prr(),
    _W.pir() + _W.ptr(1, 1.5) + _W.pir(2) + _W.prr(b"3") + _W.ptr(1, 7.0, site=2),
    _W.dtr(b"text"),
    _W.mrr(),
    _W.record((1, 30), b"\0" * 10),
    _W.record((77, 3), b"foreign"),
    _W.record((180, 7), b"image"),
    struct.pack("<H", 3) + _LONG[2:],
    struct.pack("<H", 60) + _LONG[2:],
    struct.pack("<H", 65_535) + _LONG[2:],
    struct.pack("<H", 9) + _W.dtr(b"longer text")[2:],
    b"\x02\x00",
    b"\x00\x02\x00\x0a",
    b"nonsense",
    b"\0" * 8,
]
GOOD = _HEAD + _ROW + _W.prr()
TOO_LARGE = _HEAD + _ROW * 40 + _W.prr()
SAMPLES: list[Path] = []
