from typing import Any

import pytest

from broker.messages import Comparator, Outcome
from service.core.records import JudgedMeasurement, JudgedRun
from service.core.rules import Rule
from tests.support.core import FLAT, judge_content

LETTERS = {"P": Outcome.PASS, "F": Outcome.FAIL, "E": Outcome.ERROR, "U": Outcome.UNJUDGED}
BOUNDS: dict[str, Any] = {"low": 2.0, "high": 4.0}
SINGLE: dict[str, Any] = {"low": 2.0}
NUMERIC: list[tuple[str, dict[str, Any], str]] = [
    # comparator, its limits; then the verdicts on 1 (below), 2 (at low), 3 (between), 4 (at high)
    # and 5 (above)
    ("EQ", SINGLE, "FPFFF"),
    ("EQ", {"nominal": 2.0}, "FPFFF"),
    ("NE", SINGLE, "PFPPP"),
    ("NE", {"nominal": 2.0}, "PFPPP"),
    ("GT", SINGLE, "FFPPP"),
    ("GE", SINGLE, "FPPPP"),
    ("LT", SINGLE, "PFFFF"),
    ("LE", SINGLE, "PPFFF"),
    ("LT", {"high": 4.0}, "PPPFF"),
    ("LE", {"high": 4.0}, "PPPPF"),
    ("GTLT", BOUNDS, "FFPFF"),
    ("GELE", BOUNDS, "FPPPF"),
    ("GELT", BOUNDS, "FPPFF"),
    ("GTLE", BOUNDS, "FFPPF"),
    ("LTGT", BOUNDS, "PFFFP"),
    ("LEGE", BOUNDS, "PPFPP"),
    ("LEGT", BOUNDS, "PPFFP"),
    ("LTGE", BOUNDS, "PFFPP"),
    ("EQT", {"nominal": 3.0, "tolerance": 1.0}, "FPPPF"),
    ("LOG", {}, "PPPPP"),
]
CASES = pytest.mark.parametrize(("comparator", "limits", "verdicts"), NUMERIC)


def only(judged: JudgedRun) -> JudgedMeasurement:
    (one,) = judged.measurements
    return one


def by_message(value: object, **fields: object) -> JudgedMeasurement:
    return only(judge_content({**FLAT, "measured_value": value, **fields}))


def by_rule(rule: Rule, value: object, unit: str | None = None) -> JudgedMeasurement:
    return only(judge_content({**FLAT, "measured_value": value, "unit": unit}, [rule]))


@CASES
def test_every_comparator_of_a_message(
    comparator: str, limits: dict[str, Any], verdicts: str
) -> None:
    outcomes = [by_message(v, comparator=comparator, **limits).outcome for v in (1, 2, 3, 4, 5)]
    assert outcomes == [LETTERS[each] for each in verdicts]


@CASES
def test_every_comparator_of_a_rule(comparator: str, limits: dict[str, Any], verdicts: str) -> None:
    rule = Rule("r", Comparator(comparator), **limits)
    outcomes = [by_rule(rule, value).outcome for value in (1, 2, 3, 4, 5)]
    assert outcomes == [LETTERS[each] for each in verdicts]


@CASES
def test_a_value_in_another_unit_is_converted_first(
    comparator: str, limits: dict[str, Any], verdicts: str
) -> None:
    rule = Rule("r", Comparator(comparator), unit="V", **limits)
    outcomes = [by_rule(rule, value, "mV").outcome for value in (1e3, 2e3, 3e3, 4e3, 5e3)]
    message = {"comparator": comparator, "unit": "mV", "limit_unit": "V", **limits}
    twins = [by_message(value, **message).outcome for value in (1e3, 2e3, 3e3, 4e3, 5e3)]
    assert outcomes == twins == [LETTERS[each] for each in verdicts]


