"""What a person does on the Rules page, and what the API says meanwhile."""

import json
import tomllib
import urllib.request
from typing import Any

from selenium.webdriver.common.action_chains import ActionChains

from tests.support.browser import Browser
from tests.support.product import Product

_BACKTEST_S = 30
_FIND = (
    "[...document.querySelectorAll(arguments[0])].find((e) => e.innerText.includes(arguments[1]))"
)


class RulesPage:
    """The page `/rules` of a product in a browser."""

    def __init__(self, product: Product, browser: Browser) -> None:
        self.product = product
        self.browser = browser

    def open(self, query: str = "") -> None:
        """Open it and wait for its rules."""
        self.browser.open(f"{self.product.url}/rules?{query}")
        self.browser.eventually(lambda: self.browser.count(".ru .book"))

    def call(self, path: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        """GET, or POST where there is a body, and return the answer."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.product.url}/api/v1{path}", content, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def active(self) -> int:
        """Return the number of the version in force."""
        return int(self.call("/rulebooks")["items"][0]["version"])

    def active_toml(self) -> str:
        """Return the text that is in force."""
        return str(self.call(f"/rulebooks/{self.active()}")["toml"])

    def activate(self, toml: str, reason: str) -> int:
        """Put a text in force, not through the page; return its number."""
        return int(self.call("/rulebooks", {"toml": toml, "reason": reason})["version"])

    def click(self, selector: str, text: str = "") -> None:
        """Click the first such element with this text, once it can be."""
        self.shows(selector, text)
        self.browser.run(f"{_FIND}.click()", selector, text)

    def shows(self, selector: str, text: str = "", timeout_s: float = 10) -> None:
        """Wait until an element with this text is there, and can be used if it is a button."""
        script = f"const e = {_FIND}; return Boolean(e) && !e.disabled"
        self.browser.eventually(lambda: self.browser.run(script, selector, text), timeout_s)

    def put(self, selector: str, text: str) -> None:
        """Put text into a field at once."""
        self.shows(selector)
        self.browser.run(
            "const e = document.querySelector(arguments[0]); e.focus(); e.value = arguments[1];"
            "e.dispatchEvent(new Event('input', {bubbles: true}))",
            selector,
            text,
        )

    def type(self, selector: str, text: str) -> None:
        """Type over what a field holds, key by key."""
        self.shows(selector)
        self.browser.run(
            "const e = document.querySelector(arguments[0]); e.focus(); e.select()", selector
        )
        ActionChains(self.browser.driver).send_keys(text).perform()

    def draft(self) -> str:
        """The text of the only draft, as this browser keeps it."""
        kept = self.browser.run(
            "return Object.entries(localStorage).find(([key]) => key.includes('.draft.'))[1]"
        )
        return str(json.loads(kept)["toml"])

    def edit(self) -> None:
        """Begin a draft."""
        self.click(".book .btn", "Edit as draft")
        self.shows(".book .btn", "Discard")

    def change_limit(self, rule_id: str, key: str, value: str) -> None:
        """Open a rule's form and type one of its values."""
        self.click(".book button.rid", rule_id)
        self.type(f'.rf [data-key="{key}"]', value)

    def backtest(self) -> None:
        """Run it to its end."""
        self.click(".bk .btn", "Run")
        self.browser.eventually(
            lambda: "finished" in self.browser.text(".bk .pg"), timeout_s=_BACKTEST_S
        )


def rules_of(toml: str) -> dict[str, dict[str, Any]]:
    """Return the rules of a text by their id."""
    return {each["id"]: each for each in tomllib.loads(toml)["rule"]}
