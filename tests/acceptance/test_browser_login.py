"""Logging in, what a role may, and logging out, in a browser: one story."""

import os
import subprocess

from selenium.webdriver.common.by import By

from tests.support.browser import Browser
from tests.support.processes import YIELDLINE
from tests.support.product import Product
from tests.support.rules_page import RulesPage

PASSWORD = "copper kettle on the moon"
REASON = "tighter after the recall"


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
