"""The records of STDF V4 that say something of a unit, and which others there are. Pure: no I/O.

A record is its length in two bytes, type, subtype, and that many bytes. A field that is cut in the
middle, or bytes behind the last one, mean that the length is damaged.

Source: Standard Test Data Format (STDF) Specification, version 4; types of V4-2007 are known too.
"""

from typing import Final, NamedTuple, TypeAlias

from edge_agent.formats.stdf_fields import BIG, LITTLE, Fields

Kind: TypeAlias = tuple[int, int]
"""Type and subtype of a record."""
FAR: Final = (0, 10)
MIR: Final = (1, 10)
WIR: Final = (2, 10)
PIR: Final = (5, 10)
PRR: Final = (5, 20)
PTR: Final = (15, 10)
MPR: Final = (15, 15)
FTR: Final = (15, 20)

READ: Final = frozenset({FAR, MIR, WIR, PIR, PRR, PTR, MPR, FTR})
"""Records that are read field by field; of the others only the length is believed."""
_UNREAD: Final = frozenset(
    {
        *((0, each) for each in (20, 30)),
        *((1, each) for each in (20, 30, 40, 50, 60, 62, 63, 70, 80, 90, 91, 92, 93, 94)),
        *((2, each) for each in (20, 30)),
        (10, 30),
        (15, 30),
        *((20, each) for each in (10, 20)),
        *((50, each) for each in (10, 30)),
    }
)
_MAKERS_TYPES: Final = (180, 181)  # reserved for software of testers' makers

HEADER_BYTES: Final = 4
VERSION: Final = 4
_ORDERS: Final = {1: BIG, 2: LITTLE}  # CPU_TYPE

# PART_FLG
_SUPERSEDES, _ABNORMAL, _PART_FAILED, _NO_PART_VERDICT = 0x03, 0x04, 0x08, 0x10
# TEST_FLG
_NOT_EXECUTED, _ABORTED, _NO_VERDICT, _FAILED = 0x10, 0x20, 0x40, 0x80
_BAD_RESULT: Final = 0x3F  # alarm, no value, unreliable, timeout, not executed, aborted
_BAD_PARAMETER: Final = 0x07  # PARM_FLG: scale error, drift, oscillation
# OPT_FLAG
_LOW_IS_FIRST, _HIGH_IS_FIRST, _NO_LOW, _NO_HIGH = 0x10, 0x20, 0x40, 0x80
# fields that say that they say nothing
_NO_BIN, _NO_PLACE = 0xFFFF, -0x8000


def is_known(kind: Kind) -> bool:
    """Tell whether there is such a type and subtype of record."""
    return kind in READ or kind in _UNREAD or kind[0] in _MAKERS_TYPES


class Record(NamedTuple):
    """One record; offsets are of the file."""

    kind: Kind
    body: bytes
    """What follows the header."""
    byte_start: int
    byte_end: int


class Lot(NamedTuple):
    """MIR: what all units of a file have in common; texts as they stand, undecoded."""

    start_s: int = 0
    """Local seconds since 1970."""
    lot: bytes = b""
    sublot: bytes = b""
    part_type: bytes = b""
    job: bytes = b""
    job_version: bytes = b""
    operator: bytes = b""


class PartEnd(NamedTuple):
    """PRR: the end of a unit. None for what it does not say."""

    head: int
    site: int
    flags: int
    hard_bin: int
    soft_bin: int | None
    x: int | None
    y: int | None
    test_ms: int | None
    part_id: bytes
    part_text: bytes

    @property
    def outcome(self) -> str | None:
        """What the tester says of the unit; None where it leaves that open."""
        if self.flags & _ABNORMAL:
            return "ABORTED"
        if self.flags & _NO_PART_VERDICT:
            return None
        return "FAIL" if self.flags & _PART_FAILED else "PASS"

    @property
    def supersedes(self) -> bool:
        """Tell whether it replaces an earlier test of the same part."""
        return bool(self.flags & _SUPERSEDES)


class Limits(NamedTuple):
    """What may stand in a test's first record only."""

    low: float | None = None
    high: float | None = None
    unit: bytes = b""
    test_text: bytes = b""
    says_low: bool = True
    """False: the low limit is that of the test's first record."""
    says_high: bool = True

    def completed(self, first: "Limits") -> "Limits":
        """Return these limits, with what they do not say from the first record."""
        return Limits(
            self.low if self.says_low else first.low,
            self.high if self.says_high else first.high,
            self.unit or first.unit,
            self.test_text or first.test_text,
        )


class Test(NamedTuple):
    """PTR, MPR or FTR: one test, with one value, several or none."""

    number: int
    head: int
    site: int
    flags: int
    limits: Limits
    results: tuple[float | None, ...] = ()
    is_good: bool = True
    """The tester trusts its values."""

    @property
    def is_executed(self) -> bool:
        """Tell whether it is a test at all; else it says only what holds for later ones."""
        return not self.flags & _NOT_EXECUTED

    @property
    def outcome(self) -> str | None:
        """What the tester says of it; None where it leaves that open."""
        if self.flags & _ABORTED:
            return "ABORTED"
        if self.flags & _NO_VERDICT:
            return None
        return "FAIL" if self.flags & _FAILED else "PASS"


