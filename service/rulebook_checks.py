"""What a rule must be, so that it does what its writer expects. Pure: no I/O.

`service/rulebook.py` has read it from TOML; here each value is of its kind already.
"""

from typing import Final, NoReturn

from broker.errors import RulebookError
from broker.messages import Comparator
from service.core.expressions import compiled
from service.core.globs import read_glob
from service.core.numeric import BETWEEN, ONE_SIDED, OUTSIDE
from service.core.patterns import pattern_fault
from service.core.rules import SELECTORS, Rule

TOLERANCES: Final = ("tolerance", "tolerance_percent", "tolerance_ppm")
_BOUNDED: Final = frozenset({*BETWEEN, *OUTSIDE})
_IN_NOMINAL: Final = {
    Comparator.EQT: "a number",
    Comparator.REGEX: "a pattern",
    Comparator.IN: "a list",
    Comparator.CASESENSIT: "a text",
    Comparator.IGNORECASE: "a text",
}
_OF_TEXT: Final = frozenset({Comparator.REGEX, Comparator.CASESENSIT, Comparator.IGNORECASE})


class Complaint:
    """Raises the sentence about one rule."""

    def __init__(self, origin: str, name: str) -> None:
        self._where = f"{origin}, rule {name}"

    def __call__(self, what: str) -> NoReturn:
        """Raise it: `what` says what is wrong and what to do.

        Raises:
            RulebookError: Always.
        """
        raise RulebookError(f"{self._where}: {what}")


def check_rule(rule: Rule, complain: Complaint) -> None:
    """Complain about the first thing that is wrong with a rule.

    Raises:
        RulebookError: Something is.
    """
    _check_selectors(rule, complain)
    _check_limit(rule, complain)
    _check_expression(rule, complain)


def _check_selectors(rule: Rule, complain: Complaint) -> None:
    for name in SELECTORS:
        try:
            read_glob(getattr(rule, name))
        except ValueError as error:
            complain(f"{name} {getattr(rule, name)!r}: {error}.")
    if rule.required and not rule.globs()[0].is_exact:
        complain(
            f"required needs one exact test_step, not {rule.test_step!r}. Name the step, or leave"
            " required out. A [ in a name is written [[]."
        )


def _check_limit(rule: Rule, complain: Complaint) -> None:
    comparator = rule.comparator
    if comparator in _BOUNDED:
        _check_bounds(rule, complain)
    elif comparator in ONE_SIDED:
        _check_one_sided(rule, complain)
    elif comparator in {Comparator.EQ, Comparator.NE}:
        if (rule.low is None) is (rule.nominal is None) or isinstance(rule.nominal, tuple):
            complain(
                f"{comparator} needs one limit. Write a number in low, or anything in nominal."
            )
    elif wanted := _IN_NOMINAL.get(comparator):
        _check_nominal(rule, wanted, complain)
    _check_unused(rule, complain)


def _check_bounds(rule: Rule, complain: Complaint) -> None:
    if rule.low is None or rule.high is None:
        complain(f"{rule.comparator} needs low and high. Add the one that is missing.")
    if rule.low > rule.high:
        hint = "" if rule.comparator in OUTSIDE else ", or use comparator LTGT"
        complain(f"low {rule.low:g} is above high {rule.high:g}. Swap them{hint}.")


def _check_one_sided(rule: Rule, complain: Complaint) -> None:
    if rule.low is not None and rule.high is not None:
        complain(f"{rule.comparator} has one limit. Leave out high, or use comparator GELE.")
    takes_high = rule.comparator in {Comparator.LT, Comparator.LE}
    if rule.low is None and (rule.high is None or not takes_high):
        complain(f"{rule.comparator} needs its limit in low. Add it.")


def _check_nominal(rule: Rule, wanted: str, complain: Complaint) -> None:
    nominal = rule.nominal
    kinds = {"a number": float, "a list": tuple, "a pattern": str, "a text": str}
    if nominal is None or type(nominal) is not kinds[wanted]:
        complain(f"{rule.comparator} needs {wanted} in nominal. Write it there.")
    if rule.comparator is Comparator.REGEX:
        fault = pattern_fault(str(nominal))
        if fault:
            complain(f"nominal {nominal!r:.60} is not a pattern: {fault}. Correct it.")


def _check_unused(rule: Rule, complain: Complaint) -> None:
    """Refuse what the comparator would silently ignore: its writer expects something of it."""
    comparator = rule.comparator
    given = [name for name in TOLERANCES if getattr(rule, name) is not None]
    if comparator is Comparator.EQT and len(given) != 1:
        complain(f"EQT needs exactly one of {', '.join(TOLERANCES)}.")
    if comparator is not Comparator.EQT and given:
        complain(f"{given[0]} belongs to comparator EQT, not {comparator}. Leave out one of them.")
    has_span = comparator in _BOUNDED or comparator in ONE_SIDED or comparator is Comparator.EQT
    if rule.marginal_percent is not None and not has_span:
        complain(f"marginal_percent means nothing with comparator {comparator}. Leave it out.")
    if comparator in _IN_NOMINAL or comparator is Comparator.LOG:
        bound = next((name for name in ("low", "high") if getattr(rule, name) is not None), None)
        if bound:
            complain(f"{bound} means nothing with comparator {comparator}. Leave it out.")
    if comparator in {Comparator.EQ, Comparator.NE} and rule.high is not None:
        complain(f"high means nothing with comparator {comparator}. Leave it out.")


def _check_expression(rule: Rule, complain: Complaint) -> None:
    if rule.expression is None:
        if rule.units:
            complain("units belongs to expression. Write the limit's own unit in unit.")
        return
    try:
        reading = compiled(rule.expression).reading
    except ValueError as error:
        complain(f"expression: {error}.")
    if not rule.globs()[0].is_exact:
        complain(
            f"expression needs one exact test_step, not {rule.test_step!r}. Name the measurement"
            " that it makes."
        )
    if rule.required:
        complain("required means nothing with expression. Leave it out.")
    if rule.comparator in _OF_TEXT or isinstance(rule.nominal, str):
        complain("expression gives a number, true or false. Compare it with one of these.")
    unknown = [step for step, _ in rule.units if step not in reading.steps]
    if unknown and not reading.wants_every_step:
        complain(f"units names {unknown[0]!r}, which the expression does not. Leave it out.")
