"""What the steps of a TestStand report say, as measurements. Pure: no I/O."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from broker.messages import Comparator
from edge_agent.formats import text
from edge_agent.formats.items import Unparsed
from edge_agent.formats.teststand_tree import Node

OUTCOMES: Final = {
    "": None,
    "Passed": "PASS",
    "Done": "PASS",
    "Failed": "FAIL",
    "Error": "ERROR",
    "Terminated": "ABORTED",
}
"""TestStand's word, of a step or a unit; any other is mapped nowhere."""
_SKIPPED: Final = "Skipped"
_TROUBLES: Final = ("Failed", "Error")
_NO_NUMBERS: Final = ("IND", "-IND")  # TestStand's word for an indeterminate value
_SINGLE: Final = frozenset({"EQ", "NE", "GT", "GE", "LT", "LE"})
_DOUBLE: Final = frozenset({"GTLT", "GELE", "GELT", "GTLE", "LTGT", "LEGE", "LEGT", "LTGE"})
_TEXTS: Final = {"CASESENSIT": Comparator.CASESENSIT, "IGNORECASE": Comparator.IGNORECASE}
_SCALES: Final = {"percentage": 100.0, "ppm": 1e6, "delta": None}
_TOLERANCES: Final = {
    "percentage": "tolerance_percent",
    "ppm": "tolerance_ppm",
    "delta": "tolerance",
}

Fields = dict[str, Any]


class _Value(NamedTuple):
    """A step, or one of several measurements of a step, and how to read it."""

    node: Node
    names: tuple[str, ...]
    """Of the sequence calls that lead to it, and its own."""
    read: "_Reader"


class Measured(NamedTuple):
    """What came of a report's steps."""

    rows: list[Fields]
    """Fields of a measurement each; a sequence call's own comes behind those of its steps."""
    holes: list[Unparsed]
    """Steps that were not understood, in order; offsets count from the report's first byte."""


def measure(report: Node, units: Mapping[str, str]) -> Measured:
    """Return the measurements of a report.

    Args:
        report: From `read_report`.
        units: Unit of measure as printed = as it shall be.
    """
    found = Measured([], [])
    for step in report.steps:
        for value in _values(step, ()):
            try:
                found.rows.append(_row(value, units))
            except ValueError as error:
                node = value.node
                found.holes.append(Unparsed(f"{error}", node.byte_start, node.byte_end))
    return found._replace(holes=_joined(found.holes))


def _values(step: Node, above: tuple[str, ...]) -> Iterator["_Value"]:
    """Yield what a step measured, behind that of the steps it called."""
    is_outermost = step.is_call and not above
    names = (*above, "" if is_outermost else step.values.get("TS.StepName", ""))
    for each in step.steps:
        yield from _values(each, names)
    status = step.values.get("Status", "")
    if is_outermost or status == _SKIPPED:
        return
    parts = [(part, _reader(part, _PARTS)) for part in step.measurements]
    own = _reader(step, _STEPS)
    if known := [(part, read) for part, read in parts if read is not None]:
        yield from (_Value(part, (*names, part.name), read) for part, read in known)
    elif own or status in _TROUBLES:
        yield _Value(step, names, own or _pass_fail)


def _row(value: "_Value", units: Mapping[str, str]) -> Fields:
    """Return the fields of a measurement, or raise ValueError with the sentence why it is none."""
    node, names, read = value
    if not names[-1]:
        raise ValueError("a step without a name (TS.StepName)")
    fields: Fields = {"test_step": text.name("/".join(name for name in names if name))}
    fields |= read(node.values)
    if outcome := _outcome(node):
        fields["reported_outcome"] = outcome
    if unit := text.unit(node.values.get("Units", ""), units):
        fields["unit"] = unit
    if trouble := text.clean(node.values.get("Error.Msg", "")):
        fields["attributes"] = {**fields.get("attributes", {}), "error": trouble}
    return fields


def _outcome(node: Node) -> str | None:
    return OUTCOMES.get(node.values.get("Status", ""), "FAIL")


