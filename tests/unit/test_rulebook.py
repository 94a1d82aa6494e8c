import math
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.errors import RulebookError
from broker.messages import Comparator, Severity
from service.core.lookup import Rulebook
from service.core.rules import Rule, find_tie
from service.rulebook import parse_rulebook
from tests.support.rulebook_text import format_rulebook

SAMPLE = Path(__file__).parents[2] / "rules.toml"


def read(body: str) -> Rule:
    (one,) = parse_rulebook(f'[[rule]]\nid = "r"\n{body}', "rules.toml")
    return one


def complaint(text: str) -> str:
    with pytest.raises(RulebookError) as caught:
        parse_rulebook(text, "rules.toml")
    return str(caught.value)


def test_what_is_left_out_has_its_default() -> None:
    assert read("low = 80") == Rule("r", Comparator.GE, low=80.0)


@pytest.mark.parametrize(
    ("body", "comparator"),
    [
        ("low = 1\nhigh = 2", "GELE"),
        ("low = 1", "GE"),
        ("high = 2", "LE"),
        ('low = 1\nhigh = 2\ncomparator = "GTLT"', "GTLT"),
        ('high = 2\ncomparator = "LT"', "LT"),
        ('nominal = ["a", 1, true]\ncomparator = "IN"', "IN"),
        ('nominal = 5\ntolerance_ppm = 20\ncomparator = "EQT"', "EQT"),
        ('comparator = "LOG"', "LOG"),
    ],
)
def test_a_rule_has_the_comparator_that_its_limits_mean(body: str, comparator: str) -> None:
    assert read(body).comparator == comparator


@pytest.mark.parametrize(
    ("body", "comparator", "limits"),
    [
        ("", "EQ", {"nominal": True}),
        ("nominal = false\ncomparator = 'EQ'", "EQ", {"nominal": False}),
        ("low = 0.9", "GE", {"low": 0.9}),
        ("low = 0.9\nhigh = 1.1", "GELE", {"low": 0.9, "high": 1.1}),
        ("comparator = 'LOG'", "LOG", {}),
    ],
)
def test_an_expression_without_a_limit_has_to_be_true(
    body: str, comparator: str, limits: dict[str, Any]
) -> None:
    found = read(f'test_step = "ratio"\nexpression = "steps.a > 1"\n{body}')
    expected = Rule(
        "r", Comparator(comparator), test_step="ratio", expression="steps.a > 1", **limits
    )
    assert found == expected


def test_the_units_of_an_expression_have_no_order() -> None:
    rule = 'test_step = "x"\nexpression = "steps.a > steps.b"\nunits = '
    one, other = read(rule + '{ b = "mV", a = "V" }'), read(rule + '{ a = "V", b = "mV" }')
    assert one == other
    assert one.units == (("a", "V"), ("b", "mV"))


