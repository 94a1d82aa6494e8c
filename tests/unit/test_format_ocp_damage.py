"""OCP diagnostics that were cut, lost lines or hold what is not understood: all of it is told."""

import pytest

from edge_agent.formats import Options, Parsed, Skipped, Unparsed, open_parser
from tests.support.ocp_artifacts import (
    END,
    SPEED,
    START,
    VERSION,
    log,
    one_run,
    parse,
    run,
    step,
    whole,
)


@pytest.mark.parametrize(
    ("numbers", "gaps"),
    [
        ([0, 1, 2, 3, 4], None),
        ([0, 1, 4, 5, 9], ["sequenceNumber 2 to 3", "sequenceNumber 6 to 8"]),
        ([7, 8, 9, 10, 11], None),
        ([0, 3, 2, 1, 4], None),
        ([0, 4, 2, 5, 6], ["sequenceNumber 1", "sequenceNumber 3"]),
        ([0, 1, 1, 2, 3], None),
    ],
)
def test_gaps_in_the_sequence_are_told(numbers: list[int], gaps: list[str] | None) -> None:
    artifacts = [
        run(testRunStart=START),
        *[run(log={"text": "x"})] * 3,
        run(testRunEnd=END),
    ]
    numbered = [
        {**artifact, "sequenceNumber": number}
        for artifact, number in zip(artifacts, numbers, strict=True)
    ]
    assert one_run(log(*numbered)).attributes == (gaps and {"gaps": gaps})


def test_of_many_gaps_the_first_hundred_are_told_also_where_numbers_come_late() -> None:
    late = [{**run(log={"text": "x"}), "sequenceNumber": number} for number in range(2, 1_001, 2)]
    content = log(
        run(testRunStart=START), {**run(log={"text": "x"}), "sequenceNumber": 1_001}, *late
    ) + log(run(testRunEnd=END), first=1_002)
    told = (one_run(content).attributes or {})["gaps"]
    assert told == [f"sequenceNumber {number}" for number in range(1, 200, 2)]


def test_a_gap_before_the_start_is_told_and_a_new_program_makes_none() -> None:
    first = log(VERSION, {**run(testRunStart=START), "sequenceNumber": 2})
    second = log(VERSION, run(testRunStart=START), run(testRunEnd=END))
    content = first + log(run(testRunEnd=END), first=3) + second
    runs = [each.runs[0] for each in parse(content) if isinstance(each, Parsed)]
    assert [each.attributes for each in runs] == [{"gaps": ["sequenceNumber 1"]}, None]


def test_a_gap_is_told_after_a_restart_too() -> None:
    content = log(VERSION) + log(run(testRunStart=START), run(testRunEnd=END), first=2)
    parser = open_parser("ocp", Options(), "x")
    first = next(parser.feed(content))
    again = open_parser("ocp", Options(), "x", first.byte_end, parser.state())
    (item,) = again.feed(content[first.byte_end :])
    assert isinstance(item, Parsed)
    assert item.runs[0].attributes == {"gaps": ["sequenceNumber 1"]}


def test_a_program_that_died_leaves_its_run_unparsed_and_the_next_is_read() -> None:
    died = log(VERSION, run(testRunStart=START), step(measurement=SPEED))
    found = parse(died + b'{"testStepArti' + log(VERSION) + died + whole(step(measurement=SPEED)))
    told = [each for each in found if not isinstance(each, Skipped)]
    assert [type(each) for each in told] == [Unparsed, Unparsed, Parsed]
    assert "testRunEnd" in str(told[0])


@pytest.mark.parametrize(
    "bad",
    [
        b"nonsense",
        b'{"a": 1}',
        b"[1]",
        b"[" * 1000,
        b'{"testStepArtifact": 7}',
        b'{"testStepArtifact": {"testStepId": "300"}}',
        b'{"testStepArtifact": {"measurement": 7}}',
        b'{"testStepArtifact": {"measurement": {"value": 1}}}',
        b'{"testStepArtifact": {"measurement": {"name": "x", "value": {}}}}',
        b'{"testStepArtifact": {"measurement": {"info": 7, "element": {"value": 1}}}}',
        b'{"testStepArtifact": {"measurement": {"name": "x", "validators": 7}}}',
        b'{"testStepArtifact": {"measurement": {"name": "x", "range": {"minimum": "a"}}}}',
        b'{"testStepArtifact": {"measurementElement": {"measurementSeriesId": "9"}}}',
        b'{"testStepArtifact": {"measurementSeriesEnd": {"measurementSeriesId": "9"}}}',
        b'{"testStepArtifact": {"diagnosis": {"type": "PASS"}}}',
        b'{"testStepArtifact": {"surprise": {}}}',
    ],
)
def test_a_line_that_is_not_understood_is_a_hole(bad: bytes) -> None:
    content = whole(step(measurement=SPEED), bad, step(measurement=SPEED))
    (item,) = parse(content)
    assert isinstance(item, Parsed)
    (hole,) = item.holes
    assert content[hole.byte_start : hole.byte_end] == bad + b"\n"
    assert len(item.runs[0].measurements) == 2


def test_steps_outside_of_any_run_are_unparsed_and_joined() -> None:
    found = parse(log(step(measurement=SPEED), step(measurement=SPEED)) + whole())
    assert [type(each) for each in found] == [Unparsed, Parsed]
    assert "no testRunStart" in str(found[0])
