"""Every comparator with every shape of limit, on every kind of value; by hand, in one table."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import RulebookError
from broker.messages import Comparator, Outcome, Value
from service.core.compare import compare
from service.core.rules import Limit
from service.rulebook import parse_rulebook

LETTERS = {"P": Outcome.PASS, "F": Outcome.FAIL, "E": Outcome.ERROR}
VALUES: list[tuple[Value, str]] = [
    (1.0, "V"),  # below
    (2.0, "V"),  # at low
    (3.0, "V"),  # between
    (4.0, "V"),  # at high
    (5.0, "V"),  # above
    (math.nan, "V"),
    (math.inf, "V"),
    (-math.inf, "V"),
    (None, "V"),
    ("x", "V"),
    (True, "V"),
    (3.0, "A"),  # does not convert
]
NONE: dict[str, Any] = {}
LOW: dict[str, Any] = {"low": 2.0}
HIGH: dict[str, Any] = {"high": 4.0}
BOTH: dict[str, Any] = {"low": 2.0, "high": 4.0}
THREE: dict[str, Any] = {"nominal": 3.0}
TEXT: dict[str, Any] = {"nominal": "x"}
TRUE: dict[str, Any] = {"nominal": True}
NUMBERS: dict[str, Any] = {"nominal": (2.0, 4.0)}
OTHERS: dict[str, Any] = {"nominal": ("x", True)}
NEVER = "EEEEE EEE EEE E"
ALWAYS = "PPPPP PPP PPP P"

# Comparator, limits, verdicts on VALUES, and whether a rulebook takes such a rule: it refuses a
# limit that the comparator would not look at, or lacks.
TABLE: list[tuple[str, dict[str, Any], str, bool]] = [
    ("EQ", NONE, NEVER, False),
    ("EQ", LOW, "FPFFF EEE EEE E", True),
    ("EQ", HIGH, NEVER, False),
    ("EQ", BOTH, "FPFFF EEE EEE E", False),
    ("EQ", THREE, "FFPFF EEE EEE E", True),
    ("EQ", TEXT, "EEEEE EEE EPE E", True),
    ("EQ", TRUE, "EEEEE EEE EEP E", True),
    ("EQ", NUMBERS, NEVER, False),
    ("NE", NONE, NEVER, False),
    ("NE", LOW, "PFPPP EEE EEE E", True),
    ("NE", HIGH, NEVER, False),
    ("NE", BOTH, "PFPPP EEE EEE E", False),
    ("NE", THREE, "PPFPP EEE EEE E", True),
    ("NE", TEXT, "EEEEE EEE EFE E", True),
    ("NE", TRUE, "EEEEE EEE EEF E", True),
    ("GT", NONE, NEVER, False),
    ("GT", LOW, "FFPPP EEE EEE E", True),
    ("GT", HIGH, NEVER, False),
    ("GT", BOTH, "FFPPP EEE EEE E", False),
    ("GE", NONE, NEVER, False),
    ("GE", LOW, "FPPPP EEE EEE E", True),
    ("GE", HIGH, NEVER, False),
    ("GE", BOTH, "FPPPP EEE EEE E", False),
    ("LT", NONE, NEVER, False),
    ("LT", LOW, "PFFFF EEE EEE E", True),
    ("LT", HIGH, "PPPFF EEE EEE E", True),
    ("LT", BOTH, "PFFFF EEE EEE E", False),
    ("LE", NONE, NEVER, False),
    ("LE", LOW, "PPFFF EEE EEE E", True),
    ("LE", HIGH, "PPPPF EEE EEE E", True),
    ("LE", BOTH, "PPFFF EEE EEE E", False),
    ("GTLT", NONE, NEVER, False),
    ("GTLT", LOW, NEVER, False),
    ("GTLT", HIGH, NEVER, False),
    ("GTLT", BOTH, "FFPFF EEE EEE E", True),
    ("GELE", NONE, NEVER, False),
    ("GELE", LOW, NEVER, False),
    ("GELE", HIGH, NEVER, False),
    ("GELE", BOTH, "FPPPF EEE EEE E", True),
    ("GELT", NONE, NEVER, False),
    ("GELT", LOW, NEVER, False),
    ("GELT", HIGH, NEVER, False),
    ("GELT", BOTH, "FPPFF EEE EEE E", True),
    ("GTLE", NONE, NEVER, False),
    ("GTLE", LOW, NEVER, False),
    ("GTLE", HIGH, NEVER, False),
    ("GTLE", BOTH, "FFPPF EEE EEE E", True),
    ("LTGT", NONE, NEVER, False),
    ("LTGT", LOW, NEVER, False),
    ("LTGT", HIGH, NEVER, False),
    ("LTGT", BOTH, "PFFFP EEE EEE E", True),
    ("LEGE", NONE, NEVER, False),
    ("LEGE", LOW, NEVER, False),
    ("LEGE", HIGH, NEVER, False),
    ("LEGE", BOTH, "PPFPP EEE EEE E", True),
    ("LEGT", NONE, NEVER, False),
    ("LEGT", LOW, NEVER, False),
    ("LEGT", HIGH, NEVER, False),
    ("LEGT", BOTH, "PPFFP EEE EEE E", True),
    ("LTGE", NONE, NEVER, False),
    ("LTGE", LOW, NEVER, False),
    ("LTGE", HIGH, NEVER, False),
    ("LTGE", BOTH, "PFFPP EEE EEE E", True),
    ("EQT", NONE, NEVER, False),
    ("EQT", BOTH, NEVER, False),
    ("EQT", THREE, NEVER, False),
    ("EQT", {**THREE, "tolerance": 1.0}, "FPPPF EEE EEE E", True),
    ("EQT", {**THREE, "tolerance": 0.0}, "FFPFF EEE EEE E", True),
    ("EQT", {**THREE, "tolerance_percent": 50.0}, "FPPPF EEE EEE E", True),
    ("EQT", {**THREE, "tolerance_percent": 30.0}, "FFPFF EEE EEE E", True),
    ("EQT", {**THREE, "tolerance_ppm": 500_000.0}, "FPPPF EEE EEE E", True),
    ("EQT", {**THREE, "tolerance_ppm": 1.0}, "FFPFF EEE EEE E", True),
    ("EQT", {**THREE, "tolerance": 1.0, "tolerance_ppm": 1.0}, NEVER, False),
    ("EQT", {**TEXT, "tolerance": 1.0}, NEVER, False),
    ("LOG", NONE, ALWAYS, True),
    ("LOG", BOTH, ALWAYS, False),
    ("LOG", TEXT, ALWAYS, True),
    ("REGEX", NONE, NEVER, False),
    ("REGEX", BOTH, NEVER, False),
    ("REGEX", TEXT, "EEEEE EEE EPE E", True),
    ("REGEX", {"nominal": "^y"}, "EEEEE EEE EFE E", True),
    ("REGEX", {"nominal": "("}, NEVER, False),
    ("REGEX", THREE, NEVER, False),
    ("IN", NONE, NEVER, False),
    ("IN", BOTH, NEVER, False),
    ("IN", NUMBERS, "FPFPF EEE EEE E", True),
    ("IN", OTHERS, "EEEEE EEE EPP E", True),
    ("IN", {"nominal": ("y", False)}, "EEEEE EEE EFF E", True),
    ("IN", TEXT, NEVER, False),
    ("CASESENSIT", NONE, NEVER, False),
    ("CASESENSIT", TEXT, "EEEEE EEE EPE E", True),
    ("CASESENSIT", {"nominal": "X"}, "EEEEE EEE EFE E", True),
    ("CASESENSIT", BOTH, NEVER, False),
    ("CASESENSIT", TRUE, NEVER, False),
    ("IGNORECASE", NONE, NEVER, False),
    ("IGNORECASE", {"nominal": "X"}, "EEEEE EEE EPE E", True),
    ("IGNORECASE", {"nominal": "y"}, "EEEEE EEE EFE E", True),
    ("IGNORECASE", BOTH, NEVER, False),
    ("IGNORECASE", THREE, NEVER, False),
]
ROWS = pytest.mark.parametrize(("comparator", "limits", "verdicts", "is_rule"), TABLE)


def test_the_table_has_every_comparator() -> None:
    assert {comparator for comparator, *_ in TABLE} == set(Comparator)


@ROWS
def test_a_value_of_every_kind_has_its_verdict(
    comparator: str, limits: dict[str, Any], verdicts: str, *, is_rule: bool
) -> None:
    limit = Limit(Comparator(comparator), unit="V", **limits)
    found = [compare(value, unit, limit) for value, unit in VALUES]
    assert [each.outcome for each in found] == [LETTERS[each] for each in verdicts.replace(" ", "")]
    assert all((each.reason is None) is (each.outcome is Outcome.PASS) for each in found)
    assert not is_rule or verdicts != NEVER


@ROWS
def test_a_rulebook_takes_what_can_be_compared_and_nothing_that_is_ignored(
    comparator: str, limits: dict[str, Any], verdicts: str, *, is_rule: bool
) -> None:
    body = "".join(f"{name} = {toml(value)}\n" for name, value in limits.items())
    text = f'[[rule]]\nid = "r"\ncomparator = "{comparator}"\n{body}'
    if is_rule:
        (rule,) = parse_rulebook(text, "rules.toml")
        assert rule.limit == Limit(Comparator(comparator), **limits)
    else:
        with pytest.raises(RulebookError, match=r"^rules\.toml, rule 'r': .+\.$"):
            parse_rulebook(text, "rules.toml")
        assert verdicts in {NEVER, ALWAYS} or {"low", "high"} <= limits.keys()


def toml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml, value))}]"
    return repr(value).lower() if isinstance(value, bool) else repr(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_no_value(value: float) -> None:
    found = compare(value, None, Limit(Comparator.GE, low=-1.0))
    assert found == (Outcome.ERROR, f"{value} is not a finite number", -1.0, None, False)


# -- the same verdict in another unit --------------------------------------------------------------

MILLIVOLTS = st.integers(-10_000, 10_000)
SPANS = [each for each in Comparator if len(each) == 4]
SINGLE = [Comparator.GT, Comparator.GE, Comparator.LT, Comparator.LE, Comparator.EQ, Comparator.NE]


@given(st.sampled_from(SPANS), MILLIVOLTS, MILLIVOLTS, MILLIVOLTS)
def test_a_span_means_the_same_in_every_unit(
    comparator: Comparator, value: int, one: int, other: int
) -> None:
    low, high = sorted((one, other))
    in_millivolt = Limit(comparator, float(low), float(high), unit="mV")
    in_volt = Limit(comparator, low / 1000, high / 1000, unit="V")
    verdicts = {
        compare(number, unit, limit).outcome
        for number, unit in ((float(value), "mV"), (value / 1000, "V"))
        for limit in (in_millivolt, in_volt)
    }
    assert len(verdicts) == 1


@given(st.sampled_from(SINGLE), MILLIVOLTS, MILLIVOLTS)
def test_a_single_limit_means_the_same_in_every_unit(
    comparator: Comparator, value: int, bound: int
) -> None:
    limit = Limit(comparator, bound / 1000, unit="V")
    found = compare(float(value), "mV", limit).outcome
    assert found is compare(value / 1000, "V", limit).outcome
    holds = {
        Comparator.GT: value > bound,
        Comparator.GE: value >= bound,
        Comparator.LT: value < bound,
        Comparator.LE: value <= bound,
        Comparator.EQ: value == bound,
        Comparator.NE: value != bound,
    }
    assert found is (Outcome.PASS if holds[comparator] else Outcome.FAIL)
