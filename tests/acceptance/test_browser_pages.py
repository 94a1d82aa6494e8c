"""The whole product in a real browser: from a POST to what a person sees."""

import re
import time
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.support.browser import Browser
from tests.support.product import STALE_AFTER_S, Product, measurement

pytestmark = pytest.mark.browser

MAY_GO = """
  const [unit, done] = arguments;
  import("yieldline-machine/verdict.js").then(({mayGo}) => done(mayGo(unit).procedure));
"""


def long_run(barcode: str) -> dict[str, Any]:
    """A run of 2,410 steps, 21 of them failed; the tester calls it PASS."""
    steps = [
        {
            "test_step": f"c{i}",
            "measured_value": 9.0 if i % 115 == 0 else 5.0,
            "unit": "V",
            "low": 4.5,
            "high": 5.5,
            "reported_outcome": "FAIL" if i % 115 == 0 else "PASS",
        }
        for i in range(2410)
    ]
    return {
        "barcode": barcode,
        "machine_id": "ICT-3",
        "product_id": "PCB-7",
        "procedure": "ICT",
        "started_at": "2024-10-12T09:30:00Z",
        "ended_at": "2024-10-12T09:31:10Z",
        "reported_outcome": "PASS",
        "source": {"file": "lot77.ict", "byte_start": 40112, "byte_end": 81960},
        "measurements": steps,
    }


def test_the_first_result_of_an_empty_plant_appears_within_a_second(
    product: Product, browser: Browser
) -> None:
    browser.open(product.url)
    assert "No machine has reported yet." in browser.text()
    assert "/ingest" in browser.text("pre")
    browser.eventually(lambda: browser.run("return window.socket?.connected === true"))
    begun = time.monotonic()
    product.post(measurement("SN-1001", "MACH-01"))
    browser.eventually(lambda: "MACH-01" in browser.text(".tiles"))
    assert time.monotonic() - begun < 1
    browser.eventually(lambda: "SN-1001" in browser.text(".feed"))
    assert "PASS" in browser.text(".feed")
    assert browser.complaints() == []


def test_a_silent_machine_becomes_stale_on_the_screen_by_itself(
    product: Product, browser: Browser
) -> None:
    product.post(measurement("SN-1002", "SILENT-1"))
    browser.open(product.url)
    tile = '.tile[href="/machines/SILENT-1"]'
    browser.eventually(lambda: browser.count(tile))
    browser.eventually(lambda: browser.count(f"{tile}.stale"), STALE_AFTER_S + 5)
    assert "stale" in browser.text(tile)
    assert "SILENT-1 silent for" in browser.text(".att")


def test_a_screen_whose_clock_is_set_forward_makes_nothing_stale(
    product: Product, browser: Browser
) -> None:
    browser.open(product.url)
    script = "import('yieldline').then(({clock, live}) => arguments[0]([clock.now, live.number]))"

    def shown() -> tuple[float, int]:
        clock_s, frame = browser.driver.execute_async_script(script)
        return clock_s - time.time(), frame

    _, before = shown()
    browser.run("const real = Date.now; Date.now = () => real() + 3_600_000")
    browser.eventually(lambda: shown()[1] > before + 1)
    browser.eventually(lambda: abs(shown()[0]) < 5)


def test_html_in_a_barcode_is_shown_as_text(product: Product, browser: Browser) -> None:
    barcode = '<img src=x onerror="document.title=1">'
    product.post(measurement(barcode, "MACH-02", measured_value=1.0, test_step="<b>bold</b>"))
    browser.open(product.url)
    browser.eventually(lambda: barcode in browser.text(".feed"))
    browser.open(f"{product.url}/units/{quote(barcode, safe='')}")
    browser.eventually(lambda: barcode in browser.text(".hd"))
    assert "<b>bold</b>" in browser.text(".run")
    assert browser.count(".app img, .app td b b") == 0
    assert browser.run("return document.title") != "1"


def test_the_bar_of_a_failing_step_has_a_name_for_who_does_not_see_it(
    product: Product, browser: Browser
) -> None:
    for number in (1, 2):
        product.post(measurement(f"SN-BAR-{number}", "MACH-02", measured_value=1.0))
    bars = "return [...document.querySelectorAll('.stp a.sb')].map((bar) => bar.ariaLabel)"
    browser.open(product.url)
    browser.eventually(lambda: "voltage_test: 2 units" in browser.run(bars))
    for bar in browser.driver.find_elements("css selector", ".stp a.sb"):
        assert re.fullmatch(r".+: \d+ units?", bar.accessible_name)


