"""Back-tests of a web process: how many run at once, and how long what they found is kept."""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from service.commands.backtest_job import JobState
from ui.jobs import KEPT_FOR, OVER_MAX, RUNNING_MAX, Jobs


class FakeJob:
    """Stands for a process: one that is at work, or was over at a time."""

    def __init__(self, ended_at: datetime | None = None) -> None:
        self.state = JobState.DONE if ended_at else JobState.RUNNING
        self.ended_at = ended_at


def started(jobs: Jobs, kinds: Iterable[FakeJob]) -> list[str]:
    return [found[0] for each in kinds if (found := jobs.start(lambda each=each: each))]


def test_of_many_that_start_at_once_only_two_run() -> None:
    jobs, all_are_in = Jobs(), threading.Barrier(RUNNING_MAX + 1)

    def make() -> FakeJob:
        with suppress(threading.BrokenBarrierError):
            all_are_in.wait(0.2)
        return FakeJob()

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: jobs.start(make), range(8)))
    assert sum(each is not None for each in found) == RUNNING_MAX


def test_what_is_over_is_kept_for_an_hour_and_only_the_newest_few() -> None:
    jobs, now = Jobs(), datetime.now(UTC)
    (running,) = started(jobs, [FakeJob()])
    over = started(jobs, [FakeJob(now + timedelta(seconds=each)) for each in range(OVER_MAX + 2)])
    jobs.forget(now)
    assert [each for each in over if jobs.get(each)] == over[2:]
    jobs.forget(now + timedelta(seconds=4) + KEPT_FOR)
    assert [each for each in over if jobs.get(each)] == over[4:]
    jobs.forget(now + 2 * KEPT_FOR)
    assert not any(map(jobs.get, over))
    assert jobs.get(running)


def test_a_start_forgets_too() -> None:
    jobs, now = Jobs(), datetime.now(UTC)
    (old,) = started(jobs, [FakeJob(now - KEPT_FOR)])
    first, *_ = started(jobs, [FakeJob(now)] * OVER_MAX)
    assert jobs.get(first)
    assert not jobs.get(old)
    started(jobs, [FakeJob(now)] * 2)
    assert not jobs.get(first)
