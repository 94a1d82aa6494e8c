"""Write the plots of docs/judgement.md and docs/statistics.md from their worked example.

`python -m tests.support.write_plots`; a test fails when a file is out of date.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from service.core.intervals import Estimate
from service.core.yields import yields_of
from tests.support import worked_example
from tests.support.paths import ROOT
from tests.support.svg import Drawing, scale
from tests.support.worked_example import VOUT, needed, percent

FOLDER: Final = ROOT / "docs/images"
_WIDTH: Final = 720
_LEFT: Final = 70
_RIGHT: Final = 650


class _Share(NamedTuple):
    """A share to draw in a row of its own."""

    label: str
    value: float | None
    """None: all between low and high is as likely."""
    low: float
    high: float


def yields() -> str:
    """Return yields with their 95 % intervals."""
    ict, fct = (worked_example.yields_at(each) for each in worked_example.PROCEDURES)
    rows = [
        _row("ICT, first pass", ict.first_pass_yield),
        _row("FCT, first pass", fct.first_pass_yield),
        _row("FCT, second pass", fct.second_pass_yield),
        _row("FCT, final", fct.final_yield),
    ]
    return _shares("Yields of 12 units with their 95 % intervals", rows)


def backtest() -> str:
    """Return the yields of FCT as they were and as the draft would have them."""
    change = worked_example.backtest().procedures["FCT"]
    then, low, high = (
        yields_of(each) for each in (change.before, change.after_low, change.after_high)
    )
    rows = []
    for name in ("first_pass_yield", "final_yield"):
        before, least, most = (needed(getattr(each, name)).value for each in (then, low, high))
        words = {"first_pass_yield": "First pass", "final_yield": "Final"}[name]
        rows += [
            _Share(f"{words}, then", before, before, before),
            _Share(f"{words}, draft", None, least, most),
        ]
    return _shares("FCT as it was, and the range the draft would have made of it", rows)


def _row(label: str, estimate: Estimate | None) -> _Share:
    return _Share(label, *needed(estimate))


def _shares(title: str, rows: list[_Share]) -> str:
    left, bottom = 150, 56 + 34 * len(rows)
    drawing, x_of = Drawing(_WIDTH, bottom + 40, title), scale((0, 1), (left, 520))
    for tick in range(0, 101, 20):
        x = x_of(tick / 100)
        drawing.line((x, x), (44, bottom))
        drawing.text(x, bottom + 20, f"{tick} %", anchor="middle")
    for index, row in enumerate(rows):
        y = 66 + 34 * index
        drawing.text(left - 12, y + 4, row.label, anchor="end")
        words = [] if row.value is None else [percent(row.value)]
        if row.low < row.high:
            drawing.line((x_of(row.low), x_of(row.high)), (y, y), "series thick")
            words.append(f"{100 * row.low:.1f} to {percent(row.high)}")
        if row.value is not None:
            drawing.circles([(x_of(row.value), y)], 6)
        drawing.text(535, y + 4, ", ".join(words))
    return drawing.render()


def pareto() -> str:
    """Return the steps that fail, with their cumulative share."""
    found = worked_example.pareto()
    drawing = Drawing(_WIDTH, 300, "First failures by step, and their cumulative share")
    y_of, wide = scale((0, found.total), (250, 60)), (_RIGHT - _LEFT) / len(found.entries)
    for count in range(found.total + 1):
        drawing.line((_LEFT, _RIGHT), (y_of(count), y_of(count)))
        drawing.text(_LEFT - 10, y_of(count) + 4, str(count), anchor="end")
        drawing.text(_RIGHT + 10, y_of(count) + 4, f"{100 * count // found.total} %")
    middles = [_LEFT + wide * (index + 0.5) for index in range(len(found.entries))]
    heights = [y_of(each.cumulative_share * found.total) for each in found.entries]
    for middle, entry in zip(middles, found.entries, strict=True):
        top = y_of(entry.step.first_failures)
        drawing.bar((middle - wide * 0.3, middle + wide * 0.3), (top, y_of(0)))
        drawing.text(middle, 274, entry.step.test_step, anchor="middle")
    drawing.line(middles, heights, "")
    drawing.circles(zip(middles, heights, strict=True), 5, "dot")
    return drawing.render()


def histogram() -> str:
    """Return the histogram of vout between its limits."""
    found, mean = worked_example.histogram(), worked_example.capability().moments.mean
    edges, counts = found.edges.tolist(), found.counts.tolist()
    drawing = Drawing(_WIDTH, 300, "vout of 15 runs, in V, and the limits that judge it")
    x_of, y_of = scale((11.85, 12.2), (_LEFT, _RIGHT)), scale((0, max(counts)), (250, 70))
    for count in range(max(counts) + 1):
        drawing.line((_LEFT, _RIGHT), (y_of(count), y_of(count)))
        drawing.text(_LEFT - 10, y_of(count) + 4, str(count), anchor="end")
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        drawing.bar((x_of(low) + 1, x_of(high) - 1), (y_of(count), y_of(0)))
    for edge in edges:
        drawing.text(x_of(edge), 272, f"{edge:.3f}", anchor="middle")
    drawing.line((x_of(mean), x_of(mean)), (60, 250), "dashed")
    drawing.text(x_of(mean), 54, f"mean {mean:.3f}", anchor="middle")
    for word, limit in zip(("low", "high"), VOUT, strict=True):
        x = x_of(needed_limit(limit))
        drawing.line((x, x), (60, 250), "limit")
        drawing.text(x, 54, f"{word} {limit}", anchor="middle", style="bad")
    return drawing.render()


def control_chart() -> str:
    """Return individuals of vout, the limits made of them, and the rule that they break."""
    chart, barcodes = worked_example.chart().location, _barcodes()
    drawing = Drawing(
        _WIDTH, 340, "Individuals of vout, in V: what completes a rule's pattern is ringed"
    )
    x_of = scale((0, len(barcodes) - 1), (_LEFT + 20, _RIGHT - 50))
    y_of = scale((11.86, 12.18), (280, 50))
    for words, value, style in (
        ("upper", chart.upper, ""),
        ("centre", chart.centre, "soft"),
        ("lower", chart.lower, ""),
        ("high", VOUT.high, "limit"),
    ):
        y = y_of(needed_limit(value))
        drawing.line((_LEFT, _RIGHT - 30), (y, y), style)
        drawing.text(_RIGHT - 24, y + 4, f"{words} {value:.3f}", style="bad" * (style == "limit"))
    places = [(x_of(index), y_of(value)) for index, value in enumerate(chart.points.tolist())]
    drawing.line([x for x, _ in places], [y for _, y in places], "series")
    drawing.circles(places)
    for signal in worked_example.signals():
        drawing.circles((places[index] for index in signal.indices), 9, "ring")
        first = places[signal.indices[0]]
        words = f"Nelson {signal.rule.number}"
        drawing.text(first[0] - 14, first[1] - 10, words, anchor="end", style="bad")
    for (x, _), barcode in zip(places, barcodes, strict=True):
        drawing.text(x, 304, barcode, anchor="middle")
    drawing.text((_LEFT + _RIGHT) / 2, 328, "unit PS-…, in the order of the runs", anchor="middle")
    return drawing.render()


def _barcodes() -> list[str]:
    runs = worked_example.vout_runs()
    return [each.run.message.barcode.removeprefix("PS-") for each in runs]


def needed_limit(value: float | None) -> float:
    """Return a limit that is there."""
    assert value is not None
    return value


PLOTS: Final[Mapping[str, Callable[[], str]]] = {
    "yields.svg": yields,
    "backtest.svg": backtest,
    "pareto.svg": pareto,
    "histogram.svg": histogram,
    "control-chart.svg": control_chart,
}
"""By file name in docs/images/."""


def main() -> None:
    """Write all files."""
    for name, plot in PLOTS.items():
        (FOLDER / name).write_text(plot(), "utf-8", newline="\n")


if __name__ == "__main__":
    main()
