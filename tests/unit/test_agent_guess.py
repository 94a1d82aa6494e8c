"""`agent init` guesses the format of every real file that the project has."""

from pathlib import Path

import pytest

from edge_agent.formats import FORMAT_NAMES
from edge_agent.init import guess_line, guesses
from edge_agent.tally import SAMPLE_BYTES

FIXTURES = Path(__file__).parents[1] / "fixtures"
LOGS = [
    each for name in FORMAT_NAMES for each in sorted((FIXTURES / name).glob("*")) if each.is_file()
]


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.name)
def test_the_right_format_explains_the_most(log: Path) -> None:
    best, *others = guesses(log)
    assert best.format == log.parent.name  # fixtures stand in folders named by format
    assert best.coverage
    assert best.coverage.percent == 100
    assert len(others) == len(FORMAT_NAMES) - 1


def test_a_long_file_is_judged_by_its_first_megabyte(tmp_path: Path) -> None:
    (sample,) = (FIXTURES / "spea").glob("*.csv")
    (tmp_path / "long.csv").write_bytes(sample.read_bytes() * 5)
    best = guesses(tmp_path / "long.csv")[0]
    assert best.coverage
    assert best.coverage.run_count == 8
    assert best.coverage.byte_count < 1.3 * SAMPLE_BYTES


def test_what_nothing_explains_says_why(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(b"what is this\n" * 100)
    lines = [guess_line(each) for each in guesses(tmp_path / "x.log")]
    assert len(lines) == len(FORMAT_NAMES)
    assert any("jsonl        0.0 %, 0 runs  not JSON" in each for each in lines)
    assert any("needs [source.options] first" in each for each in lines)
