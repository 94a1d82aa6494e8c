"""What was measured in one run, for expressions to look at."""

from broker.messages import RunMeasurement, Value
from service.core.expressions import RunValues

_MEASURED: list[tuple[str, Value, str | None]] = [
    ("v_in", 12.0, "V"),
    ("v_out", 9_000.0, "mV"),
    ("zero", 0.0, "V"),
    ("fw", "2.4.1", None),
    ("ok", True, None),
    ("lost", None, "V"),
    ("led", 1.0, "lm"),
    ("led", 4.0, "lm"),
    ("led", 2.0, "lm"),
    ("a b.c", 5.0, None),
]


def values(*measured: tuple[str, Value, str | None]) -> RunValues:
    return RunValues(
        [
            RunMeasurement(test_step=step, measured_value=value, unit=unit)
            for step, value, unit in measured
        ]
    )


MEASURED_RUN = values(*_MEASURED)

WORDS = (
    "steps['v_in'] steps.lost steps.fw values['led'] steps values ( ) [ ] . , ? : + - * / && || !"
    " < > == != in 1 2.5 1e308 0 true false null 'x' k all( exists( exists_one( steps.all(k,"
    " values['led'].exists(x, size( has( abs( min( mean( sqrt( log10( contains( // \\ ' \" { % u"
)
"""What expressions are made of, and what they are not, by spaces; some look at the run above."""
