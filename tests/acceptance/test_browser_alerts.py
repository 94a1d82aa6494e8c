"""The Alerts page in a real browser: what rings, and what people do about it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import urlopen

import pytest
from pydantic import SecretStr
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from sqlalchemy import Connection

from broker.messages import Severity
from broker.sections import DatabaseSettings
from service.commands.alerts import acknowledge_alerts
from service.core.alerts import AlertKind, Finding, Subject, key_of
from service.store.alerts import open_alert
from service.store.database import Database
from tests.support.browser import Browser
from tests.support.product import Product, measurement
from tests.support.waiting import eventually_sync
from ui.alert_view import SHOWN_MAX

pytestmark = pytest.mark.browser
ROWS = ".alerts tbody tr"


def fail(product: Product, machine_id: str, count: int = 3) -> None:
    """Let a machine fail at one step, run after run."""
    for number in range(count):
        product.post(measurement(f"{machine_id}-{number}", machine_id, measured_value=1.0))


def alerts(product: Product, machine_id: str, **query: str) -> list[dict[str, Any]]:
    """Return the alerts of the same step of a machine."""
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    url = f"{product.url}/api/v1/alerts?kind=step_repeats&machine_id={machine_id}&{asked}"
    with urlopen(url, timeout=10) as answer:
        items: list[dict[str, Any]] = json.load(answer)["items"]
    return items


def rows(browser: Browser) -> list[str]:
    script = f"return [...document.querySelectorAll('{ROWS}')].map((row) => row.innerText)"
    return [" ".join(str(each).split()) for each in browser.run(script)]


def row(browser: Browser, text: str) -> str:
    """Wait for the row that holds a text; return all it says."""
    browser.eventually(lambda: any(text in each for each in rows(browser)))
    return next(each for each in rows(browser) if text in each)


def in_row(browser: Browser, text: str, script: str) -> Any:  # noqa: ANN401 - any JSON value
    """Run a script on the row that holds a text: new alerts may move it at any time."""
    row(browser, text)
    find = (
        f"const row = [...document.querySelectorAll('{ROWS}')]"
        ".find((each) => each.innerText.includes(arguments[0]));"
    )
    return browser.run(find + script, text)


def focus(browser: Browser, text: str) -> None:
    in_row(browser, text, "row.focus()")


def choose(browser: Browser, text: str) -> None:
    in_row(browser, text, "row.querySelector('input').click()")


def show(browser: Browser, tab: int) -> None:
    browser.run(f"document.querySelectorAll('.as .seg button')[{tab}].click()")


def press(browser: Browser, *keys: str) -> None:
    for key in keys:
        browser.driver.switch_to.active_element.send_keys(key)


@pytest.fixture
def page(product: Product, browser: Browser) -> Iterator[Browser]:
    browser.open(f"{product.url}/alerts")
    yield browser
    browser.run("localStorage.clear()")


def test_an_alert_appears_by_itself_in_the_list_and_in_the_rail(
    product: Product, page: Browser
) -> None:
    fail(product, "RING-1")
    said = row(page, "failed first in 3 runs in a row at RING-1")
    assert said.startswith("critical Same step voltage_test failed first")
    assert "not acknowledged" in said
    page.eventually(lambda: page.text(".nav.on .cnt").isdigit())
    spoken = "return document.querySelector('.as > .sr-only').textContent"
    assert "at RING-1" in page.run(spoken)


def test_one_key_acknowledges_the_row_with_the_focus(product: Product, page: Browser) -> None:
    fail(product, "KEY-1")
    focus(page, "at KEY-1")
    press(page, "a")
    eventually_sync(lambda: alerts(product, "KEY-1", state="acknowledged"))
    page.eventually(lambda: not any("at KEY-1" in row for row in rows(page)))
    show(page, 1)
    assert "acknowledged by web app" in row(page, "at KEY-1")
    assert page.run("return location.search") == "?tab=acknowledged"


def test_what_is_chosen_is_acknowledged_together(product: Product, page: Browser) -> None:
    for machine_id in ("BULK-1", "BULK-2"):
        fail(product, machine_id)
        choose(page, f"at {machine_id}")
    page.eventually(lambda: "2 chosen" in page.text(".as .ph"))
    press(page, "a")
    eventually_sync(
        lambda: all(alerts(product, each, state="acknowledged") for each in ("BULK-1", "BULK-2"))
    )


def test_shelving_asks_for_a_reason_and_an_end(product: Product, page: Browser) -> None:
    fail(product, "SHELF-1")
    choose(page, "at SHELF-1")
    page.run("document.querySelectorAll('.as .ph > .btn')[1].click()")
    page.eventually(lambda: page.count("dialog.shelve[open]"))
    press(page, Keys.ENTER)  # no reason: the browser refuses to send it
    assert page.count("dialog.shelve[open]") == 1
    press(page, "new pins on Monday")
    page.driver.find_element(By.CSS_SELECTOR, "dialog.shelve input[value='15min']").click()
    page.driver.find_element(By.CSS_SELECTOR, "dialog.shelve .pri").click()
    eventually_sync(lambda: alerts(product, "SHELF-1", state="shelved"))
    page.eventually(lambda: page.count("dialog.shelve[open]") == 0)
    show(page, 2)
    page.eventually(lambda: "shelved until" in row(page, "at SHELF-1"))


def test_a_row_opens_its_history_and_the_runs_behind_it(product: Product, page: Browser) -> None:
    fail(product, "OPEN-1")
    focus(page, "at OPEN-1")
    press(page, Keys.ENTER)
    page.eventually(lambda: "opened" in page.text(".sheet .history"))
    assert page.count(".sheet .grid a") == 3
    assert "OPEN-1-2" in page.text(".sheet .grid")
    assert "alert=" in page.run("return location.search")
    press(page, Keys.ESCAPE)
    page.eventually(lambda: page.count(".sheet") == 0)


def test_what_closed_without_being_seen_is_marked(product: Product, page: Browser) -> None:
    fail(product, "GONE-1")
    row(page, "at GONE-1")
    for number in range(3):
        product.post(measurement(f"GOOD-{number}", "GONE-1"))
    page.eventually(lambda: not any("in a row at GONE-1" in row for row in rows(page)))
    show(page, 3)
    assert "never acknowledged" in row(page, "in a row at GONE-1")
    marked = "return row.querySelector('.st.c-marg') !== null"
    assert in_row(page, "in a row at GONE-1", marked)
    assert page.count(".alerts input") == 0, "nobody acts on what is over"


def test_an_empty_list_says_so_and_leads_back(product: Product, browser: Browser) -> None:
    browser.open(f"{product.url}/alerts?line=NOWHERE")
    browser.eventually(lambda: "no alert is open" in browser.text(".as"))
    assert "on NOWHERE" in browser.text(".nothing")
    browser.run("document.querySelector('.nothing .btn').click()")
    browser.eventually(lambda: browser.run("return location.search") == "")


def test_on_a_phone_each_alert_is_a_card(product: Product, browser: Browser) -> None:
    fail(product, "PHONE-1")
    browser.resize(390, 844)
    browser.open(f"{product.url}/alerts")
    row(browser, "at PHONE-1")
    assert browser.run("return document.documentElement.scrollWidth") <= 390
    box = browser.run("return document.querySelector('.alerts .pick').getBoundingClientRect()")
    assert box["width"] >= 44
    assert box["height"] >= 44
    in_row(browser, "at PHONE-1", "row.querySelector('.st .btn').click()")
    eventually_sync(lambda: alerts(product, "PHONE-1", state="acknowledged"))
    assert browser.complaints() == []


def test_the_load_names_what_rings_most(product: Product, page: Browser) -> None:
    fail(product, "OFTEN-1")
    row(page, "in a row at OFTEN-1")
    for number in range(3):
        product.post(measurement(f"FINE-{number}", "OFTEN-1"))
    eventually_sync(lambda: alerts(product, "OFTEN-1", state="closed"))
    for number in range(3):
        product.post(measurement(f"BAD-{number}", "OFTEN-1", measured_value=1.0))
    eventually_sync(lambda: alerts(product, "OFTEN-1", state="open"))
    page.eventually(
        lambda: "2 \u00d7 Same step voltage_test at OFTEN-1" in " ".join(page.text(".load").split())
    )
    assert page.complaints() == []


def _flood(
    connection: Connection, machine_id: str, severity: Severity, opened_at: datetime
) -> None:
    key, subject = key_of(AlertKind.FLOOD, machine_id), Subject(machine_id)
    found = Finding(AlertKind.FLOOD, key, subject, "L9", severity, f"{machine_id} floods.")
    open_alert(connection, found, "t", opened_at, notify=False)


def test_more_alerts_than_are_listed_are_counted_and_on_their_tiles(
    product: Product, browser: Browser
) -> None:
    """Last of all: they stay."""
    fail(product, "TILE-1")
    (one,) = eventually_sync(lambda: alerts(product, "TILE-1"))
    settings = DatabaseSettings(url=SecretStr(product.database_url))
    database = Database(settings)
    acknowledge_alerts(database, [one["alert_id"]], actor="ann", now=datetime.now(UTC))
    with database.changing() as connection:
        now = datetime.now(UTC)
        _flood(connection, "OLDEST", Severity.CRITICAL, now - timedelta(hours=1))
        for number in range(201):
            _flood(connection, f"MANY-{number}", Severity.MINOR, now)
    database.dispose()
    browser.open(product.url)
    seen = '.tile[href="/machines/TILE-1"][aria-label$=", acknowledged"]'
    browser.eventually(lambda: browser.count(seen) and browser.count(".att .more a"))
    assert browser.text(".att .more a") == "all open alerts"
    browser.run("document.querySelector('.att .more .btn').click()")
    browser.eventually(lambda: browser.count(".att .al") >= SHOWN_MAX)
    assert "TILE-1 3 fails in a row" not in browser.text(".att"), "somebody has seen that"
    browser.open(f"{product.url}/alerts")
    browser.eventually(lambda: "of the newest 200" in browser.text(".load"))
    assert int(browser.text(".load .v")) == int(browser.text(".nav.on .cnt")) > 200
    browser.driver.get(f"{product.url}/wall")
    browser.eventually(lambda: browser.count(".ring li"))
    assert "OLDEST floods." in browser.text(".ring li"), "the newest are only minor"
    assert int(browser.text(".ring ol + p").split()[1]) > 190
    assert browser.complaints() == []
