"""The Rejects page in a real browser: from what was not understood to a result."""

import json
from urllib.request import urlopen

import pytest
from selenium.webdriver.common.by import By

from tests.support.browser import Browser
from tests.support.product import Product, measurement
from tests.support.raw_mqtt import Sender
from tests.support.waiting import eventually_sync

pytestmark = pytest.mark.browser
GROUPS = ".rj .gr"


def rejected_count(product: Product, **query: str) -> int:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    with urlopen(f"{product.url}/api/v1/rejections?{asked}", timeout=10) as answer:
        return len(json.load(answer)["items"])


def refuse(product: Product, machine_id: str, *payloads: bytes) -> None:
    """Send what cannot be understood; return when it is stored."""
    before = rejected_count(product, machine_id=machine_id)
    with Sender(product.mqtt_port, f"sender-{machine_id}") as sender:
        sender.send([(f"factory/v1/L1/{machine_id}/test", payload) for payload in payloads])
    eventually_sync(
        lambda: rejected_count(product, machine_id=machine_id) == before + len(payloads), 20
    )


def of_another(barcode: str, machine_id: str) -> bytes:
    return json.dumps(measurement(barcode, machine_id, message_id=barcode)).encode()


def click(browser: Browser, text: str, within: str = ".resend") -> None:
    """Click the button that says so, once it may be clicked."""
    find = (
        f"return [...document.querySelectorAll('{within} button')]"
        ".find((each) => each.innerText.startsWith(arguments[0]) && !each.disabled)"
    )
    browser.eventually(lambda: browser.run(find, text))
    browser.run(f"({find.replace('return ', '')}).click()", text)


def test_a_group_is_tried_sent_to_the_right_topic_and_becomes_results(
    product: Product, browser: Browser
) -> None:
    refuse(product, "FCT-12", *(of_another(f"G-{number}", "FCT-13") for number in range(3)), b"{")
    browser.open(f"{product.url}/rejects?range=24h&code=machine_mismatch&machine_id=FCT-12")
    browser.eventually(lambda: browser.text(".raw u") == '"FCT-13"')
    assert "The topic is of machine 'FCT-12', the message of 'FCT-13'." in browser.text(".one")
    click(browser, "The group, 3")
    click(browser, "Send it to the topic of FCT-13")
    click(browser, "Dry run")
    browser.eventually(lambda: "of 3 would be accepted" in browser.text(".nums"))
    assert "3 PASS" in browser.text(".nums")
    click(browser, "Resubmit 3")
    browser.eventually(lambda: browser.count(".watch li a") == 3, 30)
    assert "3 of 3 sent" in browser.text(".sending")
    browser.eventually(lambda: "done, 3" in browser.text(".groups"))
    browser.eventually(lambda: browser.text(".nav.on .cnt") == "1")
    assert rejected_count(product, machine_id="FCT-12", open="true") == 1
    assert browser.complaints() == []


def test_a_message_that_broke_off_is_mended_in_a_copy(product: Product, browser: Browser) -> None:
    refuse(product, "AOI-21", b'{"barcode": "C-1", "machine_id"')
    browser.open(f"{product.url}/rejects?range=24h&code=not_json&machine_id=AOI-21")
    browser.eventually(lambda: browser.text(".raw .cut") == "ends here")
    click(browser, "Dry run")
    browser.eventually(lambda: "1 rejected again" in browser.text(".nums"))
    assert browser.driver.find_element(By.CSS_SELECTOR, ".send .pri").get_attribute("disabled")
    click(browser, "Corrected copy")
    field = browser.driver.find_element(By.CSS_SELECTOR, ".rj textarea")
    assert field.get_attribute("value") == '{"barcode": "C-1", "machine_id"'
    browser.run("document.querySelector('.rj textarea').value = ''")
    field.send_keys(json.dumps(measurement("C-1", "AOI-21")))
    product_id = browser.driver.find_elements(By.CSS_SELECTOR, ".rj .fields input")[2]
    assert product_id.get_attribute("value") == "PROD-A"
    click(browser, "Dry run")
    click(browser, "Resubmit the copy")
    browser.eventually(lambda: browser.text(".watch li a") == "C-1", 30)
    assert "/units/C-1?run=" in str(
        browser.driver.find_element(By.CSS_SELECTOR, ".watch a").get_attribute("href")
    )
    browser.eventually(lambda: "resubmitted by web app" in browser.text(".settled"))


def test_closing_wants_a_reason(product: Product, browser: Browser) -> None:
    refuse(product, "CLOSE-1", b"[")
    browser.open(f"{product.url}/rejects?range=24h&code=not_json&machine_id=CLOSE-1")
    browser.eventually(lambda: browser.count(".send .btn") == 2)
    close = browser.driver.find_elements(By.CSS_SELECTOR, ".send .btn")[1]
    assert close.get_attribute("disabled")
    browser.driver.find_element(By.CSS_SELECTOR, ".send input").send_keys("a test")
    click(browser, "Close this one")
    browser.eventually(lambda: "closed by web app" in browser.text(".settled"))
    assert browser.text(".settled").endswith(": a test")
    assert rejected_count(product, machine_id="CLOSE-1", open="true") == 0


def test_nothing_rejected_is_said_and_leads_on(product: Product, browser: Browser) -> None:
    refuse(product, "ANY-1", b"]")
    past = "since=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00Z"
    browser.open(f"{product.url}/rejects?{past}")
    browser.eventually(lambda: "Nothing was rejected" in browser.text(".groups"))
    browser.run("document.querySelector('.groups .nothing .btn').click()")
    browser.eventually(lambda: browser.count(GROUPS))


def test_on_a_phone_the_list_leads_to_one(product: Product, browser: Browser) -> None:
    refuse(product, "PHONE-1", b"}")
    browser.resize(390, 844)
    browser.open(f"{product.url}/rejects?range=24h")
    browser.eventually(lambda: browser.count(GROUPS))
    assert browser.count(".one") == 0
    browser.run(f"document.querySelector('{GROUPS}').click()")
    browser.eventually(lambda: browser.count(".raw .hl"))
    assert browser.run("return document.documentElement.scrollWidth") <= 390
    heights = browser.run(
        "return [...document.querySelectorAll('.rj .btn')].map((each) => each.offsetHeight)"
        ".filter((height) => height)"
    )
    assert min(heights) >= 44
    assert browser.complaints() == []
