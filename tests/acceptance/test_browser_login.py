"""Logging in, roles, one's own password and walls by token, in a browser: three stories."""

import os
import subprocess
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from broker.sections import DatabaseSettings
from service.commands.roles import Role, Scope
from service.commands.tokens import create_token, revoke_token
from service.commands.users import add_user
from service.store.database import Database
from tests.support.access import PASSWORD
from tests.support.browser import Browser
from tests.support.processes import YIELDLINE
from tests.support.product import Product, measurement
from tests.support.rules_page import RulesPage

NEW_PASSWORD = "green lamps above the harbour"
REASON = "tighter after the recall"


@pytest.fixture
def database(product: Product) -> Iterator[Database]:
    """The product's, as the command line has it."""
    found = Database(DatabaseSettings(url=product.database_url))  # type: ignore[arg-type]
    yield found
    found.dispose()


def by(actor: str) -> dict[str, Any]:
    return {"actor": actor, "now": datetime.now(UTC)}


def users(product: Product, *arguments: str) -> None:
    """Look after users on the command line, as an admin does."""
    done = subprocess.run(
        [YIELDLINE, "users", *arguments],
        env={**os.environ, "YIELDLINE_DATABASE__URL": product.database_url},
        input=f"{PASSWORD}\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def path(browser: Browser) -> str:
    return str(browser.run("return location.pathname + location.search"))


def log_in(browser: Browser, name: str, password: str) -> None:
    browser.eventually(lambda: browser.count(".door [name=user]"))
    for field, text in (("user", name), ("password", password)):
        found = browser.driver.find_element(By.NAME, field)
        found.clear()
        found.send_keys(text)
    browser.driver.find_element(By.CSS_SELECTOR, ".door .btn").click()


def fill(browser: Browser, form: str, *texts: str) -> None:
    """Fill a form's fields, and send it."""
    found = browser.driver.find_element(By.CSS_SELECTOR, form)
    for field, text in zip(found.find_elements(By.CSS_SELECTOR, ".field"), texts, strict=True):
        field.send_keys(text)
    found.find_element(By.CSS_SELECTOR, ".btn").click()


def edit_button(browser: Browser) -> tuple[bool, str]:
    """Return whether the way to a draft is closed, and what it says of itself."""
    script = (
        "const e = [...document.querySelectorAll('.ru .book button')]"
        ".find((each) => each.innerText.startsWith('Edit as draft'));"
        " return e ? [e.disabled, e.title] : [null, '']"
    )
    disabled, title = browser.run(script)
    return disabled, title


def test_a_viewer_looks_an_engineer_acts_and_a_logout_ends_every_tab(
    product: Product, browser: Browser
) -> None:
    page = RulesPage(product, browser)
    page.open()
    assert "There are no users: everyone on this machine is admin." in browser.text(".openbar")
    assert edit_button(browser) == (False, "Edit (E)")

    # With the first user that is over, on pages that stand open too.
    browser.open(f"{product.url}/system")
    page.click(".who-in button", "Users and tokens")
    browser.eventually(lambda: "None yet: nobody has to log in." in browser.text(".people"))
    fill(browser, ".people form.add", "ann", "admin", PASSWORD)
    browser.eventually(lambda: path(browser).startswith("/login?next=%2Fsystem"))
    users(product, "add", "vic")
    browser.complaints()  # what the page asked at that moment was refused
    log_in(browser, "vic", "not the password at all")
    browser.eventually(lambda: "Name or password is wrong." in browser.text(".door .no"))
    assert browser.run("return document.activeElement.name") == "password"
    browser.complaints()  # Chromium calls every 401 an error

    log_in(browser, "vic", PASSWORD)
    browser.eventually(lambda: browser.count(".who-in button:disabled"))
    assert path(browser) == "/system"
    page.open()
    browser.eventually(lambda: edit_button(browser)[0] is True)
    assert edit_button(browser)[1] == "Needs the role engineer; you are viewer."
    assert browser.text(".chip.who").endswith("vic")
    assert browser.count(".openbar") == 0
    assert browser.complaints() == []

    # Another role holds at once; the page comes again by itself.
    users(product, "role", "vic", "engineer")
    browser.eventually(lambda: edit_button(browser)[0] is False)
    page.click(".ru .book button", "Edit as draft")
    browser.eventually(lambda: browser.count(".ru .reason textarea"))
    browser.driver.find_element(By.CSS_SELECTOR, ".ru .reason textarea").send_keys(REASON)
    page.click(".ru .sha button", "Start this draft as shadow")
    browser.eventually(lambda: f"vic: {REASON}" in browser.text(".ru .sha .cnts"))
    assert browser.complaints() == []

    first = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    other = browser.driver.current_window_handle
    try:
        browser.open(f"{product.url}/")
        browser.driver.switch_to.window(first)
        browser.driver.find_element(By.CSS_SELECTOR, ".chip.who").click()
        page.click(".popbox form button", "Log out")
        browser.eventually(lambda: path(browser).startswith("/login"))
        browser.driver.switch_to.window(other)
        browser.eventually(lambda: path(browser) == "/login" and browser.count(".door"))
    finally:
        browser.driver.switch_to.window(other)
        browser.driver.close()
        browser.driver.switch_to.window(first)
        browser.driver.delete_all_cookies()


def type_keys(browser: Browser, *keys: str) -> None:
    """Type into whatever has the focus."""
    browser.driver.switch_to.active_element.send_keys("".join(keys))


def test_people_change_their_password_by_keyboard_and_a_login_in_use_goes_on(
    product: Product, browser: Browser, database: Database
) -> None:
    add_user(database, "eve", Role.ADMIN, PASSWORD, **by("ann"))
    browser.driver.get(f"{product.url}/login?next=/system")
    log_in(browser, "eve", PASSWORD)
    browser.eventually(lambda: browser.count(".chip.who"))

    opened = browser.driver.get_cookie("yieldline_session")["value"]
    browser.run("const real = Date.now; window.later = 0; Date.now = () => real() + window.later")

    def is_renewed_by_a_key() -> bool:
        browser.run("window.later += 61_000")  # it tells of a touch once a minute
        type_keys(browser, Keys.SHIFT)
        return bool(browser.driver.get_cookie("yieldline_session")["value"] != opened)

    browser.eventually(is_renewed_by_a_key)

    browser.driver.find_element(By.CSS_SELECTOR, ".chip.who").click()
    browser.driver.find_element(By.CSS_SELECTOR, ".popbox a[href^='/password']").click()
    browser.eventually(lambda: browser.run("return document.activeElement.name") == "old")
    assert path(browser) == "/password?next=%2Fsystem"
    assert browser.complaints() == []
    type_keys(browser, "not it", Keys.TAB)
    type_keys(browser, NEW_PASSWORD, Keys.TAB)
    type_keys(browser, "something else", Keys.ENTER)
    browser.eventually(lambda: "The two new passwords differ." in browser.text(".door .no"))
    type_keys(browser, NEW_PASSWORD, Keys.ENTER)  # in place of what differs
    browser.eventually(lambda: "The old password is wrong." in browser.text(".door .no"))
    browser.complaints()  # Chromium calls every 403 an error
    type_keys(browser, PASSWORD, Keys.ENTER)
    browser.eventually(lambda: "Your password is changed" in browser.text(".door .yes"))
    assert browser.count(".door .no:not([hidden])") == 0
    type_keys(browser, Keys.ENTER)
    browser.eventually(lambda: path(browser) == "/system" and browser.count(".chip.who"))
    assert browser.complaints() == []
    browser.driver.delete_all_cookies()
    browser.driver.get(f"{product.url}/login")
    log_in(browser, "eve", NEW_PASSWORD)
    browser.eventually(lambda: browser.count(".chip.who"))
    browser.driver.delete_all_cookies()


def test_a_wall_by_token_shows_the_wall_alone_until_the_token_is_revoked(
    product: Product, browser: Browser, database: Database
) -> None:
    add_user(database, "walter", Role.ADMIN, PASSWORD, **by("ann"))
    token, _ = create_token(database, "wall-l1", Scope.WALL, days=1, **by("walter"))
    machine, _ = create_token(database, "machine", Scope.INGEST, days=1, **by("walter"))
    is_known = urllib.request.Request(
        f"{product.url}/api/v1/alerts", headers={"Authorization": f"Bearer {token}"}
    )
    browser.eventually(lambda: is_let_in(is_known))
    product.post(measurement("SN-W1", "WALL-01"), token=machine)
    browser.driver.get(f"{product.url}/wall?line=unassigned&token={token}")
    browser.eventually(lambda: "few: 1" in browser.text(".wall .w[aria-label='WALL-01']"))
    assert path(browser) == "/wall?line=unassigned"
    assert browser.run("return document.cookie") == ""  # no script reads it
    product.post(measurement("SN-W2", "WALL-01"), token=machine)
    browser.eventually(lambda: "few: 2" in browser.text(".wall .w[aria-label='WALL-01']"))

    assert browser.count("a[href]") == 0
    assert browser.complaints() == []
    answered = browser.run(
        "return Promise.all(['/api/v1/results', '/api/v1/me', '/api/v1/alerts'].map("
        "(each) => fetch(each).then((answer) => answer.status)))"
    )
    assert answered == [403, 403, 200]
    for page in ("", "results", "machines/WALL-01", "system"):
        browser.driver.get(f"{product.url}/{page}")
        assert path(browser).startswith("/login"), page
        assert browser.count(".door [name=user]") == 1
    browser.complaints()

    browser.driver.get(f"{product.url}/wall?line=unassigned")
    browser.eventually(lambda: browser.text(".wall .lv") == "live")
    revoke_token(database, "wall-l1", **by("walter"))
    browser.eventually(lambda: path(browser).startswith("/login?next=%2Fwall"))
    browser.driver.get(f"{product.url}/wall?line=unassigned&token={token}")
    assert "is unknown, revoked, expired" in browser.text("body")
    browser.driver.delete_all_cookies()


def is_let_in(request: urllib.request.Request) -> bool:
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
