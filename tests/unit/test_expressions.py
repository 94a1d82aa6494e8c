"""Expressions: what they may hold, what comes of them, and that they end."""

import logging
import math
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.expressions import Evaluation, Expression, compiled
from tests.support.laws import check_expression
from tests.support.measured import MEASURED_RUN as RUN
from tests.support.measured import WORDS, values


def evaluate(text: str, **units: str) -> Evaluation:
    return compiled(text).evaluate(RUN, tuple(units.items()))


def fault_at_load(text: str) -> str:
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        compiled(text)
    return str(caught.value)


# -- what comes of them ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("steps['v_in']", 12.0),
        ("steps.v_in", 12.0),
        ('steps["a b.c"] + 1', 6.0),
        ("steps['v_in'] * 2 - 4 / 8", 23.5),
        ("2*steps.v_in", 24.0),
        ("-steps.v_in / -2", 6.0),
        ("steps.v_in / 2 / 3", 2.0),
        ("steps.v_in / (1 + 2)", 4.0),
        ("steps.v_in / abs(-3)", 4.0),
        ("steps.v_in / values['led'][1]", 3.0),
        ("1.1 * 3 + 0 * steps.zero", 3.3),
        ("steps.v_in > 10", True),
        ("steps.v_in == 12 && !(steps.v_in != 12)", True),
        ("steps.v_in in [11, 12]", True),
        ("steps.ok", True),
        ("!steps.ok || steps.v_in < 1", False),
        ("steps.ok ? steps.v_in : 0", 12.0),
        ("steps.fw == '2.4.1' && steps.fw.startsWith('2.') && steps.fw.contains('4')", True),
        ("steps.fw.endsWith('.0')", False),
        ("steps.lost == null", True),
        ("'v_in' in steps", True),
        ("'x' in steps", False),
        ("!('x' in steps) || steps.x > 1", True),
        ("'v_' + 'in' in steps", True),
        ("has(steps.v_in) && !has(steps.x)", True),
        ("size(steps)", 8.0),
        ("size(values['led']) / 2", 1.5),
        ("values['led'][0]", 1.0),
        ("steps.led", 2.0),
        ("values['led'].all(one, one > 0)", True),
        ("values['led'].exists(one, one > 4)", False),
        ("values['led'].exists_one(one, one > 3)", True),
        ("max(values['led']) - min(values['led'])", 3.0),
        ("max(steps.v_in, steps.zero, 13)", 13.0),
        ("mean(values['led'])", 7 / 3),
        ("sqrt(steps.v_in * 3)", 6.0),
        ("20 * log10(steps.v_in / 1.2)", 20.0),
        ("steps.all(step, !step.startsWith('v_') || steps[step] > 10)", True),
        ("steps['v_in'] // the supply\n > 1", True),
        ("steps['zero'] == 0 || 1 / steps['zero'] > 5", True),
        ("steps['it\\'s'] > 1 || steps.v_in > 1", True),
    ],
)
def test_an_expression_has_a_value(text: str, value: object) -> None:
    found = evaluate(text)
    assert found.fault is None
    if isinstance(value, float):
        assert found.value == pytest.approx(value, rel=1e-14)
    assert type(found.value) is type(value)
    assert isinstance(value, float) or found.value is value


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("steps['x'] > 1", "no step 'x' in this run"),
        ("steps.x > 1", "no step 'x' in this run"),
        ("values['x'][0] > 1", "no step 'x' in this run"),
        ("steps['x y'] > 1 && steps.v_in > 1", "no step 'x y' in this run"),
        ("values['led'][3]", "index out of bounds: 3"),
        ("1 / steps.zero", "division by zero"),
        ("1 / steps.zero > 5", "division by zero"),
        ("steps.zero / steps.zero > 5", "division by zero"),
        ("steps.v_in / (steps.v_in - 12) > 5", "division by zero"),
        ("values['led'].all(one, 1 / (one - 1) > 0)", "division by zero"),
        ("1e308 * steps.v_in", "it gives no finite number"),
        ("1e308 * steps.v_in - 1e308 * steps.v_in", "it gives no finite number"),
        ("steps.lost + 1", "unsupported operation: null + float"),
        ("steps.lost > 1", "its kinds of value do not go together"),
        ("steps.fw > 1", "its kinds of value do not go together"),
        ("steps.fw * 2", "unsupported operation: string * float"),
        ("steps.ok + 1", "unsupported operation: bool + float"),
        ("steps.v_in && true", "its kinds of value do not go together"),
        ("steps.v_in ? 1 : 2", "its kinds of value do not go together"),
        ("steps.fw", "it gives neither a number nor true or false"),
        ("steps.lost", "it gives neither a number nor true or false"),
        ("values['led']", "it gives neither a number nor true or false"),
        ("[steps.v_in]", "it gives neither a number nor true or false"),
        ("abs(steps.fw)", "abs takes numbers, not '2.4.1'"),
        ("abs(steps.ok)", "abs takes numbers, not true"),
        ("abs(steps.v_in, 1)", "abs takes one number, not 2"),
        ("max(steps.lost, 1)", "max takes numbers, not no value"),
        ("max(values['led'], 1)", "max takes numbers, not a list"),
        ("min([]) + steps.v_in", "min of nothing is no number"),
        ("sqrt(steps.v_in - 13)", "sqrt of -1 is no number"),
        ("log10(steps.zero)", "log10 of 0 is no number"),
    ],
)
def test_where_there_is_no_value_the_fault_says_why(text: str, fault: str) -> None:
    found = evaluate(text)
    assert found.value is None
    assert found.fault is not None
    assert found.fault.startswith(fault)
    assert found.is_step_missing is fault.startswith("no step")
    assert "\n" not in found.fault
    assert len(found.fault) < 120


