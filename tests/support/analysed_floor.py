"""A morning at one line, stored: two procedures, five machines; one of them drifts from 9:30 on.

`python -m tests.support.analysed_floor URL` fills a database.
"""

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from broker.messages import format_time
from service.commands.rulebooks import Draft, activate_rulebook
from service.core.lookup import Rulebook
from service.rulebook import parse_rulebook
from tests.support.stored import NOON, Stored, run_message

HOURS = 12
"""From midnight to noon: six hours to look at, and six before them to compare with."""
SINCE, UNTIL = NOON - timedelta(hours=6), NOON
PRODUCT = "ECU-4100 C"
DRIFTS = "FCT-12"
REASON = "Ripple above 55 mV fails in the field"
_DRIFT_FROM_MINUTE = -150
_RETESTED = 0.7
"""Of the units that a limit of the message, or the later rule, fails."""
_ODD = 0.02
_LATE_EVERY = 60
_LATE_UNTIL_MINUTE = -180
_STRICTER_AT_MINUTE = -139
_RULE = '[[rule]]\nid = "ripple"\ntest_step = "vbat_ripple"\nhigh = {high}\nunit = "mV"\n'
_LOOSE, _STRICT = 65.0, 55.0


class Made(NamedTuple):
    """One run as a machine sends it."""

    machine_id: str
    minute: float
    message: dict[str, Any]


def fill(stored: Stored, units_per_hour: int = 30) -> None:
    """Store the morning, hour by hour, so that little of it is late; and a rulebook at 9:41."""
    _activate(stored, _LOOSE, "First limit", SINCE - timedelta(hours=6))
    batches: dict[_Batch, list[dict[str, Any]]] = {}
    for number, made in enumerate(_runs(Random(3), units_per_hour)):
        batches.setdefault(_batch_of(made, number), []).append(made.message)
    for batch, messages in sorted(batches.items()):
        at = NOON + timedelta(minutes=batch.at_minute)
        stored.save(*messages, machine_id=batch.machine_id, at=at, rules=_rulebook(batch.high))
    _activate(stored, _STRICT, REASON, NOON + timedelta(minutes=_STRICTER_AT_MINUTE))


class _Batch(NamedTuple):
    """What is stored at once."""

    at_minute: float
    machine_id: str
    high: float
    """The limit in force."""


def _batch_of(made: Made, number: int) -> _Batch:
    hour_end = (made.minute // 60 + 1) * 60
    is_late = number % _LATE_EVERY == 0 and hour_end < _LATE_UNTIL_MINUTE
    high = _LOOSE if made.minute < _STRICTER_AT_MINUTE else _STRICT
    return _Batch(0.0 if is_late else hour_end, made.machine_id, high)


def _rulebook(high: float) -> Rulebook:
    version = 1 if high == _LOOSE else 2
    return Rulebook(version, parse_rulebook(_RULE.format(high=high), "the morning's rules"))


def _activate(stored: Stored, high: float, reason: str, at: datetime) -> None:
    draft = Draft(_RULE.format(high=high))
    activate_rulebook(stored.database, draft, actor="OM", reason=reason, now=at)


def _runs(dice: Random, units_per_hour: int) -> Iterator[Made]:
    for number in range(units_per_hour * HOURS):
        minute = -HOURS * 60 + number * 60 / units_per_hour
        barcode = f"4100-{number:05}"
        for procedure, machines in (("ICT", 2), ("FCT", 3)):
            machine_id = f"{procedure}-1{1 + number % machines}"
            steps = _ict(dice) if procedure == "ICT" else _fct(dice, machine_id, minute)
            yield _made(machine_id, procedure, barcode, minute, steps)
            if any(_is_out(step) for step in steps) and dice.random() < _RETESTED:
                again = _ict(dice) if procedure == "ICT" else _fct(dice, "FCT-11", minute)
                yield _made(machine_id, procedure, barcode, minute + 3, again)


def _made(
    machine_id: str, procedure: str, barcode: str, minute: float, steps: list[dict[str, Any]]
) -> Made:
    fields: dict[str, Any] = {"product_id": PRODUCT, "fixture": f"{machine_id}-A", "operator": "OM"}
    fields |= {"program": f"{procedure}_41", "program_version": _version_of(machine_id, minute)}
    message = run_message(barcode, procedure=procedure, minutes=minute, steps=steps, **fields)
    return Made(machine_id, minute, message)


def _version_of(machine_id: str, minute: float) -> str:
    """Return the version of the program: one machine gets a new one before the stricter rule."""
    return "3.3" if machine_id == DRIFTS and minute >= _STRICTER_AT_MINUTE - 60 else "3.2"


def _ict(dice: Random) -> list[dict[str, Any]]:
    wrong_part, bad_joint = dice.random() < _ODD, dice.random() < _ODD
    return [
        _step(
            "c201", dice.gauss(4.1e-6, 0.1e-6) + 0.5e-6 * wrong_part, "F", low=3.6e-6, high=4.44e-6
        ),
        _step("r_shunt", dice.gauss(1.003, 0.012) + 0.06 * bad_joint, "mOhm", low=0.95, high=1.05),
    ]


def _fct(dice: Random, machine_id: str, minute: float) -> list[dict[str, Any]]:
    drift = max(0.0, minute - _DRIFT_FROM_MINUTE) * 0.12 if machine_id == DRIFTS else 0.0
    ripple = _step("vbat_ripple", dice.gauss(46.4, 2.1) + drift, "mV")
    ripple["reported_outcome"] = "PASS" if ripple["measured_value"] <= _LOOSE else "FAIL"
    return [
        ripple,
        _step("can_term", dice.gauss(60.2, 0.85), "Ohm", low=57.0, high=63.0),
        _step("vref", dice.gauss(5.002, 0.008), "V", low=4.95, high=5.05),
    ]


def _step(name: str, value: float, unit: str, **limits: float) -> dict[str, Any]:
    value = float(f"{value:.5g}")
    return {"test_step": name, "measured_value": value, "unit": unit, **limits}


def _is_out(step: dict[str, Any]) -> bool:
    value, step = step["measured_value"], {"high": _STRICT, **step} if _is_ripple(step) else step
    return not step.get("low", value) <= value <= step.get("high", value)


def bounds() -> dict[str, str]:
    """Return the six hours to look at, as the pages and the HTTP API take them."""
    return {"since": format_time(SINCE), "until": format_time(UNTIL)}


def _is_ripple(step: dict[str, Any]) -> bool:
    return bool(step["test_step"] == "vbat_ripple")


def main() -> None:
    """Fill the database whose address is given; a process of its own lets go of its file."""
    stored = Stored(sys.argv[1])
    fill(stored)
    stored.close()


if __name__ == "__main__":
    main()