def read_order(body: bytes) -> str:
    """Return the order of bytes that FAR says, or raise ValueError for another version of STDF."""
    cpu_type, version = body
    if version != VERSION:
        raise ValueError(f"is of STDF version {version}; only {VERSION} is read")
    return _ORDERS[cpu_type]


def read_lot(body: bytes, order: str) -> Lot:
    """Return what MIR says; its many other fields do not matter."""
    fields = Fields(body, order)
    _, start_s = fields.needed("II")
    fields.numbers("BBBBHB")  # station, modes, burn-in
    lot, part_type, _, _, job, job_version, sublot, operator = fields.texts(8)
    return Lot(start_s, lot, sublot, part_type, job, job_version, operator)


def read_wafer(body: bytes, order: str) -> bytes:
    """Return the wafer's id as WIR says it."""
    fields = Fields(body, order)
    fields.needed("BB")
    fields.numbers("I")
    wafer = fields.text()
    fields.end()
    return wafer


def read_site(body: bytes, order: str) -> tuple[int, int]:
    """Return head and site of PIR, the beginning of a unit."""
    fields = Fields(body, order)
    head, site = fields.needed("BB")
    fields.end()
    return head, site


def read_part_end(body: bytes, order: str) -> PartEnd:
    """Return what PRR says."""
    fields = Fields(body, order)
    head, site, flags, _, hard_bin = fields.needed("BBBHH")
    soft_bin, x, y, test_ms = fields.numbers("HhhI")
    part_id, part_text, _ = fields.texts(3)
    fields.end()
    soft_bin = None if soft_bin == _NO_BIN else soft_bin
    x, y = (None if place == _NO_PLACE else place for place in (x, y))
    test_ms = test_ms or None
    return PartEnd(head, site, flags, hard_bin, soft_bin, x, y, test_ms, part_id, part_text)


def read_parametric(body: bytes, order: str) -> Test:
    """Return what PTR says: a test with one value."""
    fields = Fields(body, order)
    number, head, site, flags, parameter_flags = fields.needed("IBBBB")
    result = fields.real()
    test_text, _ = fields.texts(2)
    limits = _read_limits(fields)
    unit, *_ = fields.texts(4)
    _pass_specification(fields)
    limits = limits._replace(unit=unit, test_text=test_text)
    is_good = _is_good(flags, parameter_flags)
    return Test(number, head, site, flags, limits, (result,), is_good)


def read_multiple(body: bytes, order: str) -> Test:
    """Return what MPR says: a test with several values, all with the same limits."""
    fields = Fields(body, order)
    number, head, site, flags, parameter_flags = fields.needed("IBBBB")
    pin_count, result_count = (count or 0 for count in fields.numbers("HH"))
    fields.raw((pin_count + 1) // 2)  # a state of four bits each
    results = tuple(fields.real() for _ in range(result_count))
    test_text, _ = fields.texts(2)
    limits = _read_limits(fields)
    fields.real()  # START_IN and INCR_IN: of the input
    fields.real()
    fields.raw(0 if fields.is_at_end else 2 * pin_count)
    unit, *_ = fields.texts(5)
    _pass_specification(fields)
    limits = limits._replace(unit=unit, test_text=test_text)
    is_good = _is_good(flags, parameter_flags)
    return Test(number, head, site, flags, limits, results, is_good)


def read_functional(body: bytes, order: str) -> Test:
    """Return what FTR says: a test that passes or fails, without a value."""
    fields = Fields(body, order)
    number, head, site, flags = fields.needed("IBBB")
    fields.numbers("BIIIIiih")  # what the pattern generator did
    for count in fields.numbers("HH"):
        fields.raw(0 if fields.is_at_end else 2 * (count or 0))
        fields.raw(0 if fields.is_at_end else ((count or 0) + 1) // 2)
    fields.bits()
    _, _, _, test_text, *_ = fields.texts(7)
    fields.numbers("B")
    fields.bits()
    fields.end()
    return Test(number, head, site, flags, Limits(test_text=test_text))


TEST_READERS: Final = {PTR: read_parametric, MPR: read_multiple, FTR: read_functional}


def _read_limits(fields: Fields) -> Limits:
    """Return the limits that follow OPT_FLAG and three exponents, which are for printing only."""
    options, *_ = fields.numbers("Bbbb")
    found: list[tuple[float | None, bool]] = []
    for is_first, is_none in ((_LOW_IS_FIRST, _NO_LOW), (_HIGH_IS_FIRST, _NO_HIGH)):
        is_missing = fields.is_at_end
        value = fields.real()
        if options is not None and options & is_none:
            found.append((None, True))
        elif is_missing or options is None or options & is_first:
            found.append((None, False))
        else:
            found.append((value, True))
    (low, says_low), (high, says_high) = found
    return Limits(low, high, says_low=says_low, says_high=says_high)


def _pass_specification(fields: Fields) -> None:
    """Pass LO_SPEC and HI_SPEC, the limits of the design, and make sure that nothing follows."""
    fields.real()
    fields.real()
    fields.end()


def _is_good(flags: int, parameter_flags: int) -> bool:
    return not (flags & _BAD_RESULT or parameter_flags & _BAD_PARAMETER)
