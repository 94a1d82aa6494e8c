"""Expressions over all measurements of a run, worked out by CEL. Pure: no I/O.

`steps['v_in']` is a step's last value, `values['v_in']` the list of all of them. What may stand in
an expression, and why it cannot take long, is in expression_text.py.

Source: the Common Expression Language, https://github.com/google/cel-spec; the library is written
in Rust and knows no file, no network and no Python object beyond what it is given.
"""

import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from broker.messages import Value
from service.core.expression_text import (
    NONZERO,
    STEPS,
    VALUES,
    Reading,
    place,
    read_expression,
)
from service.core.numeric import is_number
from service.core.patterns import TEXT_CHARS_MAX
from service.core.records import AnyMeasurement
from service.core.units import conversion, round_digits
from service.core.words import quote, say, say_number, shorten

if TYPE_CHECKING:
    from cel import Program

_TOLD_MAX: Final = 5
_SYNTAX: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?([^\n]*)")
_INCOMPLETE: Final = re.compile(r"Incomplete `\w+`!")
_OF_FUNCTION: Final = re.compile(
    r"Python function call failed: \w+: (.*)\. Check function arguments", re.DOTALL
)
Units: TypeAlias = Sequence[tuple[str, str]]
"""(step, the unit of measure in which an expression wants its values)."""


class Evaluation(NamedTuple):
    """What came of an expression."""

    value: float | bool | None
    """Finite; None where there is a fault."""
    fault: str | None = None
    """Why there is no value, in words."""
    is_step_missing: bool = False
    """The fault is a step that the run does not have."""


class RunValues:
    """What was measured in one run, by test step, for any number of expressions."""

    def __init__(self, measurements: Sequence[AnyMeasurement]) -> None:
        self._by_step: dict[str, list[AnyMeasurement]] = {}
        for each in measurements:
            self._by_step.setdefault(each.test_step, []).append(each)

    def wanted_by(self, reading: Reading, units: Mapping[str, str]) -> dict[str, list[Value]]:
        """Return what an expression may ask for: the values of each step, in the run's order.

        Raises:
            _NoValueError: One does not convert to the unit that is wanted, or is too long.
        """
        steps = self._by_step if reading.wants_every_step else reading.steps
        return {
            step: [_as_wanted(each, units.get(step)) for each in self._by_step[step]]
            for step in steps
            if step in self._by_step
        }

    def told(self, reading: Reading, units: Mapping[str, str]) -> str:
        """Return the values of the steps that an expression names, for a sentence."""
        steps = [step for step in reading.steps if step in self._by_step]
        said = [
            f"{shorten(step)} {self._say(step, reading, units.get(step))}"
            for step in steps[:_TOLD_MAX]
        ]
        return ", ".join([*said, "…"] if len(steps) > _TOLD_MAX else said)

    def _say(self, step: str, reading: Reading, unit: str | None) -> str:
        every = self._by_step[step]
        said = [_say_value(each, unit) for each in every[-_TOLD_MAX:]]
        if not reading.wants_values or len(every) == 1:
            return said[-1]
        return f"[{'…, ' if len(every) > _TOLD_MAX else ''}{', '.join(said)}]"


class Expression:
    """One expression, compiled once and worked out for each run.

    Raises:
        ValueError: It is none; the words say what is wrong, and where.
    """

    __slots__ = ("_program", "reading")

    def __init__(self, text: str) -> None:
        self.reading = read_expression(text, check=_compile)
        self._program = _compile(self.reading.program)

    def evaluate(self, values: RunValues, units: Units = ()) -> Evaluation:
        """Work it out for one run. What a machine sent never raises.

        Args:
            values: What was measured, in the units it was sent in.
            units: Steps whose values are converted first.
        """
        try:
            return self._evaluate(values.wanted_by(self.reading, dict(units)))
        except KeyError as error:
            missing = f"no step {quote(str(error.args[0]))} in this run"
            return Evaluation(None, missing, is_step_missing=True)
        except _NoValueError as fault:
            return Evaluation(None, str(fault))
        except Exception as error:  # noqa: BLE001 - CEL raises many kinds; each means: no value
            return Evaluation(None, _say_fault(error))

    def told(self, values: RunValues, units: Units = ()) -> str:
        """Return the values that it was worked out from, for a sentence; empty if it names none."""
        return values.told(self.reading, dict(units))

    def _evaluate(self, wanted: Mapping[str, list[Value]]) -> Evaluation:
        context = _cel().Context({STEPS: {step: each[-1] for step, each in wanted.items()}})
        if self.reading.wants_values:
            context.add_variable(VALUES, wanted)
        for name in self.reading.functions:
            context.add_function(name, _FUNCTIONS[name])
        value = self._program.execute(context)
        if isinstance(value, bool):
            return Evaluation(value)
        if not is_number(value):
            raise _NoValueError("it gives neither a number nor true or false")
        if not math.isfinite(value):
            raise _NoValueError("it gives no finite number")
        return Evaluation(round_digits(value))


