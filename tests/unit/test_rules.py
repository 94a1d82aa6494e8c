import fnmatch
import itertools
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.messages import Comparator
from service.core import lookup
from service.core.globs import Glob
from service.core.lookup import NO_RULES, Rulebook
from service.core.rules import Rule, find_tie, specificity

KEY = ("MACH-01", "PROD-A", "FCT", "vcc")


def rule(name: str, **fields: object) -> Rule:
    values: dict[str, Any] = {"low": 1.0, **fields}
    return Rule(name, Comparator.GE, **values)


def found(*rules: Rule, key: tuple[str, str, str, str] = KEY) -> str | None:
    applies = Rulebook(1, rules).scope(*key[:3])[key[3]]
    return applies.id if applies else None


# -- globs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("glob", "text", "matches"),
    [
        ("*", "anything", True),
        ("**", "anything", True),
        ("vcc", "vcc", True),
        ("vcc", "VCC", False),
        ("vcc", "vcc1", False),
        ("vcc*", "vcc", True),
        ("*vcc", "a.vcc", True),
        ("v?c", "vcc", True),
        ("v?c", "vc", False),
        ("v[ac-e]x", "vdx", True),
        ("v[ac-e]x", "vbx", False),
        ("v[!ac]x", "vbx", True),
        ("v[!ac]x", "vax", False),
        ("v[]]x", "v]x", True),
        ("v[a-]x", "v-x", True),
        ("DSC-CP[[]C285].2", "DSC-CP[C285].2", True),
        ("DSC-CP[C285].2", "DSC-CP[C285].2", False),
        ("[unclosed", "[unclosed", True),
        ("a.b", "axb", False),
        ("a*b*c", "a1b2b3c", True),
        ("a*b*c", "a1b2b3d", False),
        ("*ab", "aab", True),
    ],
)
def test_a_glob_matches(glob: str, text: str, *, matches: bool) -> None:
    assert Glob(glob).matches(text) is matches


def test_a_bracket_in_brackets_is_exact() -> None:
    assert Glob("CP[[]1]").is_exact
    assert not Glob("CP[1]x?").is_exact


@pytest.mark.parametrize("text", ["", "[\x01-\uffff]", "[z-a]"])
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"selector|range"):
        Glob(text)


def test_a_glob_of_many_stars_takes_no_exponential_time() -> None:
    glob = Glob("*a" * 30 + "b")
    began = time.perf_counter()
    assert not glob.matches("a" * 128)
    assert time.perf_counter() - began < 1


GLOBS = st.text("ab*?", min_size=1, max_size=6) | st.sampled_from(
    ["[ab]*", "[!a]", "a[b]?", "[!b]*a"]
)
TEXTS = [
    "".join(each) for length in range(1, 7) for each in itertools.product("abc", repeat=length)
]


@settings(deadline=None)
@given(GLOBS, st.sampled_from(TEXTS))
def test_a_glob_matches_as_in_a_shell(glob: str, text: str) -> None:
    assert Glob(glob).matches(text) is fnmatch.fnmatchcase(text, glob)


@settings(max_examples=300, deadline=None)
@given(GLOBS, GLOBS)
def test_two_globs_meet_where_some_text_matches_both(one: str, other: str) -> None:
    left, right = Glob(one), Glob(other)
    share = any(left.matches(text) and right.matches(text) for text in ["", *TEXTS])
    if share:
        assert left.meets(right)
    elif left.meets(right):  # only a text longer than those tried
        assert len(one) + len(other) > 6


# -- the most specific rule ----------------------------------------------------------------------


def test_without_rules_none_applies() -> None:
    assert NO_RULES.scope(*KEY[:3])[KEY[3]] is None
    assert NO_RULES.version == 0


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        ({"test_step": "vcc"}, {"test_step": "vc*", "product": "PROD-A", "machine": "MACH-01"}),
        ({"test_step": "vc*"}, {"test_step": "*", "product": "PROD-A"}),
        ({"test_step": "vc?"}, {"test_step": "v*"}),
        ({"test_step": "v[a-d]c"}, {"test_step": "v*"}),
        ({"product": "PROD-A"}, {"product": "PROD-*", "procedure": "FCT", "machine": "MACH-01"}),
        ({"product": "PROD-*"}, {"procedure": "FCT"}),
        ({"procedure": "FCT"}, {"procedure": "F*", "machine": "MACH-01"}),
        ({"procedure": "F*"}, {"machine": "MACH-01"}),
        ({"machine": "MACH-01"}, {"machine": "MACH-*"}),
        ({"machine": "M*"}, {}),
    ],
)
def test_the_more_specific_rule_applies_in_whatever_order(
    winner: dict[str, str], loser: dict[str, str]
) -> None:
    one, other = rule("winner", **winner), rule("loser", **loser)
    assert specificity(one) > specificity(other)
    assert found(one, other) == found(other, one) == "winner"


