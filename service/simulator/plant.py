"""The simulated plant: its lines, machines and test steps, and what ails some of them.

Pure: no I/O. Numbers here are the machines' own limits; the plant's rules may be tighter.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from random import Random
from typing import Any, Final, TypeAlias

LINES_MAX: Final = 9


@dataclass(frozen=True, slots=True)
class Measured:
    """A step that measures a number, in `unit`; a missing limit is no limit on that side."""

    test_step: str
    unit: str
    low: float | None
    high: float | None
    typical: float
    spread: float
    """Standard deviation: small enough that a healthy machine hardly ever fails by chance."""
    digits: int = 2

    def good(self, random: Random, shift: float = 0.0) -> float:
        """Draw a value as it is every day, moved by `shift` where the machine drifts."""
        return round(random.gauss(self.typical + shift, self.spread), self.digits)

    def bad(self, random: Random) -> float:
        """Draw a value beyond a limit."""
        sides = [
            (limit, way) for limit, way in ((self.low, -1), (self.high, 1)) if limit is not None
        ]
        limit, way = random.choice(sides)
        room = max(abs(limit - self.typical), 10.0**-self.digits)
        beyond = max(random.uniform(0.05, 0.5) * room, 2 * 10.0**-self.digits)
        return round(limit + way * beyond, self.digits)

    @property
    def can_fail(self) -> bool:
        """Tell whether there is a limit at all."""
        return self.low is not None or self.high is not None

    def passes(self, value: object) -> bool:
        """Tell what the machine says of `value`."""
        return (
            isinstance(value, float)
            and (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
        )

    def limits(self) -> dict[str, Any]:
        """Return the limits as they stand in the message."""
        named: dict[str, Any] = {"unit": self.unit, "low": self.low, "high": self.high}
        if not self.can_fail:
            named["comparator"] = "LOG"
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Expected:
    """A step that compares with one value: true, or a text."""

    test_step: str
    right: bool | str
    wrong: bool | str

    @property
    def can_fail(self) -> bool:
        """Tell that it can."""
        return True

    def good(self, _random: Random, _shift: float = 0.0) -> bool | str:
        """Return what is expected."""
        return self.right

    def bad(self, _random: Random) -> bool | str:
        """Return something else."""
        return self.wrong

    def passes(self, value: object) -> bool:
        """Tell what the machine says of `value`."""
        return value == self.right

    def limits(self) -> dict[str, Any]:
        """Return the expectation as it stands in the message."""
        return {"comparator": "EQ", "nominal": self.right}


Step: TypeAlias = Measured | Expected


class Shape(Enum):
    """How a machine words its results."""

    RUN = "one Run a message"
    PANEL = "an array of Runs, one for each board of a panel"
    FLAT = "a flat Measurement without message_id, as a PLC does"


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time that comes again: `first_s` after the start, then every `every_s`."""

    first_s: float
    length_s: float
    every_s: float

    def holds(self, at_s: float) -> bool:
        """Tell whether `at_s` is inside; before the start it came again and again, too."""
        return (at_s - self.first_s) % self.every_s < self.length_s

    def end_s(self, at_s: float) -> float:
        """Return when the window that holds `at_s` is over."""
        return at_s - (at_s - self.first_s) % self.every_s + self.length_s


@dataclass(frozen=True, slots=True)
class Drift:
    """A step whose values rise slowly, until somebody repairs the machine."""

    test_step: str
    rise: float
    """How far it has risen just before the repair, in the step's unit."""
    cycle_s: float
    healthy_s: float
    """How long it stays as it was after a repair."""
    offset_s: float
    """How long ago the last repair was at the start."""

    def shift(self, at_s: float) -> float:
        """Return how far it has risen at `at_s`."""
        since_s = (at_s + self.offset_s) % self.cycle_s
        return self.rise * max(0.0, since_s - self.healthy_s) / (self.cycle_s - self.healthy_s)


@dataclass(frozen=True, slots=True)
class Sometimes:
    """A trouble that hits a share of the runs: of one fixture, or of all (None)."""

    test_step: str
    share: float
    fixture: str | None = None


