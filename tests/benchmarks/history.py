"""P6: what pages and people ask of a month of history with 10 million measurements."""

import contextlib
import http.client
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from statistics import quantiles
from typing import Final, NamedTuple

import psycopg
from pydantic import SecretStr
from sqlalchemy import text

from broker.sections import DatabaseSettings
from service.store.database import Database
from service.store.schema import upgrade
from service.store.writer import Writer
from tests.benchmarks.month import MEASUREMENTS, Month
from tests.benchmarks.parts import broker, postgres, temporary_folder
from tests.benchmarks.questions import ASKED, Question, Sample, questions
from tests.support.ports import free_port
from tests.support.processes import YIELDLINE, Process
from tests.support.waiting import eventually_sync

_TOLD_S: Final = 30
_ASKED_MIN: Final = 5
_PATIENCE_MS: Final = 10_000
"""A question that takes so long in all is not asked again: that it is too slow is known."""


class Answered(NamedTuple):
    """One question on one database."""

    question: Question
    database: str
    p50_ms: float
    p95_ms: float
    slowest_path: str

    @property
    def reached(self) -> str:
        """Which of its targets it meets, in a word."""
        if self.p95_ms <= self.question.goal_ms:
            return "goal"
        return "floor" if self.p95_ms <= self.question.floor_ms else "**neither**"

    def line(self) -> str:
        """Return it as one line for a terminal."""
        return (
            f"P6  {self.question.what} ({self.database}): p50 {self.p50_ms:,.1f} ms,"
            f" p95 {self.p95_ms:,.1f} ms, {self.reached}"
        )


class History(NamedTuple):
    """What one database answered, and how long it needs to read every measurement."""

    database: str
    scan_ms: float
    answered: list[Answered]


def history(database: str, measurements: int) -> History:
    """Fill a database of this kind, then ask all questions; print each answer's time."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        url = f"sqlite:///{folder / 'yieldline.db'}"
        if database == "PostgreSQL":
            url = stack.enter_context(postgres())
        sample = fill(url, measurements)
        scan_ms = _scan_ms(url)
        _say(f"P6  a scan of all measurements ({database}): {scan_ms:,.1f} ms")
        answered = []
        for each in ask_all(folder, url, database, sample):
            _say(each.line())
            answered.append(each)
        return History(database, scan_ms, answered)


def _scan_ms(url: str) -> float:
    """Return how long the yardstick takes, the second time."""
    store = Database(DatabaseSettings(url=SecretStr(url)))
    with store.engine.connect() as connection:
        for _ in range(2):
            began = time.perf_counter()
            connection.execute(text("SELECT count(*), avg(number) FROM measurement")).one()
        took_ms = (time.perf_counter() - began) * 1e3
    store.dispose()
    return took_ms


def fill(url: str, measurements: int) -> Sample:
    """Store a month that ends last midnight, through the service's own writer."""
    until = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    store = Database(DatabaseSettings(url=SecretStr(url)))
    upgrade(store)
    writer = Writer(store, lambda _: [])
    began = told = time.monotonic()
    for at, arrivals in Month(until, measurements / MEASUREMENTS).batches():
        writer.save(arrivals, at)
        if time.monotonic() - told > _TOLD_S:
            told = time.monotonic()
            _say(f"    filled up to {at:%Y-%m-%d}, {told - began:,.0f} s")
    writer.close()
    sample = take_sample(store, until)
    store.dispose()
    if url.startswith("postgresql"):  # as its autovacuum does, a while after
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
    _say(f"    {measurements:,} measurements in {time.monotonic() - began:,.0f} s")
    return sample