@pytest.mark.parametrize(
    "selector",
    [{"test_step": "vdd"}, {"product": "prod-a"}, {"procedure": "F?"}, {"machine": "X*"}],
)
def test_a_rule_that_does_not_match_does_not_apply(selector: dict[str, str]) -> None:
    assert found(rule("other", **selector)) is None


SELECTOR = st.sampled_from(["*", "a", "b", "a*", "*b", "?", "ab", "[ab]*"])
RULE_FIELDS = st.fixed_dictionaries(
    {"test_step": SELECTOR, "product": SELECTOR, "procedure": SELECTOR, "machine": SELECTOR}
)


WORDS = ["a", "b", "ab", "c"]
EXACT = st.sampled_from(["a", "b", "[a]b"])


def any_fields() -> st.SearchStrategy[dict[str, Any]]:
    """Rules of every sort; required ones and those with an expression name one step."""
    named = st.tuples(RULE_FIELDS, EXACT).map(lambda two: {**two[0], "test_step": two[1]})
    required = named.map(lambda fields: {**fields, "required": True})
    expression = named.map(lambda fields: {**fields, "expression": "steps.a > 1"})
    return RULE_FIELDS | required | expression


def naive(rules: list[Rule], machine: str, product: str, procedure: str, step: str) -> Rule | None:
    """Match every rule and take the most specific one."""
    texts = {"machine": machine, "product": product, "procedure": procedure, "test_step": step}
    matching = [
        each
        for each in rules
        if all(fnmatch.fnmatchcase(text, getattr(each, name)) for name, text in texts.items())
    ]
    return max(matching, key=specificity, default=None)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(any_fields(), max_size=12),
    st.lists(st.tuples(*[st.sampled_from(WORDS)] * 3), max_size=6),
)
def test_the_lookup_finds_what_matching_every_rule_finds(
    fields: list[dict[str, Any]], scopes: list[tuple[str, str, str]]
) -> None:
    rules = [rule(f"r{index}", **each) for index, each in enumerate(fields)]
    while tie := find_tie(rules):
        rules.remove(tie[0])
    book = Rulebook(1, rules)
    for scope in scopes * 2:  # the second time from memory
        best = {step: naive(rules, *scope, step) for step in sorted(WORDS)}
        for step, applies in best.items():
            is_of_machine = applies is not None and applies.expression is None
            assert book.scope(*scope)[step] is (applies if is_of_machine else None)
        found = [each for each in best.values() if each is not None]
        assert book.scope(*scope).expressions == tuple(each for each in found if each.expression)
        assert set(book.scope(*scope).required) == {each for each in found if each.required}


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "_KEYS_MAX", 100)
    book = Rulebook(1, [rule("even", test_step="*2")])
    for number in range(1_000):
        applies = book.scope("M", "P", "Q")[f"s{number}"]
        assert (applies is not None) is (number % 10 == 2)
    assert sum(len(scope) for scope in book._shared.values()) <= 101


def test_machines_under_the_same_rules_share_one_memory() -> None:
    book = Rulebook(1, [rule("all")])
    scopes = {id(book.scope(f"M{number}", "P", "Q")) for number in range(1_000)}
    assert len(scopes) == 1