@CASES
@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (None, "V", "no value"),
        ("abc", "V", "'abc' is not a number, but the limit is"),
        (True, "V", "true is not a number, but the limit is"),
        (3.0, "A", "'A' does not convert to 'V'"),
        (3.0, "wibble", "'wibble' does not convert to 'V'"),
    ],
)
def test_what_cannot_be_compared_is_an_error_with_a_reason(
    comparator: str, limits: dict[str, Any], verdicts: str, value: object, unit: str, words: str
) -> None:
    in_volt = Rule("r", Comparator(comparator), unit="V", **limits)
    rule = by_rule(in_volt, value, unit)
    message = by_message(value, unit=unit, limit_unit="V", comparator=comparator, **limits)
    if comparator == "LOG":
        assert verdicts == "PPPPP"
        assert (rule.outcome, message.outcome) == (Outcome.PASS, Outcome.PASS)
    else:
        assert (rule.outcome, rule.reason) == (Outcome.ERROR, words)
        assert (message.outcome, message.reason) == (Outcome.ERROR, words)


# -- text, booleans, sets ------------------------------------------------------------------------

TEXTUAL: list[tuple[str, object, object, str]] = [
    ("EQ", "A7", "A7", "P"),
    ("EQ", "A7", "a7", "F"),
    ("EQ", True, True, "P"),
    ("EQ", True, False, "F"),
    ("EQ", True, 1, "E"),
    ("EQ", 1, True, "E"),
    ("EQ", 1, "1", "E"),
    ("EQ", "1", 1, "E"),
    ("EQ", "a", ["a"], "E"),
    ("NE", "A7", "A7", "F"),
    ("NE", "A7", "A8", "P"),
    ("NE", True, False, "P"),
    ("NE", True, True, "F"),
    ("NE", True, "true", "E"),
    ("CASESENSIT", "A7", "A7", "P"),
    ("CASESENSIT", "a7", "A7", "F"),
    ("CASESENSIT", 7, "7", "E"),
    ("CASESENSIT", True, "true", "E"),
    ("CASESENSIT", "7", 7, "E"),
    ("IGNORECASE", "a7", "A7", "P"),
    ("IGNORECASE", "STRASSE", "straße", "P"),
    ("IGNORECASE", "a8", "A7", "F"),
    ("IGNORECASE", 7, "7", "E"),
    ("REGEX", "FW-4.21", r"^FW-4\.\d+$", "P"),
    ("REGEX", "FW-5.21", r"^FW-4\.\d+$", "F"),
    ("REGEX", "xx FW-4.21 yy", r"FW-4\.\d+", "P"),
    ("REGEX", "FW-4.21", "(", "E"),
    ("REGEX", "FW-4.21", "(?=F)", "E"),
    ("REGEX", "FW-4.21", "x" * 2_000, "E"),
    ("REGEX", "y" * 5_000, "y", "E"),
    ("REGEX", 4.21, r"4", "E"),
    ("REGEX", True, r"t", "E"),
    ("REGEX", "4", 4, "E"),
    ("IN", "b", ["a", "b"], "P"),
    ("IN", "c", ["a", "b"], "F"),
    ("IN", 2, [1, 2, "x"], "P"),
    ("IN", 3, [1, 2, "x"], "F"),
    ("IN", True, [1, 2], "E"),
    ("IN", True, [True], "P"),
    ("IN", 1, [True], "E"),
    ("IN", "1", [1, 2], "E"),
    ("IN", "a", "abc", "E"),
]


@pytest.mark.parametrize(("comparator", "value", "nominal", "letter"), TEXTUAL)
def test_text_booleans_and_sets(
    comparator: str, value: object, nominal: object, letter: str
) -> None:
    one = by_message(value, comparator=comparator, nominal=nominal)
    assert one.outcome is LETTERS[letter]
    assert (one.reason is None) is (letter == "P")


@pytest.mark.parametrize("comparator", ["EQ", "NE", "REGEX", "IN", "CASESENSIT", "IGNORECASE"])
def test_no_value_is_an_error_whatever_the_comparator(comparator: str) -> None:
    one = by_message(None, comparator=comparator, nominal=["a"] if comparator == "IN" else "a")
    assert (one.outcome, one.reason) == (Outcome.ERROR, "no value")


def test_a_pattern_that_explodes_elsewhere_is_matched_at_once() -> None:
    one = by_message("a" * 4_000 + "!", comparator="REGEX", nominal="^(a+)+$")
    assert one.outcome is Outcome.FAIL


def test_a_number_in_a_set_is_converted() -> None:
    rule = Rule("r", Comparator.IN, nominal=(3.3, 5.0), unit="V")
    assert by_rule(rule, 3_300, "mV").outcome is Outcome.PASS
    assert by_rule(rule, 3.3, "A").outcome is Outcome.ERROR