def test_an_unknown_unit_says_so_and_names_the_nearest(product: Product, browser: Browser) -> None:
    product.post(measurement("EC41-2647-018832", "MACH-03"))
    url = f"{product.url}/units/EC41-2647-018831"

    def shown() -> bool:
        browser.open(url)
        return "EC41-2647-018832" in browser.text(".us")

    browser.eventually(shown)
    assert "No unit with the barcode EC41-2647-018831 has been tested." in browser.text(".us")


def test_an_unknown_machine_is_a_sentence(product: Product, browser: Browser) -> None:
    browser.open(f"{product.url}/machines/NOBODY-1")
    assert "No machine 'NOBODY-1' has reported to this plant." in browser.text(".us")


def test_a_run_of_thousands_of_steps_opens_with_its_failures_first(
    product: Product, browser: Browser
) -> None:
    product.post(long_run("PCB7-000217"))
    url = f"{product.url}/units/PCB7-000217"

    def stored() -> bool:
        browser.open(url)
        return browser.count(".un") == 1

    browser.eventually(stored)
    assert "The tester said PASS, but 21 of its steps failed." in browser.text(".run")
    assert browser.count("tbody tr") == 221
    assert browser.count("tbody tr.fail") == 21
    assert "12 October 2024" in browser.text(".hd")
    assert "11:30:00 CEST" in browser.text(".ev")
    assert "lot77.ict" in browser.text(".ev")
    browser.run("document.querySelector('.ft .lnk').click()")
    browser.eventually(lambda: browser.count("tbody tr") == 2410)
    complaints = [each for each in browser.complaints() if "404" not in each]
    assert complaints == []  # before it was stored, the page was not found


def test_a_unit_says_first_pass_and_final_yield(product: Product, browser: Browser) -> None:
    early = "2026-01-05T10:00:00Z"
    steps = {"measured_value": 1.0, "reported_outcome": "FAIL", "test_step": "spin"}
    product.post(
        measurement("SN-RETEST", "MACH-04", timestamp=early, **steps),
        measurement("SN-RETEST", "MACH-04", **{**steps, "reported_outcome": "PASS"}),
    )
    url = f"{product.url}/units/SN-RETEST"

    def both() -> bool:
        browser.open(url)
        return browser.count(".at") == 2

    browser.eventually(both)
    facts = " ".join(browser.text(".hd dl").split())
    assert "First pass 0 %" in facts
    assert "Final 100 %" in facts
    assert "First seen 5 January 2026 11:00:00 CET" in facts


def test_a_machines_page_follows_its_results(product: Product, browser: Browser) -> None:
    product.post(measurement("SN-A", "MACH-05"))
    url = f"{product.url}/machines/MACH-05"

    def known() -> bool:
        browser.open(url)
        return browser.count(".ma") == 1

    browser.eventually(known)
    browser.eventually(lambda: "PASS" in browser.text(".big"))
    product.post(measurement("SN-B", "MACH-05", measured_value=3.0, reported_outcome="PASS"))
    browser.eventually(lambda: "FAIL" in browser.text(".big"))
    assert "SN-B" in browser.text(".vx")
    assert "The tester said PASS." in browser.text(".vx")
    assert browser.count(".lr tr") == 2
    browser.eventually(lambda: "1 step: 1 FAIL" in browser.text(".vx"))
    places = [{"procedure": each, "allowed": True, "reason": ""} for each in ("ICT", "FCT")]
    for been, following, ahead in ((["ICT"], "ICT", "FCT"), (["ICT", "FCT"], "ICT", "ICT")):
        unit = {
            "may_go_to": places,
            "procedures": [{"procedure": each} for each in been],
            "next_procedure": following,
        }
        assert browser.driver.execute_async_script(MAY_GO, unit) == ahead