FAULTS = [
    ("low = 5.25\nhigh = 4.75", "low 5.25 is above high 4.75. Swap them, or use comparator LTGT."),
    ('low = 5\nhigh = 4\ncomparator = "LTGT"', "low 5 is above high 4. Swap them."),
    ("", "has no limit. Give it low, high or both, or comparator LOG."),
    ("nominal = 5", "nominal needs a comparator."),
    ("lo = 5", "'lo' is not known. Did you mean low?"),
    ("hgih = 5", "'hgih' is not known. Did you mean high?"),
    ("zzz = 5", "'zzz' is not known. Use one of id, test_step"),
    ('low = "5"', "low '5' is not a number. Write it without quotes."),
    ("low = true", "low True is not a number."),
    ("low = inf", "low is not finite."),
    ("low = nan", "low is not finite."),
    (f"low = 1{'0' * 400}", "low is not finite."),
    ("low = 1\nmarginal_percent = -5", "marginal_percent -5 is negative."),
    ('low = 1\ncomparator = "GEE"', "comparator 'GEE' is none of EQ, NE"),
    ('low = 1\nseverity = "fatal"', "severity 'fatal' is none of critical, major, minor."),
    ('low = 1\nseverity = "Minor"', "Did you mean minor?"),
    ("low = 1\nrequired = 1", "required is 1. Write true or false."),
    ('low = 1\ntest_step = ""', "test_step '' is not a text of 1 to 128 characters."),
    ("low = 1\ntest_step = 5", "test_step 5 is not a text"),
    ('low = 1\nunit = "V\\u0007"', "holds a control character."),
    ('low = 1\ntest_step = "[z-a]"', "test_step '[z-a]': [z-a] is not a range"),
    ("low = 1\nrequired = true", "required needs one exact test_step, not '*'."),
    ('low = 1\nrequired = true\ntest_step = "v*"', "required needs one exact test_step"),
    ('low = 1\ncomparator = "GELE"', "GELE needs low and high."),
    ('high = 1\ncomparator = "LTGT"', "LTGT needs low and high."),
    ('high = 1\ncomparator = "GE"', "GE needs its limit in low."),
    ('comparator = "LE"', "LE needs its limit in low."),
    ('low = 1\nhigh = 2\ncomparator = "GE"', "GE has one limit. Leave out high"),
    ('comparator = "EQ"', "EQ needs one limit."),
    ('low = 1\nnominal = 2\ncomparator = "EQ"', "EQ needs one limit."),
    ('low = 1\nhigh = 2\ncomparator = "EQ"', "high means nothing with comparator EQ."),
    ('nominal = [1]\ncomparator = "NE"', "NE needs one limit."),
    ('comparator = "EQT"\ntolerance = 1', "EQT needs a number in nominal."),
    ('comparator = "EQT"\nnominal = 1', "EQT needs exactly one of tolerance"),
    ('comparator = "EQT"\nnominal = 1\ntolerance = 1\ntolerance_ppm = 1', "exactly one of"),
    ("low = 1\ntolerance = 1", "tolerance belongs to comparator EQT, not GE."),
    ('comparator = "REGEX"', "REGEX needs a pattern in nominal."),
    ('comparator = "REGEX"\nnominal = "("', "nominal '(' is not a pattern: unclosed group."),
    ('comparator = "REGEX"\nnominal = "(?=a)"', "is not a pattern: look-around"),
    ('comparator = "REGEX"\nnominal = "a"\nlow = 1', "low means nothing with comparator REGEX."),
    ('comparator = "IN"\nnominal = "a"', "IN needs a list in nominal."),
    ('comparator = "IN"\nnominal = []', "nominal is an empty list."),
    ('comparator = "IN"\nnominal = [[1]]', "nominal [1] is not a number, text, boolean"),
    ('comparator = "EQ"\nnominal = 2026-01-01', "is not a number, text, boolean"),
    ('comparator = "CASESENSIT"\nnominal = 7', "CASESENSIT needs a text in nominal."),
    ('comparator = "LOG"\nmarginal_percent = 5', "marginal_percent means nothing"),
    ('comparator = "LOG"\nlow = 5', "low means nothing with comparator LOG."),
    ('units = { a = "V" }\nlow = 1', "units belongs to expression."),
    *[
        (f'test_step = "x"\n{body}', words)
        for body, words in [
            ("expression = 5", "expression 5 is not a text. Write it in quotes."),
            ('expression = ""', "expression: it ends too early at character 1."),
            ('expression = "steps.a >"', "expression: it ends too early at character 10."),
            ('expression = "fabs(steps.a)"', "expression: 'fabs' at character 1 is not known."),
            (f'expression = "{"steps.a > 1 || " * 70}true"', "more than 1,000 characters."),
            ('expression = "steps.a"\nhigh = "1"', "high '1' is not a number."),
            ('expression = "steps.a"\nrequired = true', "required means nothing with expression."),
            (
                'expression = "steps.a"\ncomparator = "REGEX"\nnominal = "x"',
                "expression gives a number, true or false.",
            ),
            (
                'expression = "steps.a"\ncomparator = "EQ"\nnominal = "x"',
                "expression gives a number, true or false.",
            ),
            ('expression = "steps.a"\nunits = "V"', "units 'V' is no table. Write { v_in = 'V' }"),
            ('expression = "steps.a"\nunits = {}', "units {} is no table."),
            ('expression = "steps.a"\nunits = { a = 1 }', "units, 'a': 1 is not a text of 1"),
            (
                'expression = "steps.a"\nunits = { b = "V" }',
                "units names 'b', which the expression does not. Leave it out.",
            ),
        ]
    ],
    ('expression = "steps.a > 1"', "expression needs one exact test_step, not '*'."),
    ('expression = "steps.a > 1"\ntest_step = "r*"', "exact test_step, not 'r*'."),
]


