"""What pages and people ask of a month of history, as paths of the HTTP API. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from urllib.parse import urlencode

from tests.benchmarks.month import DAYS, LINES, PRODUCTS

ASKED: Final = 20
"""Times that each question is asked, about another machine, product … each time."""

_GROUPS: Final = ("procedure", "line", "machine", "product", "fixture", "operator")
_PERIODS: Final = ("hour", "day", "shift")


class Question(NamedTuple):
    """One question, and how long its answer may take."""

    what: str
    paths: list[str]
    floor_ms: float = 500
    goal_ms: float = 150


class Sample(NamedTuple):
    """What is in the history, for questions about single things."""

    until: datetime
    """When the history ends."""
    run_ids: list[int]
    long_run_ids: list[int]
    """Of runs with 700 measurements."""
    barcodes: list[str]


def questions(sample: Sample) -> Iterator[Question]:
    """Yield every question."""
    yield from _figures(sample)
    yield from _lists(sample)
    yield from _single_things(sample)
    yield from _analysis(sample)


def _figures(sample: Sample) -> Iterator[Question]:
    month, day = _since(sample, DAYS), _since(sample, 1)
    odd = {"since": _iso(sample.until - timedelta(days=7, minutes=17))}
    yield _same("figures, 30 days", "metrics", month)
    yield _same("figures, 24 h", "metrics", day)
    yield _each("figures, a machine, 30 days", "metrics", month, "machine_id", _machines())
    yield _each("figures, a product, 30 days", "metrics", month, "product_id", _products())
    yield _each("figures, a fixture, 30 days", "metrics", month, "fixture", _fixtures())
    yield _each("figures, a step, 30 days", "metrics", month, "step", _steps())
    yield _same("figures, outcome FAIL, 30 days", "metrics", month | {"outcome": "FAIL"})
    for group in (*_GROUPS, *_PERIODS):
        yield _same(f"yield by {group}, 30 days", "yield", month | {"group": group})
    yield _same("yield by procedure, 24 h", "yield", day)
    yield _same(
        "yield by machine, 7 days, from within an hour", "yield", odd | {"group": "machine"}
    )
    by_day = month | {"group": "day"}
    yield _each("yield by day, a product, 30 days", "yield", by_day, "product_id", _products())
    yield _same("failing steps, 30 days", "pareto", month)
    yield _same("failing steps, 7 days, from within an hour", "pareto", odd)
    yield _each("failing steps, a machine, 30 days", "pareto", month, "machine_id", _machines())
    yield _each("failing steps, a product, 30 days", "pareto", month, "product_id", _products())
    yield _each("failing steps, a fixture, 24 h", "pareto", day, "fixture", _fixtures())
    yield _each("failing steps, a fixture, 30 days", "pareto", month, "fixture", _fixtures())
    yield _same("golden samples, 30 days", "golden", month)


def _lists(sample: Sample) -> Iterator[Question]:
    long = {"measurements": "false"}
    month = _since(sample, DAYS)
    yield _same("results", "results", {})
    yield _same("results, 1,000 without measurements", "results", long | {"limit": "1000"})
    yield _same("results, oldest first", "results", long | {"sort": "asc"})
    yield _each("results, a machine", "results", {}, "machine_id", _machines())
    yield _each("results, a product", "results", {}, "product_id", _products())
    yield _each("results, a procedure", "results", {}, "procedure", ["ICT", "FCT", "torque"])
    yield _each("results, a step", "results", {}, "step", _steps())
    yield _each("results, a fixture", "results", {}, "fixture", _fixtures())
    yield _each("results, an operator", "results", {}, "operator", _operators())
    yield _same("results, FAIL", "results", {"outcome": "FAIL"})
    yield _same("results, ERROR, of which there is none", "results", {"outcome": "ERROR"})
    yield _same("results that disagree", "results", {"agrees": "false"})
    failed = {"outcome": "FAIL"}
    yield _each("results, FAIL at a machine", "results", failed, "machine_id", _machines())
    yield _each("results, FAIL of a step", "results", failed, "step", _steps())
    disagreeing = {"agrees": "false", "outcome": "FAIL"}
    yield _each("results, FAIL and disagreeing", "results", disagreeing, "fixture", _fixtures())
    days_ago = [_iso(sample.until - timedelta(days=day)) for day in range(ASKED)]
    yield _each("results, from any day back", "results", {}, "until", days_ago)
    yield _each("results, a barcode", "results", {}, "barcode", sample.barcodes)
    yield _same("how many results, 30 days", "results/count", month)
    yield _each("how many results of a machine", "results/count", month, "machine_id", _machines())
    yield _same("rejections", "rejections", {})
    yield _same("audit trail", "audit", {})


def _single_things(sample: Sample) -> Iterator[Question]:
    yield Question("a barcode", [_path(f"units/{each}") for each in sample.barcodes], 30, 5)
    unknown = [_path(f"units/SN-9{number:07}") for number in range(ASKED)]
    yield Question("a barcode that nobody tested", unknown, 30, 5)
    yield Question("a run", [_path(f"results/{each}") for each in sample.run_ids])
    long = [_path(f"results/{each}") for each in sample.long_run_ids]
    yield Question("a run of 700 measurements", long)
    messages = [_path(f"results/{each}/message") for each in sample.long_run_ids]
    yield Question("the message of such a run", messages)
    yield _same("machines", "machines", {})
    yield Question("a machine", [_path(f"machines/{each}") for each in _machines()])
    yield _same("books", "books", {})
    yield Question("ready", ["/readyz"])


def _analysis(sample: Sample) -> Iterator[Question]:
    month, week = _since(sample, DAYS), _since(sample, 7)
    steps = [
        ("ict-350", "PROD-00"), ("fct-020", "PROD-01"), ("eol-000", "PROD-02"),
    ]  # fmt: skip
    asked = [{"step": step, "product_id": product} for step, product in steps]
    for name, path in (
        ("capability of a step", "capability"),
        ("histogram of a step", "histogram"),
        ("control chart of a step", "control-chart"),
    ):
        for words, span in (("30 days", month), ("7 days", week)):
            paths = [_path(path, span | each) for each in asked]
            yield Question(f"{name}, {words}", paths)
    yield _each("capability of all steps", "capability", month, "product_id", _products())
    yield _same("disagreements, 30 days", "disagreements", month)
    yield _each("disagreements of a machine", "disagreements", month, "machine_id", _machines())
    yield _each("disagreements of a step", "disagreements", month, "step", _steps())


def _same(what: str, path: str, query: dict[str, str]) -> Question:
    return Question(what, [_path(path, query)])


def _each(what: str, path: str, query: dict[str, str], field: str, values: list[str]) -> Question:
    return Question(what, [_path(path, query | {field: value}) for value in values])


def _path(path: str, query: dict[str, str] | None = None) -> str:
    return f"/api/v1/{path}" + (f"?{urlencode(query)}" if query else "")


def _since(sample: Sample, days: int) -> dict[str, str]:
    return {"since": _iso(sample.until - timedelta(days=days))}


def _iso(moment: datetime) -> str:
    return moment.isoformat()


def _machines() -> list[str]:
    return [f"eol-{number:02}" for number in range(LINES)] + [
        f"fct-{number:02}" for number in range(8)
    ] + ["ict-00", "ict-01"]  # fmt: skip


def _products() -> list[str]:
    return [f"PROD-{number:02}" for number in range(PRODUCTS)][:ASKED]


def _fixtures() -> list[str]:
    return [f"fixture-{number}" for number in range(8)]


def _operators() -> list[str]:
    return [f"operator-{number:02}" for number in range(ASKED)]


def _steps() -> list[str]:
    return ["ict-000", "ict-350", "ict-699", "fct-000", "fct-039", "eol-000"]