def test_a_machines_page_tells_its_past_draws_a_step_live_and_has_a_kiosk(
    product: Product, browser: Browser
) -> None:
    values = "return document.querySelector('.lc .pic')?.getAttribute('aria-label') ?? ''"
    browser.open(f"{product.url}/machines/MACH-05?range=15min")
    browser.eventually(lambda: browser.run(values).startswith("voltage_test: 2 values"))
    strip = "return document.querySelector('.strip').getAttribute('aria-label')"
    browser.eventually(lambda: "online" in browser.run(strip))
    browser.eventually(lambda: "1 run, by first failure" in browser.text(".fs"))
    assert "first_failure=voltage_test" in browser.run(
        "return document.querySelector('.fs .sr').href"
    )
    browser.eventually(lambda: "1 difference" in browser.text(".dis"))
    browser.eventually(lambda: "2, few" in browser.text(".pe tr.on"))
    product.post(measurement("SN-C", "MACH-05", measured_value=88.0))
    browser.eventually(lambda: browser.run(values).startswith("voltage_test: 3 values, last 88"))
    browser.run("document.querySelector('.pe .info').click()")
    browser.eventually(lambda: "Copy API URL" in browser.text(".pe"))
    assert browser.complaints() == []
    browser.driver.get(f"{product.url}/machines/MACH-05?kiosk=1")
    browser.eventually(lambda: "PASS" in browser.text(".kiosk"))
    product.post(measurement("SN-D", "MACH-05", measured_value=3.0))
    browser.eventually(lambda: "FAIL SN-D" in " ".join(browser.text(".kiosk").split()))
    assert "limit ≥ 80" in browser.text(".kiosk")
    tall = "return document.querySelector('.kiosk .word').getBoundingClientRect().height"
    assert browser.run(tall) > 200
    assert browser.run("return document.documentElement.scrollHeight") == 1080


def test_what_rings_is_a_card_that_a_key_acknowledges_and_a_tile_tells_its_last_runs(
    product: Product, browser: Browser
) -> None:
    card, tile = ".att .al.critical", '.tile[href="/machines/RING-9"]'
    for number in range(3):
        product.post(measurement(f"SN-R{number}", "RING-9", measured_value=1.0))
    browser.open(product.url)
    browser.eventually(lambda: browser.count(f"{card} .btn"))
    assert "RING-9 3 fails in a row" in browser.text(card)
    assert browser.count(f"{tile}.crit") == 1
    ActionChains(browser.driver).send_keys("a").perform()
    browser.eventually(lambda: browser.count(f"{tile}.rests"))
    assert browser.count(f"{card} .btn") == 0
    over = "dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))"
    browser.run(f"document.querySelector('{tile}').{over}")
    browser.eventually(lambda: browser.count(".last10:popover-open tr") == 3)
    assert "SN-R2" in browser.text(".last10")
    browser.open(f"{product.url}/machines/RING-9")
    browser.eventually(lambda: "acknowledged by" in browser.text(".ma .al"))


def test_a_phone_scrolls_down_but_never_sideways(product: Product, browser: Browser) -> None:
    browser.resize(390, 844)
    for path in ("/", "/units", "/machines/MACH-05", "/units/SN-RETEST", "/units/PCB7-000217"):
        browser.open(product.url + path)
        wide = browser.run("return document.documentElement.scrollWidth")
        assert wide == 390, path


@pytest.mark.parametrize("size", [(1920, 1080), (1366, 768)])
def test_the_floor_never_scrolls_on_a_desk(
    product: Product, browser: Browser, size: tuple[int, int]
) -> None:
    browser.resize(*size)
    browser.open(product.url)
    browser.eventually(lambda: browser.count(".tile") > 3)
    root = "const r = document.documentElement; return [r.scrollWidth, r.scrollHeight]"
    assert browser.run(root) == list(size)


def test_the_theme_is_the_systems_until_the_user_chooses(
    product: Product, browser: Browser
) -> None:
    shown = "return document.documentElement.dataset.theme"
    for scheme in ("dark", "light"):
        browser.prefer(scheme)
        browser.open(product.url)
        assert browser.run(shown) == scheme
    browser.run("document.querySelector('button[aria-label^=Theme]').click()")
    browser.eventually(lambda: browser.run(shown) == "dark")
    browser.open(f"{product.url}/units")
    assert browser.run(shown) == "dark"
    assert "rgb(18, 21, 24)" in browser.run("return getComputedStyle(document.body).background")
    browser.run("localStorage.clear()")
    browser.open(f"{product.url}/?theme=light")
    assert browser.run(shown) == "light"