def test_the_library_logs_no_fault_of_every_run(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert evaluate("1 / steps.zero").fault
    assert caplog.records == []


# -- units -----------------------------------------------------------------------------------------


def test_values_are_in_the_units_they_were_sent_in_unless_others_are_wanted() -> None:
    ratio = "steps['v_out'] / steps['v_in']"
    assert evaluate(ratio).value == 750.0
    assert evaluate(ratio, v_out="V", v_in="V").value == 0.75
    assert evaluate(ratio, v_out="V", v_in="mV").value == 0.00075


def test_every_value_of_a_step_is_converted() -> None:
    assert evaluate("max(values['led'])", led="mlm").value == 4_000.0


def test_a_value_without_a_unit_is_taken_at_its_word() -> None:
    assert evaluate("steps['a b.c']", **{"a b.c": "V"}).value == 5.0
    assert evaluate("steps.fw == '2.4.1'", fw="V").value is True


def test_what_does_not_convert_has_no_value() -> None:
    assert evaluate("steps.v_in", v_in="A").fault == "step 'v_in': 'V' does not convert to 'A'"


# -- a sentence ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "units", "told"),
    [
        ("steps.v_out / steps.v_in", {"v_out": "V"}, "v_out 9 V, v_in 12 V"),
        (
            "steps.fw == 'x' || steps.lost == 1 || steps.ok",
            {},
            "fw '2.4.1', lost no value, ok true",
        ),
        ("size(values['led']) > steps.x", {}, "led [1 lm, 4 lm, 2 lm]"),
        ("steps.led > 1", {}, "led 2 lm"),
        ("size(steps) > 1", {}, ""),
        (
            "steps.v_in + steps.v_out + steps.zero + steps.led + steps['a b.c'] + steps.ok",
            {},
            "v_in 12 V, v_out 9000 mV, zero 0 V, led 2 lm, a b.c 5, …",
        ),
    ],
)
def test_the_steps_that_it_names_are_told(text: str, units: dict[str, str], told: str) -> None:
    assert compiled(text).told(RUN, tuple(units.items())) == told


