"""Which rule would judge, and why not another one."""

from hypothesis import given
from hypothesis import strategies as st

from broker.messages import Comparator
from service.core.contest import Place, describe_specificity, explain, find_contest
from service.core.lookup import Rulebook
from service.core.rules import Rule, find_tie

VCC = Place("vcc", "PCB-7", "FCT", "FCT-12")


def rule(rule_id: str, **selectors: str) -> Rule:
    return Rule(rule_id, Comparator.LOG, **selectors)


ANY = rule("any")
STEP = rule("step", test_step="vcc")
GLOB = rule("glob", test_step="v*")
PRODUCT = rule("product", test_step="vcc", product="PCB-*")
ELSEWHERE = rule("elsewhere", test_step="vcc", machine="FCT-13")


def test_the_most_specific_rule_wins_and_the_others_follow_in_their_order() -> None:
    found = find_contest([ANY, STEP, GLOB, ELSEWHERE, PRODUCT], VCC)
    assert found.winner is PRODUCT
    assert [each.rule for each in found.competitors] == [STEP, GLOB, ANY]


def test_a_reason_names_the_selector_that_decides() -> None:
    assert explain(PRODUCT, STEP) == (
        "'product' beats 'step' by its product: 'PCB-*' is a pattern with 4 literal characters,"
        " '*' is any text."
    )
    assert explain(STEP, GLOB) == (
        "'step' beats 'glob' by its test_step: 'vcc' is an exact text,"
        " 'v*' is a pattern with 1 literal character."
    )
    assert describe_specificity(GLOB) == (
        "test_step: a pattern with 1 literal character, product: any text, procedure: any text,"
        " machine: any text"
    )


def test_where_no_rule_applies_nobody_wins() -> None:
    assert find_contest([ELSEWHERE], VCC) == (None, ())


texts = st.sampled_from(["*", "a", "b", "a*", "*b", "ab"])
places = st.builds(Place, *[st.sampled_from(["a", "b", "ab", "abb", "x"])] * 4)


@given(st.lists(st.tuples(texts, texts, texts, texts), max_size=6), places)
def test_the_winner_is_the_rule_that_judges(
    selectors: list[tuple[str, str, str, str]], place: Place
) -> None:
    names = ("test_step", "product", "procedure", "machine")
    rules = [
        rule(f"r{at}", **dict(zip(names, each, strict=True))) for at, each in enumerate(selectors)
    ]
    if find_tie(rules) is not None:
        return
    book = Rulebook(1, rules)
    judges = book.scope(place.machine_id, place.product_id, place.procedure)[place.test_step]
    assert find_contest(rules, place).winner is judges