def test_a_scanner_opens_the_unit_and_gives_the_field_its_text_back(
    product: Product, browser: Browser
) -> None:
    browser.open(f"{product.url}/units")
    browser.run("document.querySelector('.scan input').focus()")
    ActionChains(browser.driver, duration=0).send_keys("old").perform()
    browser.run("""
      const input = document.querySelector('.scan input');
      window.before = null;
      const stop = (event) => { window.before = input.value; };
      window.addEventListener('beforeunload', stop);
      setTimeout(() => {
        for (const key of [...'SN-RETEST', 'Enter']) {
          const event = new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true});
          const typed = input.dispatchEvent(event);
          if (typed && key.length === 1) input.value += key;
        }
        sessionStorage.setItem('field', input.value);
      }, 300);
    """)
    browser.eventually(lambda: "/units/SN-RETEST" in browser.driver.current_url)
    assert browser.run("return sessionStorage.getItem('field')") == "old"


def test_slash_goes_to_the_scan_box_and_enter_opens_the_unit(
    product: Product, browser: Browser
) -> None:
    browser.open(f"{product.url}/units")
    ActionChains(browser.driver).send_keys("/").perform()
    focused = "return document.activeElement === document.querySelector('.scan input')"
    browser.eventually(lambda: browser.run(focused))
    for key in [*"SN-1001", Keys.ENTER]:
        ActionChains(browser.driver).send_keys(key).pause(0.06).perform()
    browser.eventually(lambda: browser.driver.current_url.endswith("/units/SN-1001"))


def test_a_hidden_tab_gets_no_frames_and_catches_up_when_it_is_seen_again(
    product: Product, browser: Browser
) -> None:
    browser.open(product.url)
    browser.eventually(lambda: "Live" in browser.text(".pulse"))
    browser.run("""
      window.frames = 0;
      window.isHidden = true;
      Object.defineProperty(document, 'hidden', {get: () => window.isHidden, configurable: true});
      window.socket.on('yieldline_frame', () => { window.frames += 1; });
    """)
    time.sleep(1.5)  # more than a heartbeat: the frame that was under way has come
    for i in range(4):
        product.post(measurement(f"SN-H{i}", "HIDDEN-1"))
        time.sleep(0.4)  # more than one tick
    assert browser.run("return window.frames") <= 1  # the one that was under way
    assert "HIDDEN-1" not in browser.text(".tiles")
    browser.run("""
      window.isHidden = false;
      document.dispatchEvent(new Event('visibilitychange'));
    """)
    browser.eventually(lambda: browser.count('.tile[href="/machines/HIDDEN-1"]'))
    assert browser.count(".app.cut") == 0


def test_no_request_leaves_this_host(product: Product, browser: Browser) -> None:
    for path in ("/", "/units", "/machines/MACH-05", "/units/SN-RETEST", "/units/nobody"):
        browser.open(product.url + path)
    assert browser.hosts() == {"127.0.0.1"}


def test_what_is_shown_stays_and_is_marked_when_the_server_is_gone(
    product: Product, browser: Browser
) -> None:
    browser.open(product.url)
    browser.eventually(lambda: "Live" in browser.text(".pulse"))
    browser.driver.execute_cdp_cmd(
        "Network.emulateNetworkConditions",
        {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1},
    )
    browser.run("window.socket.io.engine.close()")
    browser.eventually(lambda: "reconnecting" in browser.text(".pulse"), 6)
    browser.eventually(lambda: browser.count(".app.cut"), 14)
    assert "Numbers are not live." in browser.text(".cutbar")
    assert browser.count(".tile.stale") > 0
    browser.driver.execute_cdp_cmd(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1},
    )
    browser.eventually(lambda: not browser.count(".app.cut") and browser.count(".tile"), 20)


def test_an_address_without_a_page_is_said_in_our_own_frame(
    product: Product, browser: Browser
) -> None:
    browser.open(f"{product.url}/machine/X%20%3Cb%3E")
    assert browser.text(".say h2") == "There is no page /machine/X <b> here."
    assert browser.count(".rail a") >= 3
    with pytest.raises(HTTPError) as caught:
        urlopen(f"{product.url}/machine/X", timeout=10)
    assert caught.value.code == HTTPStatus.NOT_FOUND
    caught.value.close()