# -- what they may hold ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "it ends too early at character 1"),
        ("steps['v_in'] >", "it ends too early at character 16"),
        ("(steps.a > 1", "missing ')' at character 13"),
        ("steps.a steps.b", "mismatched input 'steps' at character 9"),
        ("steps.a >\n  1 2", "extraneous input '2' at line 2, character 5"),
        ("steps['a", "the text at character 7 does not end on its line"),
        ("steps.a % 2", "'%' at character 9 is not used in expressions"),
        ("steps.a > {'a': 1}", "'{' at character 11 is not used in expressions"),
        ("foo > steps.a", "'foo' at character 1 is not known. Use one of steps, values"),
        ("step['a'] > 1", "'step' at character 1 is not known. Use one of steps, values"),
        ("fabs(steps.a)", "'fabs' at character 1 is not known. Use one of abs, min"),
        ("nonzero(steps.a)", "'nonzero' at character 1 is not known."),
        ("steps.a > 2u", "'u' at character 12 is not known."),
        ("steps.a == r'x'", "'r' at character 12 is not known."),
        ("steps.a.b", "'b' at character 9 is no member. Write a step's name as steps['a.b']"),
        ("steps['a'].matches('b')", "'matches' at character 12 is not known. Use one of all"),
        ("steps.map(k, k)", "'map' at character 7 is not known. Use one of all"),
        ("steps.all(k, true) && k > 1", "'k' at character 23 is not known."),
        ("steps.all(k, steps.all(j, true))", "'all' at character 20 is a loop within a loop"),
        ("steps.all(steps, true)", "'steps' at character 11 is taken."),
        ("values.a.all(x, x in values.a)", "'values' at character 22 cannot be used within a loop"),
        ("steps == steps", "'steps' at character 1 lacks a step. Write steps['v_in']"),
        ("!'a' in steps", "'!' at character 1 is before a text. Write !('x' in steps)"),
        ("1 < 2", "it looks at no step."),
        ("steps.a > 1e999", "invalid double literal at character 11"),
        ("steps.a > 1" + "0" * 400, "invalid int literal at character 11"),
        ("steps.all(k)", "'all' at character 7 takes a name and a condition"),
        ("steps.all(k, v, max(1, 2) > 1)", "'all' at character 7 takes a name and a condition"),
        ("steps.a[", "something incomplete at character 1"),
        (" || ".join(["steps.all(k, true)"] * 5), "'all' at character 95 is one too many"),
        ("steps.a > 1 || " * 70 + "true", "it has more than 1,000 characters"),
        ("(" * 300 + "steps.a" + ")" * 300, "it is nested too deeply"),
    ],
)
def test_a_fault_in_the_text_says_what_and_where(text: str, fault: str) -> None:
    assert fault_at_load(text).startswith(fault)


# -- they end, and never raise ---------------------------------------------------------------------


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(WORDS.split()), max_size=25).map(" ".join) | st.text(max_size=40))
def test_any_text_is_refused_or_evaluated(text: str) -> None:
    check_expression(text)


NUMBERS = st.floats(-1e6, 1e6).map(lambda number: round(number, 3))
LEAVES = NUMBERS.map(repr) | st.sampled_from(["steps.a", "steps['b']", "7", "abs(-2)"])
SUMS = st.recursive(
    LEAVES,
    lambda inner: (
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(
            lambda three: f"({three[0]} {three[1]} {three[2]})"
        )
        | inner.map(lambda one: f"-{one}" if not one.startswith("-") else one)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(SUMS, NUMBERS, NUMBERS)
def test_arithmetic_is_that_of_python(text: str, a: float, b: float) -> None:
    run = values(("a", a, None), ("b", b, None))
    found = Expression(f"{text} + 0 * steps.a").evaluate(run)
    python = text.replace("steps.a", f"({a!r})").replace("steps['b']", f"({b!r})")
    try:
        expected = eval(python)
    except ZeroDivisionError:
        assert found.fault == "division by zero"
    else:
        if math.isfinite(expected):
            assert found.value == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_the_worst_expression_over_the_largest_run_ends_in_seconds() -> None:
    loop = "steps.all(k, steps[k]/2>-1" + " && abs(steps[k])/3+size(k)>-1" * 6 + ")"
    text = " && ".join([loop] * 4)
    assert 800 < len(text) <= 1_000
    largest = values(*((f"s{number}", float(number), "V") for number in range(5_000)))
    began = time.perf_counter()
    assert compiled(text).evaluate(largest).value is True
    assert time.perf_counter() - began < 10  # half a second here


def test_a_step_that_is_too_long_a_text_has_no_value() -> None:
    found = compiled("steps.fw == 'x'").evaluate(values(("fw", "y" * 5_000, None)))
    assert found.fault == "step 'fw' is a text of 5,000 characters, which is too long"


def test_what_one_thread_compiles_another_evaluates() -> None:
    made: list[Expression] = []
    thread = threading.Thread(target=lambda: made.append(Expression("abs(steps.v_in) > 1")))
    thread.start()
    thread.join()
    assert made[0].evaluate(RUN).value is True


def test_the_library_is_not_loaded_before_the_first_expression() -> None:
    code = (
        "import sys, service.core.judge, service.rulebook as r;"
        "r.parse_rulebook(open('rules.toml').read(), 'rules.toml');"
        "assert 'cel' not in sys.modules;"
        'r.parse_rulebook(\'[[rule]]\\nid="e"\\ntest_step="x"\\nexpression="steps.a > 1"\', \'\');'
        "assert 'cel' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
