"""What this web process works on for longer than a request: started, asked about, cancelled."""

import secrets
from collections.abc import Callable
from typing import Final

from service.commands.backtest_job import BacktestJob, JobState

RUNNING_MAX: Final = 2
_KEPT_MAX: Final = 20


class Jobs:
    """The back-tests of this process, by an id that cannot be guessed. The oldest are forgotten."""

    def __init__(self) -> None:
        self._jobs: dict[str, BacktestJob] = {}

    @property
    def running_count(self) -> int:
        """How many are at work."""
        return sum(each.state is JobState.RUNNING for each in self._jobs.values())

    def start(self, make: Callable[[], BacktestJob]) -> tuple[str, BacktestJob] | None:
        """Start a job and return its id; None when as many as may run are at work."""
        if self.running_count >= RUNNING_MAX:
            return None
        over = [each for each, job in self._jobs.items() if job.state is not JobState.RUNNING]
        for each in over[: max(0, len(self._jobs) + 1 - _KEPT_MAX)]:
            del self._jobs[each]
        job_id = secrets.token_urlsafe(12)
        self._jobs[job_id] = make()
        return job_id, self._jobs[job_id]

    def get(self, job_id: str) -> BacktestJob | None:
        """Return a job; None where there is none, or it was long ago."""
        return self._jobs.get(job_id)

    def close(self) -> None:
        """End all that run. Blocks until they are gone."""
        for job in self._jobs.values():
            job.cancel()
