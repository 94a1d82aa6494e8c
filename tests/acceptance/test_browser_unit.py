"""The unit page in a browser: one story, from a failed test to its evidence."""

import io
import time
import urllib.request
import zipfile
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.support.browser import Browser
from tests.support.product import Product

pytestmark = pytest.mark.browser

BARCODE = "PNL-7-02"


def run(barcode: str, minute: int, value: float, **more: object) -> dict[str, Any]:
    """A run of two steps; `voltage_test` must be 80 V or more by the plant's rule."""
    said = {"reported_outcome": "PASS"}
    return {
        "barcode": barcode,
        "machine_id": "FCT-2",
        "product_id": "PROD-A",
        "procedure": "FCT",
        "started_at": f"2026-01-05T10:{minute:02}:00Z",
        "panel": {"id": "PNL-7", "position": barcode[-1]},
        "measurements": [
            {"test_step": "voltage_test", "measured_value": value, "unit": "V", **said},
            {"test_step": "leak", "measured_value": 1.5, "unit": "mA", "high": 2.0, **said},
        ],
        **more,
    }


def press(browser: Browser, *keys: str) -> None:
    for key in keys:
        ActionChains(browser.driver).send_keys(key).perform()
        time.sleep(0.06)  # a person: faster would be a scanner


@pytest.fixture
def page(product: Product, browser: Browser) -> Browser:
    """The page of a unit that nobody has tested yet, until its first run comes in."""
    browser.open(f"{product.url}/units/{BARCODE}")
    assert f"No unit with the barcode {BARCODE} has been tested." in browser.text(".us")
    product.post(run("PNL-7-01", 1, 85.5), run(BARCODE, 2, 78.0), run("PNL-7-03", 3, 86.5))
    browser.eventually(lambda: browser.count(".un"))  # by itself
    return browser


def test_a_failed_unit_is_followed_compared_judged_again_and_proved(
    product: Product, page: Browser
) -> None:
    page.eventually(lambda: "3 units on it" in page.text(".hd"))
    assert "The tester said PASS to voltage_test, rule" in page.text(".run .note")
    page.eventually(lambda: "voltage_test" in page.text(".am .ph"))
    assert "78" in page.run("return document.querySelector('.am .pic').ariaLabel")
    page.eventually(lambda: "reproduced" in page.text(".vs"))
    assert '"measured_value": 78.0' in page.text(".raw .hl")

    page.run("document.querySelector('.un .scroll').focus()")
    press(page, Keys.ARROW_DOWN)  # the next measurement: its bytes, its place in the address
    page.eventually(lambda: '"test_step": "leak"' in page.text(".raw .hl"))
    assert "step=leak" in page.driver.current_url
    page.eventually(lambda: "leak" in page.text(".am .ph"))

    product.post(run(BARCODE, 9, 84.0, message_id="again"))
    page.eventually(lambda: "New run at" in page.text(".fresh"))  # says so
    assert page.count(".at") == 2
    assert "PASS" in page.text(".vd")
    assert "no repair booked" in page.text(".at.sel")
    page.run("document.querySelector('.at.sel').focus()")
    press(page, Keys.ARROW_LEFT, Keys.ENTER)  # the first attempt, chosen without loading anew
    page.eventually(lambda: "FCT, attempt 1 of 2" in page.text(".rh"))
    number = page.driver.current_url.partition("run=")[2].partition("&")[0]

    href = page.run("return document.querySelector('.pack').href")
    assert href == f"{product.url}/api/v1/results/{number}/evidence.zip"
    with urllib.request.urlopen(href, timeout=20) as answer:
        pack = zipfile.ZipFile(io.BytesIO(answer.read()))
    assert b'"measured_value": 78.0' in pack.read(f"yieldline-run-{number}/message.json")
    page.driver.back()
    page.eventually(lambda: "FCT, attempt 2 of 2" in page.text(".rh"))
    complaints = [each for each in page.complaints() if "404" not in each]
    assert complaints == []  # before it was tested, the unit was not found
