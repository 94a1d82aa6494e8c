"""Log lines that a plant describes by regular expressions: each is a run of its own."""

from edge_agent.formats import Parsed, Unparsed, open_parser, read_options
from tests.support.described_lines import BEGIN, JOB, LINE, ROW, RUNS, UNITS, refusal, runs, told


def test_a_run_line_is_a_run_with_one_measurement_and_its_verdict_is_both() -> None:
    (run,) = runs("operator Anna\n" + LINE, RUNS)
    (measurement,) = run.measurements
    assert (run.barcode, run.operator, run.reported_outcome) == ("S1", "Anna", "FAIL")
    assert (measurement.test_step, measurement.measured_value) == ("vcc", 5.01)
    assert measurement.reported_outcome == "FAIL"


def test_other_groups_of_a_run_line_are_the_runs_attributes() -> None:
    (run,) = runs(LINE.strip() + " on B2\n", RUNS)
    assert run.attributes == {"socket": "B2"}
    assert run.measurements[0].attributes is None


def test_a_word_mapped_nowhere_is_fail_of_the_step_and_error_of_the_unit() -> None:
    (run,) = runs(LINE.replace("FAIL", "odd"), RUNS)
    assert (run.reported_outcome, run.measurements[0].reported_outcome) == ("ERROR", "FAIL")


def test_every_run_line_is_complete_at_its_newline() -> None:
    parser = open_parser("regex", read_options("regex", RUNS), "x")
    assert [type(item) for item in parser.feed((LINE * 3).encode())] == [Parsed] * 3


def test_a_run_line_that_makes_no_run_is_unparsed() -> None:
    assert "time_format" in refusal(LINE.replace("2024-03-05T14:07:00", "noon"), RUNS)


def test_a_run_line_inside_a_unit_ends_it() -> None:
    both = [*UNITS["line"], RUNS["line"][1]]
    half, run = told(JOB + BEGIN + ROW + LINE, line=both, fields={})
    assert isinstance(half, Unparsed)
    assert isinstance(run, Parsed)


def test_a_run_line_without_step_and_value_says_how_the_unit_ended() -> None:
    match = r"^(?P<started_at>\S+) (?P<barcode>\S+) (?P<test_step>\S*) (?P<reported_outcome>\S+)$"
    (run,) = runs(
        "2024-03-05T14:07:00 S1  ABORTED\n", {**RUNS, "line": [{"match": match, "as": "run"}]}
    )
    assert (run.reported_outcome, run.measurements[0].measured_value) == ("ABORTED", "ABORTED")
    assert run.measurements[0].test_step == "run"
