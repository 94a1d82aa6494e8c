"""Numbers in words, and how far a backlog is read."""

import pytest

from edge_agent.progress import CatchUp
from edge_agent.words import counted, duration, moment, size


@pytest.mark.parametrize(
    ("byte_count", "words"),
    [
        (0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1_000, "1.0 kB"),
        (1_406_304, "1.4 MB"), (10**9, "1.0 GB"), (5 * 10**15, "5000.0 TB"),
    ],
)  # fmt: skip
def test_bytes(byte_count: int, words: str) -> None:
    assert size(byte_count) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0 s"), (8.4, "8 s"), (119, "119 s"), (600, "10 min"), (9_000, "2 h"), (3e5, "3 days")],
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_moments_are_utc_and_counts_have_a_plural() -> None:
    assert moment(0) == "1970-01-01T00:00:00Z"
    assert [counted(each, "file") for each in (0, 1, 2_000)] == ["0 files", "1 file", "2,000 files"]


def test_a_backlog_has_a_rate_and_an_end() -> None:
    catch_up = CatchUp()
    catch_up.update(100, now=10)
    assert (catch_up.read_bytes, catch_up.rate(10), catch_up.eta_s(10)) == (0, 0, None)
    catch_up.update(75, now=15)
    assert (catch_up.read_bytes, catch_up.total_bytes) == (25, 100)
    assert (catch_up.rate(15), catch_up.eta_s(15)) == (5, 15)


def test_what_is_written_meanwhile_makes_the_total_grow() -> None:
    catch_up = CatchUp()
    catch_up.update(100, now=0)
    catch_up.update(130, now=1)
    assert (catch_up.read_bytes, catch_up.total_bytes) == (0, 130)


def test_the_next_backlog_begins_anew() -> None:
    catch_up = CatchUp()
    for left_bytes, now in ((100, 0), (0, 10), (50, 100), (40, 102)):
        catch_up.update(left_bytes, now)
    assert (catch_up.read_bytes, catch_up.total_bytes, catch_up.rate(102)) == (10, 50, 5)