def _pass_fail(values: Mapping[str, str]) -> Fields:
    said = values.get("PassFail", "").lower()
    truth = said == "true" if said in {"true", "false"} else values.get("Status") == "Passed"
    return {"measured_value": truth, "comparator": Comparator.EQ, "nominal": True}


def _string(values: Mapping[str, str]) -> Fields:
    """Return a text; compared with what the file expects, if it says what and how."""
    fields: Fields = {"measured_value": values.get("String", values.get("StringData", ""))}
    expected = values.get("Limits.String", values.get("StringLimit", ""))
    comparator = _TEXTS.get(values.get("Comp", "").upper())
    if expected and comparator:
        fields |= {"comparator": comparator, "nominal": expected}
    return fields


def _numeric(values: Mapping[str, str]) -> Fields:
    """Return a number with its limits; a comparison that we do not know goes to attributes."""
    value = _number(values.get("Numeric", values.get("Data", "")), text.number)
    word = values.get("Comp", "").upper()
    limits = _tolerance(values) if word == Comparator.EQT else _limits(values, word)
    if limits is None:
        return {"measured_value": value, "attributes": {"comparison": text.clean(word)}}
    return {"measured_value": value, **limits}


def _limits(values: Mapping[str, str], word: str) -> Fields | None:
    """Return comparator and limits; of two limits one may be left out, or too large to be one."""
    low = _number(values.get("Limits.Low", ""), text.limit)
    high = _number(values.get("Limits.High", ""), text.limit)
    if word in _SINGLE:
        limit = high if low is None else low
        return {} if limit is None else {"comparator": word, "low": limit}
    if word in _DOUBLE:
        if low is None or high is None:
            return _limits(values, word[2:] if low is None else word[:2])
        return {"comparator": word, "low": low, "high": high}
    if word == Comparator.LOG:
        return {"comparator": word}
    both = {"low": low, "high": high}
    return None if word else {key: limit for key, limit in both.items() if limit is not None}


def _tolerance(values: Mapping[str, str]) -> Fields | None:
    """Return nominal and tolerance; with two different thresholds the limits they mean.

    Source: TestStand keeps the thresholds in RawLimits, and in Limits where there are no others.
    """
    place = "RawLimits" if "RawLimits.Nominal" in values else "Limits"
    nominal, low, high = (
        _number(values.get(f"{place}.{each}", ""), text.limit)
        for each in ("Nominal", "Low", "High")
    )
    kind = values.get("Limits.ThresholdType", "").lower()
    if nominal is None or low is None or high is None or kind not in _TOLERANCES:
        return None
    if low == high:
        return {"comparator": Comparator.EQT, "nominal": nominal, _TOLERANCES[kind]: low}
    parts = _SCALES[kind]
    scale = abs(nominal) / parts if parts else 1.0
    return {
        "comparator": Comparator.GELE,
        "low": nominal - low * scale,
        "high": nominal + high * scale,
    }


def _number(printed: str, read: Callable[[str], float | None]) -> float | None:
    return None if printed.upper() in _NO_NUMBERS else read(printed)


def _joined(holes: list[Unparsed]) -> list[Unparsed]:
    """Return holes in order; those that overlap or touch as one."""
    joined: list[Unparsed] = []
    for hole in sorted(holes, key=lambda each: each.byte_start):
        if joined and hole.byte_start <= joined[-1].byte_end:
            end = max(hole.byte_end, joined[-1].byte_end)
            joined[-1] = joined[-1]._replace(byte_end=end)
        else:
            joined.append(hole)
    return joined


def _reader(node: Node, readers: Mapping[str, "_Reader"]) -> "_Reader | None":
    return next((read for key, read in readers.items() if key in node.values), None)


_Reader = Callable[[Mapping[str, str]], Fields]
_STEPS: Final[Mapping[str, _Reader]] = {
    "Numeric": _numeric,
    "String": _string,
    "PassFail": _pass_fail,
}
_PARTS: Final[Mapping[str, _Reader]] = {
    "Data": _numeric,
    "StringData": _string,
    "PassFail": _pass_fail,
}
