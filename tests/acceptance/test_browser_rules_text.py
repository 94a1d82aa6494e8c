"""The text under the table of the Rules page: an edit in the table is an edit of the TOML."""

import tomllib
from typing import Any

import pytest

from service import rulebook
from tests.support.browser import Browser
from tests.support.product import RULES, Product

pytestmark = pytest.mark.browser

TRICKY = '''# head
[[rule]]  # the first
id = "a # no comment"
test_step = 'v_*'
low = 1_000.5   # keeps its digits
nominal = [1,  # one
  2]
comparator = "IN"
# high = 5
unit = """V"""

# about b
[[ rule ]]
id = "b"
[rule.units]
v_in = "V"

[[rule]]
id="c"'''


@pytest.fixture
def on_page(product: Product, browser: Browser) -> Browser:
    """A browser that has the page's modules."""
    browser.open(f"{product.url}/rules")
    return browser


def ask(browser: Browser, text: str, call: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return what the page's module `m` answers about `text`."""
    script = f"""
      const [text, done] = arguments;
      import("yieldline-rules/toml.js").then((m) => done({call}));
    """
    return browser.driver.execute_async_script(script, text)


@pytest.mark.parametrize(
    ("call", "index", "key", "value"),
    [
        ("m.setValue(text, 0, 'low', '7.50')", 0, "low", 7.5),
        ("m.setValue(text, 0, 'nominal', '[3]')", 0, "nominal", [3]),
        ("m.setValue(text, 0, 'nominal', null)", 0, "nominal", None),
        (
            "m.setValue(text, 0, 'product', m.quoted('P \\\\ \"x\"'))",
            0,
            "product",
            'P \\ "x"',
        ),
        ("m.setValue(text, 1, 'severity', '\"minor\"')", 1, "severity", "minor"),
        ("m.setValue(text, 2, 'high', m.numberOf('5,'))", 2, "high", 5.0),
        ("m.setValue(text, 2, 'id', m.quoted(\"it's \\\\\"))", 2, "id", "it's \\"),
    ],
)
def test_an_edit_changes_one_value_and_nothing_else_of_the_text(
    on_page: Browser, call: str, index: int, key: str, value: object
) -> None:
    expected = tomllib.loads(TRICKY)["rule"]
    if value is None:
        del expected[index][key]
    else:
        expected[index][key] = value
    text = ask(on_page, TRICKY, call)
    assert tomllib.loads(text)["rule"] == expected
    comments = ["# head", "]]  # the first", "# high = 5", "# about b"]
    assert [each for each in comments if each not in text] == []


def test_a_removed_rule_takes_its_comments_along_and_no_others(on_page: Browser) -> None:
    text = ask(on_page, TRICKY, "m.removeRule(text, 1)")
    assert [each["id"] for each in tomllib.loads(text)["rule"]] == ["a # no comment", "c"]
    assert "# about b" not in text
    assert "# high = 5" in text


@pytest.mark.parametrize(
    "text", [TRICKY, RULES.read_text("utf-8"), ""], ids=["tricky", "rules", "none"]
)
def test_the_table_reads_a_text_as_the_service_does(on_page: Browser, text: str) -> None:
    assert ask(on_page, text, "m.readRules(text).map((each) => each.values)") == tomllib.loads(
        text
    ).get("rule", [])


def test_a_rule_that_cannot_be_read_hides_no_other(on_page: Browser) -> None:
    text = TRICKY.replace("'v_*'", "'v_*")
    found = ask(on_page, text, "m.readRules(text).map((each) => [each.values.id, each.isBroken])")
    assert found == [["a # no comment", True], ["b", False], ["c", False]]


def test_the_form_knows_every_key_of_a_rule(on_page: Browser) -> None:
    keys = ask(on_page, "", "m.KEYS")
    assert set(rulebook._KEYS) <= set(keys)