@pytest.mark.parametrize(("body", "words"), FAULTS)
def test_a_fault_names_the_file_the_rule_and_what_to_do(body: str, words: str) -> None:
    sentence = complaint(f'[[rule]]\nid = "vcc"\n{body}')
    assert sentence.startswith("rules.toml, rule 'vcc': ")
    assert words in sentence
    assert sentence.endswith((".", "?"))
    assert len(sentence) < 400


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[rule]\n", "rules.toml is not TOML: "),
        ("x = " + "[" * 10_000, "rules.toml is not TOML: "),
        ("x = " + "1" * 5_000, "rules.toml is not TOML: "),
        ("a." * 50_000 + "b = 1", "rules.toml: more than 20 names hang together by dots."),
        ("[" + '"\\"" . ' * 50_000 + "b]", "rules.toml: more than 20 names hang together"),
        ("a." * 20 + "b = 1", "rules.toml: more than 20 names hang together by dots."),
        ("a." * 19 + "b = 1", "rules.toml: 'a' is not known. Write each rule below [[rule]]."),
        ("rules = 1", "rules.toml: 'rules' is not known. Write each rule below [[rule]]."),
        ("[rule]\nid = 'a'", "rules.toml: rule is no list of tables."),
        ("rule = [1]", "rules.toml: rule is no list of tables."),
        ("[[rule]]\nlow = 1", "rules.toml, rule no. 1: id is missing."),
        ("[[rule]]\nid = 7\nlow = 1", "rules.toml, rule no. 1: id 7 is not a text"),
        (
            "[[rule]]\nid='a'\ntest_step='x'\nlow=1\n[[rule]]\nid='a'\nlow=1",
            "rules.toml, rule 'a': the id stands twice.",
        ),
        (
            "[[rule]]\nid='a'\ntest_step='v*'\nlow=1\n[[rule]]\nid='b'\ntest_step='*c'\nlow=1",
            "rules.toml, rule 'a': ties with rule 'b'",
        ),
    ],
)
def test_a_fault_of_the_whole_names_the_file(text: str, words: str) -> None:
    assert complaint(text).startswith(words)


def test_a_value_may_hold_as_many_dots_as_it_likes() -> None:
    numbers = ", ".join(["0.1"] * 500)
    (rule,) = parse_rulebook(f"[[rule]]\nid='a'\ncomparator='IN'\nnominal=[{numbers}]", "x")
    assert rule.nominal == (0.1,) * 500


def test_no_rules_are_a_rulebook() -> None:
    assert parse_rulebook("", "rules.toml") == ()


# -- written and read ----------------------------------------------------------------------------

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SHARES = st.floats(0, 1e6)
SCALARS = NUMBERS | st.booleans() | st.text()
NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
TWO = st.tuples(NUMBERS, NUMBERS).map(sorted).map(lambda two: {"low": two[0], "high": two[1]})


def limits_of(comparator: Comparator) -> st.SearchStrategy[dict[str, Any]]:
    text = st.fixed_dictionaries({"nominal": st.text()})
    by_name = {
        "EQ": st.fixed_dictionaries({"nominal": SCALARS}) | st.fixed_dictionaries({"low": NUMBERS}),
        "EQT": st.fixed_dictionaries({"nominal": NUMBERS, "tolerance_percent": SHARES}),
        "REGEX": st.just({"nominal": r"^\d+[\"']$"}),
        "IN": st.lists(SCALARS, min_size=1).map(lambda some: {"nominal": tuple(some)}),
        "CASESENSIT": text,
        "IGNORECASE": text,
        "LOG": st.just({}),
        "LE": st.fixed_dictionaries({"high": NUMBERS}),
        "GE": st.fixed_dictionaries({"low": NUMBERS, "marginal_percent": SHARES}),
    }
    return by_name.get(comparator.value, TWO if len(comparator) == 4 else by_name["GE"])


EXPRESSIONS = st.sampled_from(
    [
        {"expression": "steps['a'] / steps['b']", "low": 0.9, "units": (("a", "V"), ("b", "µV"))},
        {
            "expression": "steps.all(k, k < '€')",
            "nominal": True,
            "units": (('"', "\\"), ("x", "°")),
        },
        {"expression": "values['\"'].all(x, x > 1)\n\t&& true // \\", "nominal": False},
    ]
)


@st.composite
def any_expression_rule(draw: st.DrawFn) -> Rule:
    fields: dict[str, Any] = draw(EXPRESSIONS)
    comparator = Comparator.EQ if "nominal" in fields else Comparator.GE
    step = draw(st.sampled_from(["a", "ratio", "[[]x"]))
    return Rule(draw(NAMES), comparator, test_step=step, **fields)


