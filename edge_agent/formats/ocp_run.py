"""What the artifacts of one OCP run mean, in the shapes of 2.0 and of 2021. Pure: no I/O.

Source: the OCP Test and Validation output specification 2.0, and the samples of 2021 beside it.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, NamedTuple

from broker.messages import parse_time
from edge_agent.formats import text
from edge_agent.formats.items import Options
from edge_agent.formats.jsonfields import filled, measured, read_object, table, words
from edge_agent.formats.line_units import UnitDraft
from edge_agent.formats.ocp_gaps import SequenceGaps, Series
from edge_agent.formats.ocp_limits import limits_of
from edge_agent.formats.runs import pass_fail

START: Final = "testRunStart"
_RUN, _STEP, _VERSION = "testRunArtifact", "testStepArtifact", "schemaVersion"
_STEP_ID: Final = "testStepId"
_NUMBER_MAX: Final = 2**63
_COMPLETE: Final = "COMPLETE"
_UNIT_OUTCOMES: Final = {"": None, "PASS": "PASS", "FAIL": "FAIL"}
_UNKNOWN: Final = {"", "UNKNOWN"}
_ERRORS_MAX: Final = 20
_CARRY_NOTHING: Final = frozenset({"log", "file", "tag", "extension", "testStepEnd"})


class Artifact(NamedTuple):
    """One line, as far as all artifacts are alike."""

    kind: str = ""
    """Such as testRunStart or measurement; "" for a blank line."""
    body: dict[str, Any] = {}  # noqa: RUF012 - a NamedTuple's default is never changed
    step_id: str = ""
    """Its test step; "" for an artifact of the run."""
    sequence: int | None = None
    timestamp: str = ""
    fault: str = ""
    """Why the line is no artifact."""


def read_artifact(content: str) -> Artifact:
    """Read one line.

    Raises:
        ValueError: It is no JSON object, or none of an artifact's shapes.
    """
    if not content:
        return Artifact()
    record = read_object(content.encode(), "utf-8")
    place = next((each for each in (_RUN, _STEP, _VERSION) if each in record), None)
    if place is None:
        raise ValueError("no artifact: neither of a run nor of a step")
    inside = table(record[place], place)
    kind = (
        _VERSION
        if place == _VERSION
        else next((each for each in inside if each != _STEP_ID), place)
    )
    body = table(inside.get(kind), kind)
    number = record.get("sequenceNumber")
    is_number = type(number) is int and 0 <= number < _NUMBER_MAX  # no boolean
    return Artifact(
        kind,
        body,
        words(inside.get(_STEP_ID)) if place == _STEP else "",
        number if is_number else None,
        words(record.get("timestamp")),
    )


class RunDraft(UnitDraft):
    """What was read of one run so far."""

    def __init__(self, options: Options, file: str, byte_start: int, sequence: int | None) -> None:
        super().__init__(options, file, byte_start)
        self.artifact = Artifact()
        """What its last line holds."""
        self._head = self._foot = Artifact()
        self._steps: dict[str, str] = {}  # names by testStepId
        self._series: dict[tuple[str, str], Series] = {}
        self._sequence = SequenceGaps(sequence)
        self._errors: list[str] = []

    def _take(self, content: str) -> None:
        del content  # read already
        artifact = self.artifact
        self._sequence.add(artifact.sequence)
        if artifact.fault:
            raise ValueError(artifact.fault)
        if artifact.kind and artifact.kind not in _CARRY_NOTHING:
            read = self._READERS.get(artifact.kind)
            if read is None:
                raise ValueError(f"unknown artifact {artifact.kind[:40]!r}")
            read(self, artifact)

    def _begin(self, artifact: Artifact) -> None:
        self._head = artifact

    def _end_run(self, artifact: Artifact) -> None:
        self._foot = artifact

    def _begin_step(self, artifact: Artifact) -> None:
        self._steps[artifact.step_id] = words(artifact.body.get("name"))

    def _note_error(self, artifact: Artifact) -> None:
        said = (words(artifact.body.get(key)) for key in ("symptom", "message", "msg"))
        if len(self._errors) < _ERRORS_MAX:
            self._errors.append(": ".join(filter(None, said)))

    def _measure(self, artifact: Artifact) -> None:
        about, element = _parts(artifact.body)
        self._add_value(self._name(artifact, about.get("name"), about), about, element)

    def _begin_series(self, artifact: Artifact) -> None:
        about, _ = _parts(artifact.body)
        name = self._name(artifact, about.get("name"), about)
        self._series[_series_key(artifact)] = Series(name, about)

    def _measure_element(self, artifact: Artifact) -> None:
        series = self._series.get(_series_key(artifact))
        if series is None:
            raise ValueError("an element of a series without its measurementSeriesStart")
        self._add_value(series.name, series.about, artifact.body)
        series.count += 1

    def _end_series(self, artifact: Artifact) -> None:
        series = self._series.get(_series_key(artifact))
        if series is None:
            raise ValueError("the end of a series without its measurementSeriesStart")
        total = artifact.body.get("totalMeasurementCount", artifact.body.get("totalCount"))
        series.total = total if isinstance(total, int) else None

    def _diagnose(self, artifact: Artifact) -> None:
        body = artifact.body
        verdict = words(body.get("verdict")) or words(body.get("symptom"))
        kind = words(body.get("type")).upper()
        outcome = None if kind in _UNKNOWN else "PASS" if kind == "PASS" else "FAIL"
        row = pass_fail(
            self._name(artifact, verdict, body), None if outcome is None else outcome == "PASS"
        )
        message = words(body.get("message")) or words(body.get("msg"))
        said = {"reported_outcome": outcome, "attributes": filled(message=message)}
        self._add_row(row | {key: each for key, each in said.items() if each is not None})

    def _add_value(self, name: str, about: dict[str, Any], element: dict[str, Any]) -> None:
        """Add one measured value.

        Args:
            name: Its test_step.
            about: Where its unit is, and the limits that hold for a whole series.
            element: Where its value is, and limits of its own.
        """
        unit = text.unit(words(about.get("unit")), self._options.units)
        row = {"test_step": name, "measured_value": measured(element.get("value"))}
        self._add_row(row | ({"unit": unit} if unit else {}) | limits_of(element, about))

    def _name(self, artifact: Artifact, name: object, body: dict[str, Any]) -> str:
        """Return `step/name@hardware`; a step whose start is missing by its id."""
        step = self._steps.get(artifact.step_id) or artifact.step_id
        found = body.get("hardwareInfoId")
        parts = found if isinstance(found, list) else [found]
        hardware = ",".join(filter(None, map(words, parts)))
        if not words(name):
            raise ValueError(f"{artifact.kind} without a name")
        path = f"{step}/{words(name)}" if step else words(name)
        return text.name(f"{path}@{hardware}" if hardware else path)

    def _fields(self) -> dict[str, Any]:
        if not self._foot.kind:
            raise ValueError("a run without its testRunEnd")
        options, head, foot = self._options, self._head.body, self._foot.body
        name, barcode = words(head.get("name")), _barcode(head.get("dutInfo"))
        if not barcode:
            raise ValueError("a run without a serial number (dutInfo: name, dutInfoId, hostname)")
        status, result = words(foot.get("status")).upper(), words(foot.get("result"))
        is_complete = status == _COMPLETE
        outcome = _UNIT_OUTCOMES.get(result.upper(), "ERROR") if is_complete else "ERROR"
        return {
            "barcode": barcode,
            "product_id": options.product_id or text.name(name),
            "procedure": options.procedure or text.name(name),
            "started_at": _moment(self._head.timestamp),
            "ended_at": _moment(self._foot.timestamp) if self._foot.timestamp else None,
            "reported_outcome": outcome,
            "program": name or None,
            "program_version": words(head.get("version")) or None,
            "attributes": filled(gaps=self._gaps(), errors=self._errors),
            "measurements": self._measurements(result if is_complete else status),
        }

    def _gaps(self) -> list[str]:
        short = (each.gap() for each in self._series.values())
        return [*self._sequence.gaps(), *filter(None, short)]

    def _forget(self) -> None:
        super()._forget()
        self._series.clear()
        self._steps.clear()

    _READERS: ClassVar[Mapping[str, Callable[["RunDraft", Artifact], None]]] = {
        START: _begin,
        "testRunEnd": _end_run,
        "error": _note_error,
        "testStepStart": _begin_step,
        "measurement": _measure,
        "measurementSeriesStart": _begin_series,
        "measurementSeriesElement": _measure_element,
        "measurementElement": _measure_element,
        "measurementSeriesEnd": _end_series,
        "diagnosis": _diagnose,
    }


def _parts(body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what describes a measurement and what holds its value: one object since 2.0."""
    about, element = body.get("info"), body.get("element")
    return (
        body if about is None else table(about, "info"),
        body if element is None else table(element, "element"),
    )


def _series_key(artifact: Artifact) -> tuple[str, str]:
    return artifact.step_id, words(artifact.body.get("measurementSeriesId"))


def _barcode(about: object) -> str:
    """Return the name of the first device under test that has one; since 2.0 there is but one."""
    devices = about if isinstance(about, list) else [about]
    found = (
        words(device.get(key))
        for device in devices
        if isinstance(device, dict)
        for key in ("name", "dutInfoId", "hostname")
    )
    return next(filter(None, found), "")


def _moment(timestamp: str) -> datetime:
    try:
        moment = parse_time(timestamp)
    except ValueError as error:
        raise ValueError(f"timestamp {timestamp[:40]!r} is {error}") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