@lru_cache(maxsize=4_096)
def compiled(text: str) -> Expression:
    """Return the Expression of `text`, compiled once.

    Raises:
        ValueError: It is none; the words say what is wrong, and where.
    """
    return Expression(text)


class _NoValueError(Exception):
    """Why there is no value, in words that go into the result as they are."""


# -- CEL -----------------------------------------------------------------------------------------


@cache
def _cel() -> ModuleType:
    """Load the library, which takes a third of a second, when the first expression is met."""
    import cel  # noqa: PLC0415 - see above

    # It would log each error of our functions, for every run: they are told in the result.
    logging.getLogger("cel").setLevel(logging.CRITICAL)
    return cel


def _compile(text: str) -> "Program":
    try:
        program: Program = _cel().compile(text)
    except ValueError as error:
        raise ValueError(_say_syntax(text, str(error))) from error
    return program


def _say_syntax(text: str, words: str) -> str:
    found = _SYNTAX.search(words)
    if found is None or "Recursion limit" in words:
        return "it is nested too deeply"
    line, column, what = int(found[1]), int(found[2]), found[3].partition(" expecting ")[0]
    at = sum(len(each) + 1 for each in text.split("\n")[: line - 1]) + column - 1
    what = what.replace("mismatched input '<EOF>'", "it ends too early")
    what = _INCOMPLETE.sub("something incomplete", what.removesuffix(" at '<EOF>'"))
    return f"{what} at {place(text, at)}"


def _say_fault(error: Exception) -> str:
    """Return why there is no value: our own words, or the first sentence of CEL's."""
    words = str(error)
    of_function = _OF_FUNCTION.search(words)
    if of_function:
        return of_function[1]
    if words.startswith("No such overload"):
        return "its kinds of value do not go together"
    first = words.partition(". ")[0].partition("\n")[0].strip(" .")
    return first[:1].lower() + first[1:]


# -- values --------------------------------------------------------------------------------------


def _as_wanted(measurement: AnyMeasurement, unit: str | None) -> Value:
    value = measurement.measured_value
    if isinstance(value, str) and len(value) > TEXT_CHARS_MAX:
        step = quote(measurement.test_step)
        raise _NoValueError(
            f"step {step} is a text of {len(value):,} characters, which is too long"
        )
    if not is_number(value):
        return value
    if unit is None or measurement.unit is None:
        return float(value)
    factor = conversion(measurement.unit, unit)
    if factor is None:
        step = quote(measurement.test_step)
        raise ValueError(
            f"step {step}: {quote(measurement.unit)} does not convert to {quote(unit)}"
        )
    return factor.convert(value)


def _say_value(measurement: AnyMeasurement, unit: str | None) -> str:
    value = measurement.measured_value
    if not is_number(value):
        return say(value)
    factor = conversion(measurement.unit, unit) if unit else None
    return (
        say_number(value, measurement.unit)
        if factor is None
        else say_number(factor.convert(value), unit)
    )


# -- functions of ours ---------------------------------------------------------------------------


def _numbers(name: str, given: Sequence[object]) -> Iterator[float]:
    """Yield the numbers given one by one or in one list."""
    for each in given[0] if len(given) == 1 and isinstance(given[0], list) else given:
        if not is_number(each):
            raise TypeError(f"{name} takes numbers, not {_say_other(each)}")
        yield float(each)


def _say_other(value: object) -> str:
    return say(value) if value is None or isinstance(value, bool | str) else "a list"


def _of_one(name: str, function: Callable[[float], float]) -> Callable[..., float]:
    def call(*given: object) -> float:
        numbers = list(_numbers(name, given))
        if len(numbers) != 1:
            raise TypeError(f"{name} takes one number, not {len(numbers)}")
        try:
            return function(numbers[0])
        except (ValueError, ZeroDivisionError) as error:
            raise ValueError(f"{name} of {say_number(numbers[0])} is no number") from error

    return call


def _of_several(name: str, function: Callable[[list[float]], float]) -> Callable[..., float]:
    def call(*given: object) -> float:
        numbers = list(_numbers(name, given))
        if not numbers:
            raise TypeError(f"{name} of nothing is no number")
        return function(numbers)

    return call


def _nonzero(*given: object) -> object:
    """Return a divisor; CEL itself says what is wrong where it is no number."""
    if is_number(given[0]) and given[0] == 0:
        raise ZeroDivisionError("division by zero")
    return given[0]


_FUNCTIONS: Final[Mapping[str, Callable[..., object]]] = {
    "abs": _of_one("abs", abs),
    "sqrt": _of_one("sqrt", math.sqrt),
    "log10": _of_one("log10", math.log10),
    "min": _of_several("min", min),
    "max": _of_several("max", max),
    "mean": _of_several("mean", lambda numbers: math.fsum(numbers) / len(numbers)),
    NONZERO: _nonzero,
}