# -- numbers: the finer points -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "comparator", "letter"),
    [
        ({"low": 2.0, "high": 4.0}, "GELE", "P"),
        ({"low": 3.5, "high": 4.0}, "GELE", "F"),
        ({"low": 3.0}, "GE", "P"),
        ({"low": 3.1}, "GE", "F"),
        ({"high": 3.0}, "LE", "P"),
        ({"high": 2.9}, "LE", "F"),
    ],
)
def test_limits_without_a_comparator_include_both_ends(
    limits: dict[str, float], comparator: str, letter: str
) -> None:
    one = by_message(3.0, **limits)
    assert (one.comparator, one.outcome) == (comparator, LETTERS[letter])
    assert (one.low, one.high) == (limits.get("low"), limits.get("high"))


@pytest.mark.parametrize(
    ("tolerance", "letters"),
    [
        ({"tolerance": 0.1}, "FPPPF"),
        ({"tolerance_percent": 10}, "FPPPF"),
        ({"tolerance_ppm": 100_000}, "FPPPF"),
        ({"tolerance": 0.1, "tolerance_ppm": 1}, "EEEEE"),
        ({}, "EEEEE"),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_tolerance_includes_both_ends(
    tolerance: dict[str, float], letters: str, sign: int
) -> None:
    for value, letter in zip((0.89, 0.9, 1.0, 1.1, 1.11), letters, strict=True):
        one = by_message(sign * value, comparator="EQT", nominal=sign, **tolerance)
        assert one.outcome is LETTERS[letter], value


def test_a_tolerance_shows_the_bounds_it_stands_for() -> None:
    one = by_message(3.4, comparator="EQT", nominal=3.3, tolerance=0.1)
    assert (one.outcome, one.low, one.high) == (Outcome.PASS, 3.2, 3.4)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"comparator": "GELE", "low": 1}, "GELE needs low and high"),
        ({"comparator": "LTGT", "high": 1}, "LTGT needs low and high"),
        ({"comparator": "GE", "high": 1}, "GE needs its limit in low"),
        ({"comparator": "EQ", "high": 1}, "EQ needs a limit in low or nominal"),
        ({"comparator": "EQT", "low": 1}, "EQT needs a number in nominal"),
        ({"comparator": "REGEX", "low": 1}, "REGEX needs a pattern in nominal"),
        ({"comparator": "IN", "low": 1}, "IN needs a list in nominal"),
        ({"comparator": "CASESENSIT", "low": 1}, "CASESENSIT needs a text in nominal"),
        (
            {"comparator": "EQT", "nominal": 1.7e308, "tolerance": 1.7e308},
            "EQT needs a nominal and a tolerance whose sum fits a double",
        ),
    ],
)
def test_a_comparator_without_its_limit_is_an_error(fields: dict[str, Any], words: str) -> None:
    value = "x" if fields["comparator"] in {"REGEX", "CASESENSIT"} else 1
    one = by_message(value, **fields)
    assert (one.outcome, one.reason) == (Outcome.ERROR, words)


@pytest.mark.parametrize("comparator", ["GELE", "EQ", "EQT", "REGEX", "IN"])
def test_a_comparator_alone_is_no_limit(comparator: str) -> None:
    assert by_message(1, comparator=comparator).outcome is Outcome.UNJUDGED


def test_28300_ohm_is_within_28_kiloohm() -> None:
    rule = Rule("r", Comparator.GELE, low=28.0, high=28.4, unit="kOhm")
    assert by_rule(rule, 28_300, "Ohm").outcome is Outcome.PASS
    assert by_rule(rule, 28_400, "Ohm").outcome is Outcome.PASS
    high = by_rule(rule, 28_401, "Ohm")
    assert (high.outcome, high.reason) == (Outcome.FAIL, "28401 Ohm is above 28.4 kOhm")


def test_the_limits_shown_are_in_the_values_unit() -> None:
    rule = Rule("r", Comparator.GELE, low=28.0, high=28.4, unit="kOhm")
    one = by_rule(rule, 28_300, "Ohm")
    assert (one.low, one.high) == (28_000, 28_400)


