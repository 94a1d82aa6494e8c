"""A back-test in a process of its own: it works for minutes, which no page may feel."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Final

import orjson

from broker.errors import YieldlineError
from broker.sections import DatabaseSettings
from service.commands.backtest import backtest
from service.store.database import Database
from service.store.queries.filters import Filters

_NICENESS: Final = 10
_ENDS_S: Final = 5.0


class JobState(StrEnum):
    """Where a job stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class BacktestJob:
    """One back-test, started at once; its progress, and in the end its report.

    Args:
        settings: The database.
        body: The draft; checked before.
        filters: Which units.
        on_end: Called once when it is over, from a thread of its own.
    """

    def __init__(
        self,
        settings: DatabaseSettings,
        body: str,
        filters: Filters,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self.started_at = datetime.now(UTC)
        self.ended_at: datetime | None = None
        self.state = JobState.RUNNING
        self.done, self.total = 0, 0
        """Runs judged again, and in all; (0, 0) while they are being found."""
        self.report: bytes | None = None
        """As JSON: far less than the objects, and what the API sends."""
        self.error: str | None = None
        self._on_end = on_end
        self._lock = threading.Lock()
        context = multiprocessing.get_context("spawn")  # a fork would share our sockets and locks
        ours, theirs = context.Pipe(duplex=False)
        self._process: SpawnProcess = context.Process(
            target=_work, args=(theirs, settings, body, filters), name="back-test", daemon=True
        )
        self._process.start()
        theirs.close()
        self._listener = threading.Thread(
            target=self._listen, args=(ours,), name="back-test", daemon=True
        )
        self._listener.start()

    def cancel(self) -> None:
        """End it; one that is over stays as it is. Returns when the process is gone."""
        self._end(JobState.CANCELLED)
        self._process.terminate()
        self._process.join(_ENDS_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._listener.join(_ENDS_S)

    def _listen(self, pipe: Connection) -> None:
        with pipe, contextlib.suppress(EOFError, OSError):
            while True:
                kind, content = pipe.recv()
                if kind == "progress":
                    self.done, self.total = content
                elif kind == "report":
                    self.report = content
                    self._end(JobState.DONE)
                else:
                    self._end(JobState.FAILED, content)
        self._process.join()
        self._end(JobState.FAILED, "the back-test ended without a report. Start it again.")

    def _end(self, state: JobState, error: str | None = None) -> None:
        with self._lock:
            if self.state is not JobState.RUNNING:
                return
            self.state, self.error, self.ended_at = state, error, datetime.now(UTC)
        self._on_end()


def _work(pipe: Connection, settings: DatabaseSettings, body: str, filters: Filters) -> None:
    """Do it, in the child, and send ("progress", (done, total)), then a report or an error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it ends us
    with contextlib.suppress(OSError, AttributeError):
        os.nice(_NICENESS)  # live results come first
    database = Database(settings)
    try:
        report = backtest(database, body, filters, progress=lambda *at: pipe.send(("progress", at)))
        pipe.send(("report", orjson.dumps(report)))
    except YieldlineError as error:
        pipe.send(("error", str(error)))
    finally:
        database.dispose()
        pipe.close()
