"""Artifacts of OCP diagnostics for tests, and what the format makes of them."""

import itertools
import json
from typing import Any

from broker.messages import Run, RunMeasurement
from edge_agent.formats import Item, Options, Parsed, Skipped, Unparsed, open_parser

START: dict[str, Any] = {
    "name": "mlc",
    "version": "1.0",
    "dutInfo": {"dutInfoId": "1", "name": "ocp_lab_0222"},
}
END: dict[str, Any] = {"status": "COMPLETE", "result": "PASS"}
STEP: dict[str, Any] = {"testStepStart": {"name": "fan"}, "testStepId": "300"}
SPEED: dict[str, Any] = {"name": "speed", "value": 9000.5, "unit": "RPM", "hardwareInfoId": "5"}
VERSION: dict[str, Any] = {"schemaVersion": {"major": 2, "minor": 0}}


def run(**artifact: object) -> dict[str, Any]:
    """Return an artifact of the run."""
    return {"testRunArtifact": artifact}


def step(**artifact: object) -> dict[str, Any]:
    """Return an artifact of the step."""
    return {"testStepArtifact": {**artifact, "testStepId": "300"}}


def log(*artifacts: dict[str, Any] | bytes, first: int = 0) -> bytes:
    """Lines numbered from `first`; an artifact may say its own number, bytes stay as they are."""
    numbers = itertools.count(first)
    lines = [
        each
        if isinstance(each, bytes)
        else json.dumps(
            {"sequenceNumber": next(numbers), "timestamp": "2022-07-25T04:49:25.262947Z", **each}
        ).encode()
        for each in artifacts
    ]
    return b"\n".join([*lines, b""])


def whole(*artifacts: dict[str, Any] | bytes) -> bytes:
    """Return the lines of a run with one step that holds these artifacts."""
    return log(run(testRunStart=START), {"testStepArtifact": STEP}, *artifacts, run(testRunEnd=END))


def parse(content: bytes, **options: object) -> list[Item]:
    """Return all that the format makes of a log."""
    parser = open_parser("ocp", Options(**options), "diag.jsonl")
    return [*parser.feed(content), *parser.finish()]


def one_run(content: bytes, **options: object) -> Run:
    """Return the run of a log of one run, with holes or without."""
    (item,) = (each for each in parse(content, **options) if not isinstance(each, Skipped))
    assert isinstance(item, Parsed), item
    return item.runs[0]


def refusal(content: bytes) -> str:
    """Return why nothing of a log was understood."""
    (item,) = (each for each in parse(content) if not isinstance(each, Skipped))
    assert isinstance(item, Unparsed)
    return item.reason


def one(artifact: dict[str, Any]) -> RunMeasurement:
    """Return the one measurement that this artifact makes."""
    (found,) = one_run(whole(artifact)).measurements
    return found
