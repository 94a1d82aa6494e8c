"""WATS Standard JSON Format: one JSON object a test report. Pure: no I/O.

Source: Virinco's description of WSJF; a report of type R is a repair and holds no test.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from edge_agent.formats import text
from edge_agent.formats.jsonfields import JsonRecords, filled, limit, measured, table, tables, words
from edge_agent.formats.runs import no_measurement, panel, pass_fail

_REPAIR: Final = "R"
_OUTCOMES: Final = {"P": "PASS", "D": "PASS", "F": "FAIL", "E": "ERROR", "T": "ABORTED"}
_TRUTHS: Final = {"PASS": True, "FAIL": False}
_SKIPPED: Final = "S"
_LOG: Final = "LOG"
_ONLY_SOCKET: Final = "-1"
_TWO_SIDED_CHARS: Final = 4  # GELE is GE with the low limit and LE with the high one
_TEXT_OPERATORS: Final = frozenset({"EQ", "NE", "CASESENSIT", "IGNORECASE", _LOG})
_OPERATORS: Final = frozenset(
    {"EQ", "NE", "GT", "GE", "LT", "LE", _LOG}
    | {"GTLT", "GELE", "GELT", "GTLE", "LTGT", "LEGE", "LEGT", "LTGE"}
)
_SYNONYMS: Final = {"EQUAL": "EQ", "NOTEQUAL": "NE"}
_Units: TypeAlias = Mapping[str, str]
_ATTRIBUTES: Final = {
    "id": "report_id",
    "rev": "revision",
    "machineName": "machine_name",
    "location": "location",
    "purpose": "purpose",
}


class Wsjf(JsonRecords):
    """The parser of `wsjf`."""

    HEADS = ("sn", "root")

    def _fields(self, record: dict[str, Any]) -> dict[str, Any]:
        options = self._options
        if words(record.get("type")) == _REPAIR:
            raise ValueError("a repair report (type R), not a test report")
        if not words(record.get("sn")):
            raise ValueError("a report without a serial number (sn)")
        root, unit = table(record.get("root"), "root"), table(record.get("uut"), "uut")
        call = table(root.get("seqCall"), "root.seqCall")
        program = _base_name(words(call.get("name")) or words(call.get("path")))
        process = words(record.get("processName")) or words(record.get("processCode"))
        status = words(record.get("result"))
        return {
            "barcode": words(record.get("sn")),
            "product_id": options.product_id or text.name(words(record.get("pn")) or program),
            "procedure": options.procedure or text.name(process),
            "started_at": words(record.get("start")),
            "reported_outcome": _outcome(status, "ERROR"),
            "program": program or None,
            "program_version": words(call.get("version")) or None,
            "operator": words(unit.get("user")) or None,
            "fixture": words(unit.get("fixtureId")) or None,
            "panel": _panel(unit),
            "attributes": filled(
                **{name: words(record.get(key)) for key, name in _ATTRIBUTES.items()},
                comment=words(unit.get("comment")),
                error_message=words(unit.get("errorMessage")),
            ),
            "measurements": list(_walk(root, "", options.units)) or [no_measurement(status)],
        }


def _base_name(path: str) -> str:
    return text.base_name(path) if path else ""


def _panel(unit: dict[str, Any]) -> dict[str, Any] | None:
    socket = words(unit.get("testSocketIndex"))
    position = None if socket == _ONLY_SOCKET else panel(socket)
    return filled(id=words(unit.get("batchSN")), **(position or {}))


def _walk(step: dict[str, Any], path: str, units: _Units) -> Iterator[dict[str, Any]]:
    """Yield the measurements of the steps below `step`, whose path is `path`, in their order."""
    for child in tables(step.get("steps"), "steps"):
        name = _joined(path, child)
        for key, read in _KINDS.items():
            found = child.get(key)
            for each in tables([found] if isinstance(found, dict) else found, key):
                yield from _measurement(_joined(name, each), each, read(each, units))
        yield from _walk(child, name, units)


def _measurement(path: str, each: dict[str, Any], read: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the measurement that was read, unless it was skipped."""
    status = words(each.get("status"))
    if status[:1].upper() == _SKIPPED:
        return
    if not path:
        raise ValueError("a measurement of which no step has a name")
    fields = {**read, "reported_outcome": _outcome(status, "FAIL")}
    known = {key: value for key, value in fields.items() if value is not None}
    yield {"measured_value": None, **known, "test_step": text.name(path)}


def _numeric(each: dict[str, Any], units: _Units) -> dict[str, Any]:
    return {
        "measured_value": measured(each.get("value")),
        "unit": text.unit(words(each.get("unit")), units),
        **_limits(_operator(each), limit(each.get("lowLimit")), limit(each.get("highLimit"))),
    }


def _limits(operator: str, low: float | None, high: float | None) -> dict[str, Any]:
    """Return comparator and limits; of a comparator with two only the half that has its limit."""
    if operator and operator not in _OPERATORS:
        return {"attributes": filled(comparator=operator, low=low, high=high)}
    if low is None and high is None:
        return {"comparator": _LOG if operator == _LOG else None}
    if len(operator) == _TWO_SIDED_CHARS and (low is None or high is None):
        operator = operator[:2] if high is None else operator[2:]
    return {"comparator": operator or None, "low": low, "high": high}


def _string(each: dict[str, Any], _: _Units) -> dict[str, Any]:
    value, nominal = measured(each.get("value")), measured(each.get("limit"))
    operator = _operator(each)
    if operator and operator not in _TEXT_OPERATORS:
        return {"measured_value": value, "attributes": filled(comparator=operator, nominal=nominal)}
    is_open = nominal is None and operator != _LOG
    return {
        "measured_value": value,
        "comparator": None if is_open else operator or None,
        "nominal": nominal,
    }


def _boolean(each: dict[str, Any], _: _Units) -> dict[str, Any]:
    outcome = _outcome(words(each.get("status")), "FAIL")
    return pass_fail("", None if outcome is None else _TRUTHS.get(outcome))


_KINDS: Final[Mapping[str, Callable[[dict[str, Any], _Units], dict[str, Any]]]] = {
    "numericMeas": _numeric,
    "stringMeas": _string,
    "booleanMeas": _boolean,
}


def _operator(each: dict[str, Any]) -> str:
    operator = words(each.get("compOp")).upper()
    return _SYNONYMS.get(operator, operator)


def _outcome(status: str, other: str) -> str | None:
    """Return what a status such as P or Passed says; `other` for one that is not known."""
    return _OUTCOMES.get(status[:1].upper(), other) if status else None


def _joined(path: str, step: dict[str, Any]) -> str:
    return "/".join(filter(None, (path, words(step.get("name")))))