# -- ties ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "is_tie"),
    [
        ({}, {}, True),
        ({"test_step": "vcc"}, {"test_step": "vcc"}, True),
        ({"test_step": "vcc"}, {"test_step": "vdd"}, False),
        ({"test_step": "vcc"}, {"test_step": "vc[c]"}, True),  # the same, written in another way
        ({"test_step": "v*"}, {"test_step": "*c"}, True),
        ({"test_step": "v*"}, {"test_step": "c*"}, False),
        ({"test_step": "*v"}, {"test_step": "*c"}, False),
        ({"test_step": "va*"}, {"test_step": "v*"}, False),  # not equally specific
        ({"test_step": "v[ab]*"}, {"test_step": "v[bc]*"}, True),
        ({"test_step": "v[ab]*"}, {"test_step": "v[cd]*"}, False),
        ({"test_step": "v?"}, {"test_step": "v??"}, False),
        ({"test_step": "v*", "product": "P"}, {"test_step": "*c", "product": "Q"}, False),
        ({"test_step": "v*", "product": "P*"}, {"test_step": "*c", "product": "*Q"}, True),
        ({"product": "P"}, {"procedure": "FCT"}, False),
        ({"machine": "M-?1"}, {"machine": "M-1?"}, True),
        ({"machine": "M-?1"}, {"machine": "M-?2"}, False),
        ({"test_step": "a*z", "product": "P?"}, {"test_step": "a*z", "product": "P[1-3]"}, True),
    ],
)
def test_two_rules_tie_where_neither_is_more_specific(
    one: dict[str, str], other: dict[str, str], *, is_tie: bool
) -> None:
    rules = [rule("far", test_step="elsewhere"), rule("one", **one), rule("other", **other)]
    tie = find_tie(rules)
    assert (tie is not None) is is_tie
    assert tie is None or {each.id for each in tie} == {"one", "other"}


@settings(max_examples=300, deadline=None)
@given(st.lists(RULE_FIELDS, min_size=2, max_size=6))
def test_a_tie_is_found_where_comparing_every_pair_finds_one(fields: dict[str, Any]) -> None:
    rules = [rule(f"r{index}", **each) for index, each in enumerate(fields)]
    ties = [
        {one.id, other.id}
        for one, other in itertools.combinations(rules, 2)
        if specificity(one) == specificity(other)
        and all(left.meets(right) for left, right in zip(one.globs(), other.globs(), strict=True))
    ]
    tie = find_tie(rules)
    assert (tie is not None) is bool(ties)
    assert tie is None or {each.id for each in tie} in ties


EXPRESSION = {"test_step": "ratio", "expression": "steps.a > 1"}


@pytest.mark.parametrize(
    ("one", "other", "is_tie"),
    [
        (EXPRESSION, EXPRESSION, True),
        (EXPRESSION, {**EXPRESSION, "expression": "steps.b > 1"}, True),
        (EXPRESSION, {"test_step": "ratio"}, True),
        (EXPRESSION, {**EXPRESSION, "test_step": "other"}, False),
        (EXPRESSION, {**EXPRESSION, "product": "PROD-A"}, False),
        (EXPRESSION, {"test_step": "r*"}, False),
    ],
)
def test_two_rules_that_make_or_judge_one_name_in_one_scope_tie(
    one: dict[str, str], other: dict[str, str], *, is_tie: bool
) -> None:
    assert (find_tie([rule("one", **one), rule("other", **other)]) is not None) is is_tie


# -- what an expression makes ----------------------------------------------------------------------


def test_a_more_specific_rule_stands_in_for_an_expression() -> None:
    book = Rulebook(
        1,
        [
            rule("all", **EXPRESSION),
            rule("here", **{**EXPRESSION, "product": "PROD-A"}),
            rule("sent", test_step="ratio", product="PROD-B"),
        ],
    )
    scopes = {product: book.scope("M", product, "FCT") for product in ("PROD-A", "PROD-B", "X")}
    assert [[each.id for each in scope.expressions] for scope in scopes.values()] == [
        ["here"],
        [],
        ["all"],
    ]
    assert [scope["ratio"] is None for scope in scopes.values()] == [True, False, True]


# -- required ------------------------------------------------------------------------------------


def test_required_rules_are_those_of_the_product_procedure_and_machine() -> None:
    book = Rulebook(
        1,
        [
            rule("a", test_step="a", product="PROD-*", required=True),
            rule("b", test_step="b", procedure="FCT", required=True),
            rule("c", test_step="c"),
            rule("d", test_step="d", machine="OTHER", required=True),
        ],
    )
    assert {each.id for each in book.scope(*KEY[:3]).required} == {"a", "b"}
    assert {each.id for each in book.scope("M", "X", "ICT").required} == set()


def test_a_more_specific_rule_that_is_not_required_lifts_the_requirement() -> None:
    book = Rulebook(
        1,
        [
            rule("all", test_step="a", required=True),
            rule("not here", test_step="a", product="PROD-A"),
        ],
    )
    assert book.scope("M", "PROD-A", "FCT").required == ()
    assert [each.id for each in book.scope("M", "PROD-B", "FCT").required] == ["all"]
