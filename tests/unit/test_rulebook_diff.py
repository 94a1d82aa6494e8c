"""What differs between two rulebooks, in words."""

from hypothesis import given
from hypothesis import strategies as st

from broker.messages import Comparator
from service.core.rulebook_diff import compare_rulebooks
from service.core.rules import Rule

VCC = Rule("vcc", Comparator.GELE, test_step="vcc", low=4.75, high=5.25, unit="V")


def sentences(before: list[Rule], after: list[Rule]) -> list[str]:
    return [each.sentence for each in compare_rulebooks(before, after)]


def changed(**fields: object) -> Rule:
    return Rule(**{name: getattr(VCC, name) for name in SET} | fields)  # type: ignore[arg-type]


SET = ("id", "comparator", "test_step", "low", "high", "unit")


def test_every_field_that_changed_is_said_with_both_values() -> None:
    after = changed(low=4.9, high=None, required=True, comparator=Comparator.GE)
    (said,) = sentences([VCC], [after])
    assert said == (
        "rule 'vcc' changed: comparator 'GELE' → 'GE', low 4.75 → 4.9, high 5.25 → none,"
        " required no → yes"
    )


def test_what_is_only_in_one_of_them_is_said_with_what_it_sets() -> None:
    color = Rule("color", Comparator.IN, nominal=("red", 2.0))
    assert sentences([VCC], [color]) == [
        "rule 'vcc' removed: comparator 'GELE', test_step 'vcc', low 4.75, high 5.25, unit 'V'",
        "rule 'color' added: comparator 'IN', nominal ['red', 2]",
    ]


def test_another_order_is_no_difference() -> None:
    log = Rule("log", Comparator.LOG)
    assert sentences([VCC, log], [log, VCC]) == []


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_a_difference_too_small_to_see_is_still_said(one: float, other: float) -> None:
    said = sentences([changed(low=one)], [changed(low=other)])
    assert len(said) == (one != other)
    assert all(
        before != after for each in said for before, _, after in [each[24:].partition(" → ")]
    )
