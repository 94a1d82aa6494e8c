"""The text under the table of the Rules page: an edit in the table is an edit of the TOML."""

import tomllib

import pytest

from service import rulebook
from tests.support.browser import Browser
from tests.support.product import Product

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


def edited(browser: Browser, text: str, call: str) -> str:
    script = f"import('yieldline-rules/toml.js').then((m) => arguments[1]({call}))"
    return str(browser.driver.execute_async_script(script, text))


@pytest.mark.parametrize(
    ("call", "index", "key", "value"),
    [
        ("m.setValue(arguments[0], 0, 'low', '7.50')", 0, "low", 7.5),
        ("m.setValue(arguments[0], 0, 'nominal', '[3]')", 0, "nominal", [3]),
        ("m.setValue(arguments[0], 0, 'nominal', null)", 0, "nominal", None),
        (
            "m.setValue(arguments[0], 0, 'product', m.quoted('P \\\\ \"x\"'))",
            0,
            "product",
            'P \\ "x"',
        ),
        ("m.setValue(arguments[0], 1, 'severity', '\"minor\"')", 1, "severity", "minor"),
        ("m.setValue(arguments[0], 2, 'high', m.numberOf('5,'))", 2, "high", 5.0),
        ("m.setValue(arguments[0], 2, 'id', m.quoted(\"it's \\\\\"))", 2, "id", "it's \\"),
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
    text = edited(on_page, TRICKY, call)
    assert tomllib.loads(text)["rule"] == expected
    comments = ["# head", "]]  # the first", "# high = 5", "# about b"]
    assert [each for each in comments if each not in text] == []


def test_a_removed_rule_takes_its_comments_along_and_no_others(on_page: Browser) -> None:
    text = edited(on_page, TRICKY, "m.removeRule(arguments[0], 1)")
    assert [each["id"] for each in tomllib.loads(text)["rule"]] == ["a # no comment", "c"]
    assert "# about b" not in text
    assert "# high = 5" in text


def test_the_form_knows_every_key_of_a_rule(on_page: Browser) -> None:
    keys = on_page.driver.execute_async_script(
        "import('yieldline-rules/toml.js').then((m) => arguments[0](m.KEYS))"
    )
    assert set(rulebook._KEYS) <= set(keys)
