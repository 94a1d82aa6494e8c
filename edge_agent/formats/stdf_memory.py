"""What later units of an STDF file need of the records before them. Pure: no I/O.

Limits, unit and text of a test may stand in its first record only, thousands of parts ago, and a
fresh parser must know them too: they go into the state, compressed. What does not fit is forgotten
at the end of the item, by this parser as well, so that both go on with the same knowledge.
"""

import base64
import json
import lzma
import struct
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any, Final, NamedTuple, TypeAlias

from broker.messages import MEASUREMENTS_MAX
from edge_agent.formats.items import JSON
from edge_agent.formats.stdf_records import FTR, MPR, PTR, Kind, Limits, Lot, Test

_STATE_CHARS_MAX: Final = 4_000
_CODES: Final[Mapping[Kind, int]] = {PTR: 0, MPR: 1, FTR: 2}
_FILTERS: Final = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 20}]
_LIMITS: Final = 4  # fields of Limits that a first record leaves to others
_RAW: Final = "latin-1"  # bytes as they stand, in a JSON text
_NO_LIMITS: Final = Limits()
_Key: TypeAlias = tuple[int, int]
"""Kind and number of a test."""


class Known(NamedTuple):
    """What is known of a test before its record is read."""

    limits: Limits
    is_forgotten: bool
    """It may have had limits that did not fit into the state."""


class Memory:
    """The order of bytes, the lot, the wafer, and the limits of each test's first record.

    Args:
        state: What `state` said after the last item; empty at the start of a file.
    """

    def __init__(self, state: Mapping[str, JSON]) -> None:
        order, packed = state.get("order"), state.get("known")
        self.order = order if isinstance(order, str) else None
        """Of the bytes in a number; None before FAR."""
        self.lot: Lot | None = None
        self.wafer = b""
        self._kept: dict[_Key, Limits] = {}  # in the state
        self._new: dict[_Key, Limits] = {}  # since the last item
        self._is_full = False  # what is not kept by now never will be
        self._has_changed = False
        self._state = dict(state)
        if isinstance(packed, str):
            self._unpack(packed)

    def state(self) -> dict[str, JSON]:
        """Return it as it was at the last `settle`; at most 4 kB."""
        return self._state

    def begin_lot(self, lot: Lot) -> None:
        """Take what MIR says."""
        self.lot, self._has_changed = lot, True

    def begin_wafer(self, wafer: bytes) -> None:
        """Take the wafer's id."""
        self.wafer, self._has_changed = wafer, True

    def learn(self, kind: Kind, test: Test) -> None:
        """Remember what a record says, if it is the first of its test that says anything."""
        key = (_CODES[kind], test.number)
        limits = test.limits.completed(_NO_LIMITS)
        is_new = key not in self._kept and key not in self._new
        if is_new and limits != _NO_LIMITS and len(self._new) < MEASUREMENTS_MAX:
            self._new[key] = limits

    def known(self, kind: Kind, test: Test) -> Known:
        """Return what the first record of a test said."""
        key = (_CODES[kind], test.number)
        limits = self._kept.get(key) or self._new.get(key)
        return Known(limits or _NO_LIMITS, is_forgotten=limits is None and self._is_full)

    def settle(self) -> None:
        """Forget what the state does not hold: an item ends here."""
        if self._new and not self._is_full:
            self._kept |= self._new
            self._has_changed = True
        self._new.clear()
        if self._has_changed:
            self._fit()
            self._has_changed = False

    def _fit(self) -> None:
        """Keep as many tests, in the order of the file, as the state holds."""
        tests = list(self._kept.items())
        if len(self._packed(tests)) > _STATE_CHARS_MAX:
            self._is_full = True
            counts = range(1, len(tests) + 1)
            fit = bisect_right(
                counts, _STATE_CHARS_MAX, key=lambda count: len(self._packed(tests[:count]))
            )
            tests = tests[:fit]
        self._kept = dict(tests)
        self._state = {"order": self.order, "known": self._packed(tests)}

    def _packed(self, tests: Sequence[tuple[_Key, Limits]]) -> str:
        rows = ((*key, *(_text(each) for each in limits[:_LIMITS])) for key, limits in tests)
        codes, numbers, *columns = zip(*rows, strict=True) if tests else ((), ())
        steps = [after - before for before, after in pairwise((0, *numbers))]
        lot = [_text(each) for each in self.lot or ()]
        known = [lot, _text(self.wafer), self._is_full, codes, steps, *columns]
        content = json.dumps(known, separators=(",", ":")).encode()
        return base64.b85encode(lzma.compress(content, lzma.FORMAT_RAW, filters=_FILTERS)).decode()

    def _unpack(self, packed: str) -> None:
        raw = base64.b85decode(packed)
        content = json.loads(lzma.decompress(raw, lzma.FORMAT_RAW, filters=_FILTERS))
        lot, wafer, self._is_full, codes, steps, *columns = content
        self.lot = Lot(*(_own(each) for each in lot)) if lot else None
        self.wafer = _own(wafer)
        for code, number, *limits in zip(codes, accumulate(steps), *columns, strict=True):
            self._kept[code, number] = Limits(*(_own(each) for each in limits))


def _text(value: bytes | float | None) -> str | float | None:
    """Return bytes as a text, and a number with as few digits as tell it from its neighbours."""
    if isinstance(value, bytes):
        return value.decode(_RAW)
    if isinstance(value, float):
        short = float(f"{value:.7g}")
        return short if _single(short) == value else value
    return value


def _own(value: Any) -> Any:  # noqa: ANN401 - what `_text` made of it
    if isinstance(value, str):
        return value.encode(_RAW)
    return _single(value) if isinstance(value, float) else value


def _single(value: float) -> float:
    """Return the number of four bytes that is closest."""
    (single,) = struct.unpack("<f", struct.pack("<f", value))
    return float(single)