@st.composite
def any_rule(draw: st.DrawFn) -> Rule:
    comparator = draw(st.sampled_from([each for each in Comparator if each is not Comparator.NE]))
    return Rule(
        draw(NAMES),
        comparator,
        test_step=draw(st.sampled_from(["*", "a", "b*", "[[]x"])),
        product=draw(st.sampled_from(["*", "P-1", "P-*"])),
        procedure=draw(st.sampled_from(["*", "F?"])),
        machine=draw(st.sampled_from(["*", "M-[!1]"])),
        unit=draw(st.none() | NAMES),
        severity=draw(st.sampled_from(list(Severity))),
        **draw(limits_of(comparator)),
    )


@settings(max_examples=200, deadline=None)
@given(st.lists(any_rule() | any_expression_rule(), max_size=6, unique_by=lambda rule: rule.id))
def test_a_rulebook_is_read_back_as_it_was_written(rules: list[Rule]) -> None:
    while tie := find_tie(rules):
        rules.remove(tie[0])
    assert parse_rulebook(format_rulebook(rules), "written.toml") == tuple(rules)


def test_required_is_read_back_as_it_was_written() -> None:
    rules = (Rule("r", Comparator.GE, test_step="a", low=1.0, required=True),)
    assert parse_rulebook(format_rulebook(rules), "written.toml") == rules


@pytest.mark.parametrize(
    "selectors",
    [
        {"test_step": "s{}"},
        {"test_step": "s{}*", "product": "P-*"},
        {"test_step": "*s{}", "product": "P-*"},
        {"test_step": "s_*", "product": "*-{}"},
    ],
)
def test_5000_rules_load_in_seconds_and_are_looked_up_at_once(selectors: dict[str, str]) -> None:
    rules = [
        Rule(
            f"r{number}",
            Comparator.GE,
            low=1.0,
            **{name: text.format(f"{number:05}") for name, text in selectors.items()},  # type: ignore[arg-type]
        )
        for number in range(5_000)
    ]
    text = format_rulebook(rules)
    began = time.perf_counter()
    book = Rulebook(1, parse_rulebook(text, "large.toml"))
    assert book.scope("M", "P-00042", "Q")["s_other"] in {rules[42], None}
    assert time.perf_counter() - began < 10  # a tenth of it here; all pairs would take minutes


# -- the sample ----------------------------------------------------------------------------------


def test_the_sample_rulebook_loads_and_judges_the_contracts_example() -> None:
    book = Rulebook(1, parse_rulebook(SAMPLE.read_text("utf-8"), "rules.toml"))
    rule = book.scope("MACH-01", "PROD-A", "voltage_test")["voltage_test"]
    assert rule is not None
    assert (rule.comparator, rule.low, rule.unit, rule.marginal_percent, rule.severity) == (
        Comparator.GE,
        80.0,
        "V",
        5.0,
        Severity.CRITICAL,
    )


@pytest.mark.parametrize("product", ["PCB-7", "23462-TS", "X", "11", "43420_BIO2"])
def test_the_sample_rulebook_leaves_other_products_alone(product: str) -> None:
    rules = parse_rulebook(SAMPLE.read_text("utf-8"), "rules.toml")
    book = Rulebook(1, rules)
    for step in {each.test_step for each in rules}:
        for procedure in ("ICT", "FCT", "FLASH", "EOL", step):
            assert book.scope("M", product, procedure)[step] is None


@pytest.mark.parametrize(
    ("product", "procedure", "step", "rule_id"),
    [
        ("ECU-4100", "FCT", "vbat_ripple", "vbat-ripple"),
        ("BCM-220", "LEAK", "leak_rate", "leak-rate"),
        ("GW-7", "RF", "rssi_ch39", "rssi-ch39"),
        ("ECU-4100", "FLASH", "fw_build", "fw-build-flash"),
        ("ECU-4100", "EOL", "fw_build", "fw-build"),
        ("BCM-220", "ICT", "r_shunt", "r-shunt"),
        ("GW-7", "AOI", "bridge_u7", "bridge-u7"),
    ],
)
def test_the_sample_rulebook_judges_the_simulated_floor(
    product: str, procedure: str, step: str, rule_id: str
) -> None:
    book = Rulebook(1, parse_rulebook(SAMPLE.read_text("utf-8"), "rules.toml"))
    rule = book.scope("FCT-11", product, procedure)[step]
    assert rule is not None
    assert rule.id == rule_id
    assert rule.low is None or math.isfinite(rule.low)