def take_sample(store: Database, until: datetime) -> Sample:
    """Return runs and barcodes from all over the history."""
    with store.engine.connect() as connection:

        def column(sql: str) -> list[object]:
            return list(connection.execute(text(sql)).scalars())

        (last,) = column("SELECT max(id) FROM run")
        assert isinstance(last, int)
        ids = ", ".join(str(last * place // ASKED) for place in range(1, ASKED + 1))
        barcodes = column(
            f"SELECT barcode FROM unit WHERE id IN (SELECT unit_id FROM run WHERE id IN ({ids}))"
        )
        long = column(f"SELECT id FROM run WHERE passed + failed > 600 LIMIT {ASKED}")
        run_ids = column(f"SELECT id FROM run WHERE id IN ({ids})")
    return Sample(until, list(map(_int, run_ids)), list(map(_int, long)), list(map(str, barcodes)))


def ask_all(folder: Path, url: str, database: str, sample: Sample) -> Iterator[Answered]:
    """Start the web app on a filled database and ask it everything."""
    with contextlib.ExitStack() as stack:
        port = free_port()
        environment = {
            "YIELDLINE_BROKER__PORT": str(stack.enter_context(broker(folder))),
            "YIELDLINE_DATABASE__URL": url,
            "YIELDLINE_HTTP__PORT": str(port),
        }
        ui = stack.enter_context(
            Process([YIELDLINE, "ui"], environment=environment, directory=folder)
        )
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        eventually_sync(lambda: _is_alive(client), 60, saw=lambda: ui.output)
        asked = list(questions(sample))
        _ask(client, asked[0], database)  # the warm-up: a web app that starts reads its floor
        for question in asked:
            yield _ask(client, question, database)


def _ask(client: http.client.HTTPConnection, question: Question, database: str) -> Answered:
    times: list[tuple[float, str]] = []
    for path in islice(cycle(question.paths), ASKED):
        if len(times) >= _ASKED_MIN and sum(took for took, _ in times) > _PATIENCE_MS:
            break
        began = time.perf_counter()
        client.request("GET", path)
        answer = client.getresponse()
        body = answer.read()
        times.append(((time.perf_counter() - began) * 1e3, path))
        is_expected = answer.status == 200 or (answer.status == 404 and "nobody" in question.what)
        assert is_expected or path == "/readyz", f"{path}: {answer.status} {body[:200]!r}"
    each = [took for took, _ in times]
    places = quantiles(each, n=100, method="inclusive")
    return Answered(question, database, places[49], places[94], max(times)[1])


def _is_alive(client: http.client.HTTPConnection) -> bool:
    try:
        client.request("GET", "/healthz")
        return client.getresponse().read() is not None
    except OSError:
        client.close()
        return False


def history_section(histories: Sequence[History]) -> str:
    """Return P6's part of docs/benchmarks.md."""
    scans = ", ".join(f"{each.scan_ms:,.0f} ms on {each.database}" for each in histories)
    head = " | ".join(f"{each.database}, p50 / p95 | reached" for each in histories)
    lines = [_HEAD.format(asked=ASKED, scans=scans), f"| question | {head} |"]
    lines.append("|---|" + "---|---|" * len(histories))
    for row in zip(*(each.answered for each in histories), strict=True):
        cells = " | ".join(_cells(each) for each in row)
        lines.append(f"| {row[0].question.what} | {cells} |")
    return "\n".join(lines) + "\n"


def _cells(answered: Answered) -> str:
    return f"{answered.p50_ms:,.0f} / {answered.p95_ms:,.0f} ms | {answered.reached}"


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


_HEAD: Final = """
## P6: ten million measurements

A month of 60 machines and 40 products: 10 million measurements in 589,000 runs (700, 40 or one
measurement each; eight in a hundred are a unit's second), stored by the service's own writer. Then
each question goes {asked} times to the web app over HTTP, about another machine, product … each
time, after one question that warms the web app up. PostgreSQL has its statistics
(`VACUUM ANALYZE`), SQLite has none. Targets, p95: floor 500 ms, goal 150 ms; a barcode 30 and
5 ms. The yardstick, a scan of all measurements (`SELECT count(*), avg(number)`): {scans}.
"""
