"""Where the time and the memory of one flat result go: the pipeline in this process."""

import contextlib
import cProfile
import gc
import pstats
import sys
import time
import tracemalloc
from collections.abc import Iterator, Sequence

from pydantic import SecretStr

from broker.envelopes import Delivery
from broker.sections import DatabaseSettings
from broker.settings import Settings
from service.core.lookup import Rulebook
from service.pipeline import Pipeline
from service.rulebook import parse_rulebook
from service.store.database import Database
from service.store.schema import upgrade
from tests.benchmarks.load import flat_results, rulebook, take
from tests.benchmarks.parts import postgres, temporary_folder

_BATCH, _BATCHES = 500, 40
_WEIGHED = 10
"""Batches whose memory is measured, after those whose time is, and before the profiler's."""
_MEASURED_AT = 5 + _BATCHES + 1 + _WEIGHED
_STAGES = {  # functions that do not call each other, by the end of their file's name
    "decode": (("core/decode.py", "decode"),),
    "judge": (("core/judge.py", "judge"),),
    "encode": (("service/pipeline.py", "_answers"), ("store/writer.py", "_keep")),
    "known": (("store/writer.py", "_known"),),
    "keys": (("store/run_inserts.py", "_key_runs"),),
    "rows": (
        ("store/rows.py", "run_row"),
        ("store/rows.py", "measurement_row"),
        ("store/rollups.py", "roll_up"),
    ),
    "insert": (("store/run_inserts.py", "insert_runs"),),  # less keys and rows, see below
    "books": (("store/books.py", "keep_books"),),
    "commit": (("store/drivers.py", "commit"),),
}


def profile(database: str) -> None:
    """Print µs and memory a message; the stages as the profiler stretches them."""
    with _pipeline(database) as pipeline:
        batches = _batches()
        gc.freeze()  # as the service does at its start
        gc.set_threshold(50_000, 20, 50)
        _run(pipeline, batches[:5])
        start = time.perf_counter()
        _run(pipeline, batches[5 : 5 + _BATCHES])
        alone_us = (time.perf_counter() - start) / (_BATCHES * _BATCH) * 1e6
        _say(f"{database}: {_memory(pipeline, batches[5 + _BATCHES : _MEASURED_AT])}")
        profiler = cProfile.Profile()
        profiler.runcall(_run, pipeline, batches[_MEASURED_AT:])
    stats = pstats.Stats(profiler)
    total_us = float(stats.total_tt) / (_BATCHES * _BATCH) * 1e6  # type: ignore[attr-defined]
    _say(f"{database}: {alone_us:.1f} µs a flat result, {total_us:.1f} under the profiler, of it")
    spent = {stage: _spent_us(stats, functions) for stage, functions in _STAGES.items()}
    spent["insert"] -= spent["keys"] + spent["rows"]
    for stage, each in spent.items():
        _say(f"  {stage:8} {each:6.1f} µs {each / total_us:5.0%}")
    stats.sort_stats("tottime").print_stats(25)


def _spent_us(stats: pstats.Stats, functions: Sequence[tuple[str, str]]) -> float:
    found = 0.0
    for (file, _, name), (_, _, _, cumulative, _) in stats.stats.items():  # type: ignore[attr-defined]
        if any(file.endswith(end) and name == wanted for end, wanted in functions):
            found += cumulative
    return found / (_BATCHES * _BATCH) * 1e6


def _memory(pipeline: Pipeline, batches: Sequence[list[Delivery]]) -> str:
    """Return what a batch holds at its most, what stays of it, and what the collector did."""
    before = sys.getallocatedblocks()
    collected = [each["collections"] for each in gc.get_stats()]
    _run(pipeline, batches[1:])
    turns = [each["collections"] - old for each, old in zip(gc.get_stats(), collected, strict=True)]
    kept = (sys.getallocatedblocks() - before) / (_WEIGHED * _BATCH)
    tracemalloc.start()
    _run(pipeline, batches[:1])
    peak = tracemalloc.get_traced_memory()[1] / _BATCH
    tracemalloc.stop()
    return (
        f"{peak:,.0f} bytes a flat result at a batch's most, {kept:.2f} blocks of it stay;"
        f" {turns} collections in {_WEIGHED} batches"
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _run(pipeline: Pipeline, batches: Sequence[list[Delivery]]) -> None:
    for batch in batches:
        committed = pipeline.commit(pipeline.understand(batch))
        pipeline.writer.published(committed.outbox_ids)


def _batches() -> list[list[Delivery]]:
    messages = take(flat_results(), (_MEASURED_AT + _BATCHES) * _BATCH)
    deliveries = [Delivery(topic, payload, 1, retained=False) for topic, payload in messages]
    return [deliveries[start : start + _BATCH] for start in range(0, len(deliveries), _BATCH)]


@contextlib.contextmanager
def _pipeline(database: str) -> Iterator[Pipeline]:
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        url = f"sqlite:///{folder / 'yieldline.db'}"
        if database == "PostgreSQL":
            url = stack.enter_context(postgres())
        settings = Settings(database=DatabaseSettings(url=SecretStr(url)))
        store = Database(settings.database)
        upgrade(store)
        rules = Rulebook(1, parse_rulebook(rulebook(), "rules.toml"))
        pipeline = Pipeline(settings, store, rules)
        pipeline.writer.open()
        yield pipeline
        pipeline.writer.close()
        store.dispose()
