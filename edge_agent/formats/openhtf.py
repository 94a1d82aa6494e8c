"""OpenHTF test records, as `OutputToJSON` writes them: one JSON object a run. Pure: no I/O.

Source: openhtf/core/test_record.py and openhtf/util/validators.py, whose `__str__` writes the
sentences that limits are read from.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from edge_agent.formats import text
from edge_agent.formats.jsonfields import (
    JsonRecords,
    filled,
    limit,
    measured,
    plain,
    storable,
    table,
    tables,
    words,
)
from edge_agent.formats.runs import no_measurement, pass_fail

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNIT_OUTCOMES: Final = {
    "": None, "PASS": "PASS", "FAIL": "FAIL", "ABORTED": "ABORTED", "TIMEOUT": "ERROR",
}  # fmt: skip
_STEP_OUTCOMES: Final = {"": None, "PASS": "PASS", "UNSET": "ERROR"}  # anything else failed
_SKIPPED: Final = "SKIPPED"
_TRUTHS: Final = {"True": True, "False": False}

_marginal = re.compile(r"Marginal:\S+ <= ")
_as_range = re.compile(r"(?:(\S+) <= )?x(?: <= (\S+))?").fullmatch
_as_equal = re.compile(r"x == (.+)", re.DOTALL).fullmatch
_as_same = re.compile(r"'x' is equal to '(.*)'", re.DOTALL).fullmatch
_as_pattern = re.compile(r"'x' matches /(.*)/", re.DOTALL).fullmatch
_as_percent = re.compile(r"'x' is within (\S+)% of (\S+)\.(?: Marginal: \S+% of \S+)?").fullmatch


class OpenHtf(JsonRecords):
    """The parser of `openhtf`."""

    HEADS = ("dut_id", "phases")

    def _fields(self, record: dict[str, Any]) -> dict[str, Any]:
        options = self._options
        metadata = table(record.get("metadata"), "metadata")
        test_name = words(metadata.get("test_name"))
        barcode = words(record.get("dut_id"))
        outcome = words(record.get("outcome"))
        if not barcode:
            raise ValueError("a record without a serial number (dut_id)")
        if not test_name and not options.procedure:
            raise ValueError("a record without metadata.test_name. Set option procedure")
        product = words(metadata.get("part_number")) or test_name
        return {
            "barcode": barcode,
            "product_id": options.product_id or text.name(product),
            "procedure": options.procedure or text.name(test_name),
            "started_at": _moment(record.get("start_time_millis"), "start_time_millis"),
            "ended_at": _ended_at(record.get("end_time_millis")),
            "reported_outcome": _UNIT_OUTCOMES.get(outcome.upper(), "ERROR"),
            "program": test_name or None,
            "program_version": words(metadata.get("test_version")) or None,
            "attributes": filled(
                station_id=words(record.get("station_id")),
                outcome_details=plain(record.get("outcome_details")),
            ),
            "measurements": list(_steps(record, options.units)) or [no_measurement(outcome)],
        }


def _steps(record: dict[str, Any], units: dict[str, str]) -> Iterator[dict[str, Any]]:
    for phase in tables(record.get("phases"), "phases"):
        phase_name = words(phase.get("name"))
        for name, value in table(phase.get("measurements"), "measurements of a phase").items():
            measurement = table(value, f"measurement {name[:40]!r}")
            test_step = text.name(f"{phase_name}.{name}" if phase_name else name)
            outcome = words(measurement.get("outcome")).upper()
            if outcome != _SKIPPED:
                yield _step(test_step, measurement, _STEP_OUTCOMES.get(outcome, "FAIL"), units)


def _step(
    test_step: str, measurement: dict[str, Any], outcome: str | None, units: dict[str, str]
) -> dict[str, Any]:
    """Return one measurement as its fields; a table or an object as pass or fail."""
    value = measurement.get("measured_value")
    suffix = table(measurement.get("units"), "units").get("suffix")
    unit = text.unit(words(suffix), units)
    others: list[str] = []
    if measurement.get("dimensions") or isinstance(value, list | dict):
        others = [words(each) for each in _sentences(measurement)]
        truth = None if outcome in {None, "ERROR"} else outcome == "PASS"
        step = pass_fail(test_step, truth)
        kept = {"table": plain(value), "dimensions": _dimensions(measurement), "unit": unit}
    else:
        step = {"test_step": test_step, "measured_value": measured(value), "unit": unit}
        step |= _limits(_sentences(measurement), step["measured_value"], others)
        kept = {}
    step["reported_outcome"] = outcome
    step["attributes"] = filled(
        description=words(measurement.get("docstring")), validators=others, **kept
    )
    return {key: each for key, each in step.items() if each is not None or key == "measured_value"}


def _sentences(measurement: dict[str, Any]) -> list[str]:
    found = measurement.get("validators")
    known = found if isinstance(found, list) else []
    return [storable(each).strip() for each in known if isinstance(each, str)]


def _dimensions(measurement: dict[str, Any]) -> list[str]:
    """Return what each column but the last of a table is: its description or name, and unit."""
    found = measurement.get("dimensions")
    columns = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    return [
        f"{words(each.get('description')) or words(each.get('name'))} "
        f"{words(each.get('suffix'))}".strip()
        for each in columns
    ]


def _limits(sentences: list[str], value: object, others: list[str]) -> dict[str, Any]:
    """Return the limits that the validators say; what says no more goes to `others`, cleaned."""
    limits: dict[str, Any] = {}
    for sentence in sentences:
        said = _limit_of(_marginal.sub("", sentence), value)
        is_alone = not limits or not ({"comparator"} & (limits.keys() | said.keys()))
        if said and is_alone and not said.keys() & limits.keys():
            limits |= said
        else:
            others.append(words(sentence))
    return limits


def _limit_of(sentence: str, value: object) -> dict[str, Any]:
    """Return what one validator says, such as `3.2 <= x <= 3.4`; empty if it is another one."""
    is_text = value is None or isinstance(value, str)
    if found := _as_pattern(sentence):
        return {"comparator": "REGEX", "nominal": found[1]}
    if found := _as_same(sentence):
        return {"comparator": "EQ", "nominal": found[1] if is_text else _literal(found[1])}
    if found := _as_equal(sentence):
        return {"comparator": "EQ", "nominal": _literal(found[1])}
    try:
        return _bounds(sentence)
    except ValueError:  # a limit that is no number, such as a member of an enumeration
        return {}


def _bounds(sentence: str) -> dict[str, Any]:
    if found := _as_range(sentence):
        return filled(low=limit(found[1]), high=limit(found[2])) or {}
    if found := _as_percent(sentence):
        return _percent_limits(limit(found[1]), limit(found[2]))
    return {}


def _percent_limits(percent: float | None, nominal: float | None) -> dict[str, Any]:
    if percent is None or nominal is None:
        return {}
    margin = abs(nominal * percent / 100)
    return filled(low=limit(nominal - margin), high=limit(nominal + margin)) or {}


def _literal(word: str) -> float | bool | str:
    """Return what Python printed: a boolean, a number, else text."""
    try:
        number = text.number(word)
    except ValueError:
        number = None
    return _TRUTHS.get(word, word if number is None else number)


def _moment(millis: object, where: str) -> datetime:
    if isinstance(millis, bool) or not isinstance(millis, int | float):
        raise ValueError(f"{where} is not a number of milliseconds")  # noqa: TRY004
    try:
        return _EPOCH + timedelta(milliseconds=int(millis))
    except (OverflowError, ValueError) as error:
        raise ValueError(f"{where} {str(millis)[:40]} is no time") from error


def _ended_at(millis: object) -> datetime | None:
    return None if millis is None else _moment(millis, "end_time_millis")