@dataclass(frozen=True, slots=True)
class Troubles:
    """What ails a machine; nothing, for most."""

    drift: Drift | None = None
    bad_contact: Sometimes | None = None
    no_value: Sometimes | None = None
    silent: Window | None = None
    """It tests on, but sends nothing."""
    offline: Window | None = None
    """It is cut off from the broker and tests nothing."""
    bad_message_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Machine:
    """One test position."""

    machine_id: str
    procedure: str
    cycle_s: float
    fixtures: tuple[str, ...]
    """It tests as many units at a time as it has fixtures."""
    fail_share: float
    """Share of the first runs that fail without any special trouble."""
    steps: tuple[Step, ...]
    shape: Shape = Shape.RUN
    troubles: Troubles = Troubles()


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a product on its way through its stages."""

    name: str
    product_id: str
    barcode_prefix: str
    takt_s: float
    """Seconds between two units that enter, or between two panels."""
    boards: int
    """How many units enter together, on one panel."""
    stages: tuple[tuple[Machine, ...], ...]
    """In process order; the machines of one stage share its work."""


_C17: Final = Measured("c17", "nF", 80.0, 120.0, 99.5, 4.0)
_R_SHUNT: Final = Measured("r_shunt", "kOhm", 28.0, 28.4, 28.21, 0.035, 3)
_R_SHUNT_OHM: Final = Measured("r_shunt", "Ohm", 28_000.0, 28_400.0, 28_205.0, 35.0, 0)
_BRIDGE: Final = Expected("bridge_u7", right=True, wrong=False)
_V_IN: Final = Measured("v_in", "V", 13.2, 14.4, 13.81, 0.11)
_VREF: Final = Measured("vref", "V", 4.95, 5.05, 5.001, 0.009, 3)
_OFFSET: Final = Measured("offset", "mV", -0.5, 0.5, 0.03, 0.09, 3)
_RIPPLE: Final = Measured("vbat_ripple", "mV", None, 65.0, 41.0, 3.2, 1)
_I_SLEEP: Final = Measured("i_sleep", "uA", None, 60.0, 43.0, 3.4, 1)
_BOOT: Final = Measured("boot_time", "s", None, 2.0, 1.42, 0.09)
_TEMP: Final = Measured("temp_mcu", "degC", 15.0, 45.0, 29.0, 2.4, 1)
_CAN: Final = Measured("can_term", "Ohm", 57.0, 63.0, 60.1, 0.5)
_HIPOT: Final = Measured("hipot_leak", "mA", None, 1.0, 0.32, 0.09, 3)
_FW_BUILD: Final = Expected("fw_build", "2.4.1+g7c1e", "2.4.0+g03fa")
_LABEL: Final = Expected("label_readable", right=True, wrong=False)
_VERIFY: Final = Expected("flash_verify", right=True, wrong=False)
_ERASE: Final = Measured("erase_time", "s", None, None, 3.1, 0.2)
_VOLUME: Final = Measured("solder_volume", "%", 75.0, 125.0, 101.0, 5.0, 1)
_HEIGHT: Final = Measured("solder_height", "um", 90.0, 170.0, 128.0, 8.0, 1)
_SHIFT_X: Final = Measured("paste_shift_x", "um", -80.0, 80.0, 4.0, 14.0, 1)
_SHIFT_Y: Final = Measured("paste_shift_y", "um", -80.0, 80.0, -6.0, 14.0, 1)
_POLARITY: Final = Expected("polarity_d3", right=True, wrong=False)
_RSSI: Final = Measured("rssi_ch39", "dBm", -72.0, None, -61.0, 2.1, 1)
_TX_POWER: Final = Measured("tx_power", "dBm", 6.0, 11.0, 8.6, 0.45, 1)
_LEAK: Final = Measured("leak_rate", "mbar", None, 0.5, 0.21, 0.05, 3)

_SPI: Final = (_VOLUME, _HEIGHT, _SHIFT_X, _SHIFT_Y)
_AOI: Final = (_BRIDGE, _POLARITY, _VOLUME, _SHIFT_X, _SHIFT_Y)
_ICT: Final = (_C17, _R_SHUNT, _BRIDGE, _VREF, _OFFSET)
_FLASH: Final = (_FW_BUILD, _VERIFY, _ERASE, _BOOT)
_FCT: Final = (_V_IN, _VREF, _RIPPLE, _I_SLEEP, _BOOT, _TEMP, _CAN, _OFFSET)
_RF: Final = (_RSSI, replace(_RSSI, test_step="rssi_ch37"), _TX_POWER, _V_IN)

TROUBLES: Final = {
    "FCT-12": Troubles(drift=Drift("vbat_ripple", 19.0, 900.0, 330.0, offset_s=600.0)),
    "ICT-21": Troubles(bad_contact=Sometimes("r_shunt", 0.2, fixture="F3")),
    "EOL-21": Troubles(no_value=Sometimes("hipot_leak", 0.015)),
    "LEAK-31": Troubles(silent=Window(150.0, 240.0, 1_200.0)),
    # Shorter than the minute after which those behind it, without work, would count as stale.
    "FLASH-11": Troubles(offline=Window(75.0, 32.0, 720.0)),
    "RF-21": Troubles(bad_message_share=0.03),  # one in about 400 of the whole floor's messages
}


def plant(lines: int) -> tuple[Line, ...]:
    """Return the first `lines` (1 to 9) lines; from the fourth on they repeat, without troubles."""
    layouts = (_ecu_line, _gateway_line, _body_line)
    return tuple(layouts[index % len(layouts)](index + 1) for index in range(lines))


def machines(lines: tuple[Line, ...]) -> Iterator[tuple[Line, Machine]]:
    """Yield every machine with its line, in process order."""
    for line in lines:
        for stage in line.stages:
            for machine in stage:
                yield line, machine


def _ecu_line(number: int) -> Line:
    spi = _machine("SPI", number, 8.0, 2, 0.012, _SPI)
    first_fct = _machine("FCT", number, 12.0, 4, 0.014, _FCT)
    second_fct = replace(
        first_fct,
        machine_id=f"FCT-{number}2",
        troubles=TROUBLES.get(f"FCT-{number}2", Troubles()),
    )
    stages = (
        (replace(spi, shape=Shape.PANEL),),
        (_machine("ICT", number, 6.0, 4, 0.016, _ICT),),
        (_machine("FLASH", number, 8.0, 6, 0.007, _FLASH),),
        (first_fct, second_fct),
        (_machine("EOL", number, 7.0, 4, 0.01, (_FW_BUILD, _I_SLEEP, _CAN, _HIPOT, _LABEL)),),
    )
    return Line(f"L{number}", "ECU-4100", "EC41", 10.0, 4, stages)


def _gateway_line(number: int) -> Line:
    eol = (_FW_BUILD, _I_SLEEP, _BOOT, _HIPOT, _TEMP)
    stages = (
        (_machine("AOI", number, 5.0, 3, 0.015, _AOI),),
        (_machine("ICT", number, 6.0, 4, 0.01, _ICT),),
        (_machine("RF", number, 6.0, 4, 0.013, _RF),),
        (_machine("EOL", number, 7.0, 4, 0.006, eol),),
    )
    return Line(f"L{number}", "GW-7", "GW07", 2.5, 1, stages)


def _body_line(number: int) -> Line:
    ict = (_C17, _R_SHUNT_OHM, _BRIDGE, _V_IN)
    eol = (_V_IN, _CAN, _I_SLEEP, _HIPOT, _FW_BUILD, _OFFSET)
    leak = _machine("LEAK", number, 6.0, 4, 0.013, (_LEAK,))
    stages = (
        (_machine("ICT", number, 6.0, 4, 0.013, ict),),
        (replace(leak, shape=Shape.FLAT),),
        (_machine("EOL", number, 7.0, 4, 0.009, eol),),
    )
    return Line(f"L{number}", "BCM-220", "BC22", 2.5, 1, stages)


def _machine(  # noqa: PLR0913, PLR0917 - one row of a table
    procedure: str,
    line: int,
    cycle_s: float,
    fixtures: int,
    fail_share: float,
    steps: tuple[Step, ...],
) -> Machine:
    machine_id = f"{procedure}-{line}1"
    names = tuple(f"F{number}" for number in range(1, fixtures + 1))
    troubles = TROUBLES.get(machine_id, Troubles())
    return Machine(machine_id, procedure, cycle_s, names, fail_share, steps, troubles=troubles)
