"""What this web process works on for longer than a request: started, asked about, cancelled."""

import asyncio
import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from service.commands.backtest_job import BacktestJob, JobState

RUNNING_MAX: Final = 2
OVER_MAX: Final = 5
"""Kept of those that are over: a report may be tens of megabytes."""
KEPT_FOR: Final = timedelta(hours=1)
_LOOK_S: Final = 60.0


class Jobs:
    """The back-tests of this process, by an id that cannot be guessed; for any thread.

    Those that are over are forgotten after an hour, and the oldest sooner.
    """

    def __init__(self) -> None:
        self._jobs: dict[str, BacktestJob] = {}
        self._lock = threading.Lock()

    def start(self, make: Callable[[], BacktestJob]) -> tuple[str, BacktestJob] | None:
        """Start a job and return its id; None when as many as may run are at work."""
        with self._lock:
            self._forget(datetime.now(UTC))
            if len(self._jobs) - len(self._over()) >= RUNNING_MAX:
                return None
            job_id, job = secrets.token_urlsafe(12), make()
            self._jobs[job_id] = job
            return job_id, job

    def get(self, job_id: str) -> BacktestJob | None:
        """Return a job; None where there is none, or it was long ago."""
        return self._jobs.get(job_id)

    async def keep_few(self) -> None:
        """Forget what was long ago, until cancelled."""
        while True:
            await asyncio.to_thread(self.forget, datetime.now(UTC))
            await asyncio.sleep(_LOOK_S)

    def forget(self, now: datetime) -> None:
        """Forget what was over an hour before `now`, and all but the newest that are over."""
        with self._lock:
            self._forget(now)

    def close(self) -> None:
        """End all that run. Blocks until they are gone."""
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.cancel()

    def _forget(self, now: datetime) -> None:
        for place, job_id in enumerate(reversed(self._over())):
            ended_at = self._jobs[job_id].ended_at or now
            if place >= OVER_MAX or ended_at < now - KEPT_FOR:
                del self._jobs[job_id]

    def _over(self) -> list[str]:
        """Return the ids of those that are over, in the order they were started."""
        return [each for each, job in self._jobs.items() if job.state is not JobState.RUNNING]
