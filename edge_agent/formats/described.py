"""What the formats that a plant describes itself share: fields, values, verdicts, times.

A parser finds text for the fields; here it becomes what the contract says. Pure: no I/O.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from broker.messages import Comparator, ReportedOutcome, parse_time
from edge_agent.formats import closest, text
from edge_agent.formats.items import JSON, Options
from edge_agent.formats.runs import panel, pass_fail

RUN_FIELDS: Final = frozenset(
    {
        "barcode",
        "product_id",
        "procedure",
        "started_at",
        "ended_at",
        "operator",
        "fixture",
        "program",
        "program_version",
        "panel_id",
        "position",
    }
)
"""What may be said of a run, besides its verdict."""
VERDICT: Final = "reported_outcome"
_LIMITS: Final = ("low", "high", "tolerance", "tolerance_percent", "tolerance_ppm")
MEASUREMENT_FIELDS: Final = frozenset(
    {"test_step", "measured_value", "unit", "nominal", "comparator", "limit_unit", *_LIMITS}
)
"""What may be said of a measurement, besides its verdict."""
PROCEDURE: Final = "FCT"
_STATE_CHARS_MAX: Final = 4_000
"""Of JSON; the laws grant 4,096, and an encoding around it wants some."""
_FIRST_YEAR: Final = 2000
_SAMPLE_TIME: Final = datetime(2019, 11, 23, 10, 47, 58, tzinfo=timezone(timedelta(hours=5)))
_TRUTHS: Final = {"PASS": True, "FAIL": False}

_has_leading_zero = re.compile("0[0-9]+").fullmatch
_swap_decimal: Final = str.maketrans(".,", ",.")
_beyond_microseconds = re.compile(r"([.,][0-9]{6})[0-9]+")


class DescribedOptions(Options):
    """The options that both formats take besides the common ones."""

    time_format: str | None = Field(
        default=None,
        description="How a time is written, as strptime of Python says it, such as"
        " %d.%m.%Y %H:%M; else ISO 8601, or numbers in date_order.",
    )
    decimal: Literal[".", ","] = Field(
        default=".", description="The decimal sign; a number with the other one is text."
    )
    outcomes: dict[str, Literal["PASS", "FAIL", "ERROR", "ABORTED", ""]] = Field(
        default_factory=dict,
        description='Verdict as printed = PASS, FAIL, ERROR, ABORTED, or "" for none. Others:'
        " FAIL of a step, ERROR of a unit.",
    )

    ends_when_quiet: bool = Field(
        default=True,
        description="A pause of settle_s ends a unit; false: only the next unit does, or an hour"
        " without any, for testers with steps that take longer.",
    )

    @field_validator("time_format")
    @classmethod
    def _is_read_back(cls, time_format: str | None) -> str | None:
        if time_format is None:
            return None
        try:
            found = datetime.strptime(_SAMPLE_TIME.strftime(time_format), time_format)  # noqa: DTZ007
        except ValueError as error:
            raise ValueError(f"{time_format!r} cannot be read: {error}") from error
        if found.date() != _SAMPLE_TIME.date():
            raise ValueError(f"{time_format!r} does not hold year, month and day")
        return time_format

    @model_validator(mode="after")
    def _says_time_once(self) -> Self:
        if self.time_format and self.date_order:
            raise ValueError("date_order says nothing beside time_format: leave one of them out")
        return self


def check_field(name: str, known: Iterable[str]) -> str:
    """Return the name of a field; ValueError names the closest where there is none."""
    fields = frozenset(known)
    if name not in fields:
        raise ValueError(f"not a field.{closest(name, fields)}")
    return name


def fits_state(state: Mapping[str, JSON]) -> bool:
    """Tell whether a parser may keep this as its state."""
    return len(json.dumps(state)) <= _STATE_CHARS_MAX


def run_fields(
    found: Mapping[str, str], others: Mapping[str, str], options: DescribedOptions
) -> dict[str, Any]:
    """Return the fields of a Run, without source and measurements.

    Args:
        found: Text by field; absent or empty: not said.
        others: Text that belongs to no field, by its name in the file; becomes attributes.
        options: How to read it.

    Raises:
        ValueError: No barcode, product or time, or a time is none; one sentence.
    """
    said = {name: found.get(name, "").strip() for name in RUN_FIELDS}
    if not said["barcode"]:
        raise ValueError("a unit without a barcode")
    if not said["started_at"]:
        raise ValueError("a unit without started_at")
    product_id = options.product_id or text.name(said["product_id"] or said["program"])
    if not product_id:
        raise ValueError("a unit without a product. Set option product_id if the file names none")
    plain = ("operator", "fixture", "program", "program_version")
    return {
        **{name: text.clean(said[name]) or None for name in plain},
        "barcode": said["barcode"],
        "product_id": product_id,
        "procedure": options.procedure or text.name(said["procedure"]) or PROCEDURE,
        "started_at": moment(said["started_at"], options),
        "ended_at": moment(said["ended_at"], options) if said["ended_at"] else None,
        VERDICT: outcome(found.get(VERDICT, ""), options.outcomes, "ERROR"),
        "panel": _panel(said["panel_id"], said["position"]),
        "attributes": _attributes(others),
    }


def measurement_fields(
    found: Mapping[str, str], others: Mapping[str, str], options: DescribedOptions
) -> dict[str, Any]:
    """Return the fields of one measurement; arguments as of `run_fields`.

    A step with a verdict, but neither value nor anything to compare one with, is pass or fail.

    Raises:
        ValueError: It has no name, or a comparator is none; half a sentence.
    """
    said = {name: each.strip() for name, each in found.items() if each}
    test_step = text.name(said.get("test_step", ""))
    if not test_step:
        raise ValueError("no test_step")
    measured = said.get("measured_value", "")
    compared, kept = _compared(said, options)
    verdict = outcome(said.get(VERDICT, ""), options.outcomes, "FAIL")
    beside = {VERDICT: verdict, "attributes": _attributes({**others, **kept})}
    present = {**compared, **{name: each for name, each in beside.items() if each is not None}}
    if verdict in _TRUTHS and not (measured or compared or kept):
        return pass_fail(test_step, _TRUTHS[verdict], **present)
    return {"test_step": test_step, "measured_value": value(measured, options.decimal), **present}


def value(printed: str, decimal: str) -> float | str | None:
    """Return a value: a number, else the text; None for no text, NaN and Inf.

    Digits with a leading zero are text: they are a code, and 0012 is not 12.
    """
    if _has_leading_zero(printed):
        return text.clean(printed)
    try:
        return text.number(_with_point(printed, decimal))
    except ValueError:
        return text.clean(printed)


def outcome(printed: str, outcomes: Mapping[str, str], unmapped: str) -> str | None:
    """Return a verdict by the plant's own words, else the contract's; None for no verdict.

    Args:
        printed: As the file says it.
        outcomes: Word = outcome; an empty one is no verdict.
        unmapped: What any other word means.
    """
    word = printed.strip()
    if word in outcomes:
        return outcomes[word] or None
    if not word:
        return None
    return word.upper() if word.upper() in ReportedOutcome.__members__ else unmapped


def moment(printed: str, options: DescribedOptions) -> datetime:
    """Return a time, naive where the text holds no zone; a two-digit year is 20xx.

    Raises:
        ValueError: It is none; the sentence names the option.
    """
    if options.time_format is not None:
        return _by_format(printed, options.time_format)
    if options.date_order is not None:
        date, _, clock = printed.partition(" ")
        return text.moment(date, clock.strip(), options.date_order)
    try:
        return parse_time(printed)
    except ValueError as error:
        raise ValueError(
            f"{printed[:40]!r} is not a time of ISO 8601. Set option time_format"
        ) from error


def _by_format(printed: str, time_format: str) -> datetime:
    if ".%f" in time_format or ",%f" in time_format:
        printed = _beyond_microseconds.sub(r"\1", printed)
    try:
        found = datetime.strptime(printed, time_format)  # noqa: DTZ007 - the file may have no zone
    except ValueError as error:
        raise ValueError(
            f"{printed[:40]!r} is not a time like {time_format!r}. Check option time_format"
        ) from error
    if found.year < _FIRST_YEAR and "%y" in time_format:  # strptime takes 69 for 1969
        return found.replace(year=found.year + 100)
    return found


def _with_point(printed: str, decimal: str) -> str:
    return printed if decimal == "." else printed.translate(_swap_decimal)


def _compared(
    said: Mapping[str, str], options: DescribedOptions
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what a value is compared with, and the text of limits that are no numbers."""
    compared: dict[str, Any] = {}
    kept: dict[str, str] = {}
    for name, printed in said.items():
        if name in _LIMITS:
            try:
                compared[name] = text.limit(_with_point(printed, options.decimal))
            except ValueError:
                kept[name] = printed
        elif name in {"unit", "limit_unit"}:
            compared[name] = text.unit(printed, options.units)
        elif name == "nominal":
            compared[name] = value(printed, options.decimal)
        elif name == "comparator":
            compared[name] = _comparator(printed)
    return {name: each for name, each in compared.items() if each is not None}, kept


def _comparator(printed: str) -> str:
    if printed not in Comparator.__members__:
        known = frozenset(Comparator.__members__)
        raise ValueError(f"comparator {printed[:40]!r} is none.{closest(printed, known)}")
    return printed


def _panel(panel_id: str, position: str) -> dict[str, int | str] | None:
    named = {"id": text.clean(panel_id)} if panel_id else {}
    return {**named, **(panel(position) or {})} or None


def _attributes(others: Mapping[str, str]) -> dict[str, str] | None:
    if not others:
        return None
    cleaned = {text.name(name): text.clean(each) for name, each in others.items()}
    return {name: each for name, each in cleaned.items() if name and each} or None
