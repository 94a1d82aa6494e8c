"""What an STDF test says, as measurements. Pure: no I/O."""

import re
from typing import Any

from edge_agent.formats import text
from edge_agent.formats.items import Options
from edge_agent.formats.runs import pass_fail
from edge_agent.formats.stdf_records import Limits, Test

Fields = dict[str, Any]
_fold = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+").sub


def said(raw: bytes, options: Options) -> str:
    """Return a text of a record, without control characters, its spaces folded."""
    return _fold(" ", text.decode(raw, options.encoding)).strip()


def rows(test: Test, limits: Limits, options: Options) -> list[Fields]:
    """Return the measurements of one test: its value, or its verdict and each of its values.

    Args:
        test: One that was executed.
        limits: Its own, completed by those of its first record.
        options: Of the source.
    """
    name = f"{test.number} {said(limits.test_text, options)}".strip()
    outcome = {"reported_outcome": test.outcome} if test.outcome else {}
    if len(test.results) == 1:
        return [_value(name, test.results[0], test, limits, options) | outcome]
    truth = test.outcome == "PASS" if test.outcome else None
    verdict = pass_fail(text.name(name), truth, **outcome)
    values = (
        _value(f"{name}[{index}]", result, test, limits, options)
        for index, result in enumerate(test.results, 1)
    )
    return [verdict, *values]


def _value(name: str, result: float | None, test: Test, limits: Limits, options: Options) -> Fields:
    fields: Fields = {
        "test_step": text.name(name),
        "measured_value": result if test.is_good else None,
    }
    for key, limit in (("low", limits.low), ("high", limits.high)):
        if limit is not None:
            fields[key] = limit
    if unit := text.unit(said(limits.unit, options), options.units):
        fields["unit"] = unit
    if not test.is_good and result is not None:
        fields["attributes"] = {"result": result, "test_flags": test.flags}
    return fields