def test_a_machine_that_sends_no_unit_is_taken_at_its_word() -> None:
    assert by_rule(Rule("r", Comparator.GE, low=80.0, unit="V"), 85.5).outcome is Outcome.PASS
    assert by_rule(Rule("r", Comparator.GE, low=80.0), 85.5, "V").outcome is Outcome.PASS


def test_a_value_that_does_not_fit_when_converted_is_an_error() -> None:
    one = by_rule(Rule("r", Comparator.GE, low=1.0, unit="pV"), 1e308, "V")
    assert one.outcome is Outcome.ERROR


@pytest.mark.parametrize(
    ("value", "fields", "words"),
    [
        (75, {"low": 80.0, "unit": "V"}, "75 V is below 80 V"),
        (1.0231e-07, {"low": 8e-08, "high": 1e-07}, "1.0231e-07 is above 1e-07"),
        (80, {"low": 80, "comparator": "GT"}, "80 is not above 80"),
        (79, {"low": 80, "comparator": "GT"}, "79 is below 80"),
        (80, {"low": 80, "comparator": "LT"}, "80 is not below 80"),
        (4, {"low": 2, "high": 4, "comparator": "GELT"}, "4 is not below 4"),
        (2, {"low": 2, "high": 4, "comparator": "GTLT"}, "2 is not above 2"),
        (3, {"low": 2, "high": 4, "comparator": "LTGT"}, "3 is not outside 2 to 4"),
        (3, {"low": 2, "comparator": "EQ"}, "3 is not 2"),
        (2, {"low": 2, "comparator": "NE"}, "2 is 2, which it must not be"),
        ("a", {"nominal": "b", "comparator": "EQ"}, "'a' is not 'b'"),
        (False, {"nominal": True, "comparator": "EQ"}, "false is not true"),
        ("a", {"nominal": "a", "comparator": "NE"}, "'a' is 'a', which it must not be"),
        ("a", {"nominal": "^b", "comparator": "REGEX"}, "'a' does not match '^b'"),
        (3, {"nominal": [1, 2], "comparator": "IN"}, "3 is none of 1, 2"),
        (9, {"nominal": list(range(8)), "comparator": "IN"}, "9 is none of 0, 1, 2, 3, 4, …"),
    ],
)
def test_a_fail_says_why_in_words(value: object, fields: dict[str, Any], words: str) -> None:
    one = by_message(value, **fields)
    assert (one.outcome, one.reason) == (Outcome.FAIL, words)


MARGINS: list[tuple[dict[str, Any], str, float, bool]] = [
    ({"low": 80.0}, "GE", 80.0, True),
    ({"low": 80.0}, "GE", 84.0, True),
    ({"low": 80.0}, "GE", 84.1, False),
    ({"low": -80.0}, "GE", -76.0, True),
    ({"high": 55.0}, "LE", 52.25, True),
    ({"high": 55.0}, "LE", 52.2, False),
    ({"low": 13.2, "high": 14.4}, "GELE", 13.26, True),
    ({"low": 13.2, "high": 14.4}, "GELE", 13.27, False),
    ({"low": 13.2, "high": 14.4}, "GELE", 14.34, True),
    ({"low": 13.2, "high": 14.4}, "GELE", 14.33, False),
    ({"low": 2.0, "high": 4.0}, "LTGT", 1.95, True),
    ({"low": 2.0, "high": 4.0}, "LTGT", 1.8, False),
    ({"low": 2.0, "high": 4.0}, "LTGT", 4.1, True),
    ({"low": 2.0, "high": 4.0}, "LTGT", 4.11, False),
    ({"nominal": 3.0, "tolerance": 1.0}, "EQT", 3.9, True),
    ({"nominal": 3.0, "tolerance": 1.0}, "EQT", 3.8, False),
]


@pytest.mark.parametrize(("limits", "comparator", "value", "is_marginal"), MARGINS)
def test_a_pass_close_to_a_limit_is_marginal(
    limits: dict[str, Any], comparator: str, value: float, *, is_marginal: bool
) -> None:
    one = by_rule(Rule("r", Comparator(comparator), marginal_percent=5.0, **limits), value)
    assert (one.outcome, one.marginal) == (Outcome.PASS, is_marginal)


def test_a_fail_is_not_marginal() -> None:
    rule = Rule("r", Comparator.GE, low=80.0, marginal_percent=5.0)
    assert by_rule(rule, 79.9).marginal is False
