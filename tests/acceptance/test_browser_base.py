"""What every page stands on, in a real browser: rail, keys, filters, panels, charts."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.support.browser import Browser
from tests.support.contrast import faint_texts
from tests.support.product import Product, measurement
from tests.support.waiting import eventually_sync
from ui.pages import PAGES

pytestmark = pytest.mark.browser

WITHOUT_ENTRY = {"ui.pages.machine": "/machines/MACH-01", "ui.pages.missing": "/machine/NOBODY"}
"""Where a page is that has no entry in the rail."""
WITHOUT_FRAME = ("/wall", "/wall?line=unassigned", "/docs")
BESIDE = ("/units/SN-1", "/units/NOBODY", "/wall?line=unassigned", "/docs")
"""Other faces of the same pages, and the one that is not ours."""

MOUNT = """
  const done = arguments[arguments.length - 1];
  const {template, data} = arguments[0];
  (async () => {
    const {createApp, reactive} = await import("vue");
    const parts = {...await import("yieldline"), ...await import("yieldline/chart.js")};
    document.querySelector("#try")?.remove();
    const root = Object.assign(document.createElement("div"), {id: "try"});
    root.style.cssText = "position:fixed;inset:60px 20px 40px 90px;z-index:9;display:flex";
    document.body.append(root);
    window.picked = [];
    const app = createApp({
      components: {Panel: parts.Panel, Chart: parts.Chart, Sheet: parts.Sheet},
      template,
      data: () => ({...data, options: (c) => ({
        xAxis: {type: "category", data: ["FCT-1", "FCT-2"]}, yAxis: {},
        series: [{type: "bar", data: [3, 5], itemStyle: {color: c.text}}]})}),
      created() { if (data.path) this.asks = parts.question(data.path); },
      methods: {csv: () => ({name: "steps", head: ["step"], rows: [["=1+1"], [-5]]})},
    });
    window.tried = app.mount(root);
    done(true);
  })();
"""

SCAN = """
  const [text, end] = arguments;
  const field = document.activeElement;
  for (const key of [...text, end]) {
    const event = new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true});
    if (!field.dispatchEvent(event) || key.length > 1 || !("value" in field)) continue;
    field.value += key;
    field.dispatchEvent(new Event("input", {bubbles: true}));
  }
"""
DIALOG = """
  document.body.insertAdjacentHTML("beforeend", "<dialog id='note'><textarea></textarea></dialog>");
  document.querySelector("#note").showModal();
"""
CAMERA = """
  const canvas = Object.assign(document.createElement("canvas"), {width: 64, height: 64});
  canvas.getContext("2d").fillRect(0, 0, 9, 9);
  setInterval(() => canvas.getContext("2d").fillRect(0, 0, 64 * Math.random(), 9), 40);
  navigator.mediaDevices.getUserMedia = async () => (window.stream = canvas.captureStream());
  window.BarcodeDetector = class { async detect() { return [{rawValue: "SN-CAMERA"}]; } };
"""
READ = """
  const done = arguments[arguments.length - 1];
  import("yieldline/scan/patterns.js").then(({readScan}) =>
    done(arguments[1].map((text) => Object.values(readScan(text, arguments[0])).join(" "))));
"""
PATTERNS = {
    "prefix": "]C1",
    "unit": ["EC4[0-2]-*", "T?"],
    "golden": ["EC41-GOLD*"],
    "badge": ["B.*"],
}


@pytest.fixture
def units(product: Product, browser: Browser) -> Iterator[Browser]:
    product.post(measurement("SN-SCAN", "MACH-01"))
    eventually_sync(lambda: "SN-SCAN" in read(f"{product.url}/api/v1/results?barcode=SN-SCAN"))
    browser.open(f"{product.url}/units")
    yield browser
    browser.run("localStorage.clear()")


def scan(browser: Browser, text: str, end: str = "Enter") -> None:
    """Type as a scanner does, into whatever has the focus."""
    browser.run(SCAN, text, end)


def mount(browser: Browser, template: str, **data: object) -> None:
    """Draw a template that uses the shared parts over the page."""
    assert browser.driver.execute_async_script(MOUNT, {"template": template, "data": data})


def read(url: str) -> str:
    with urlopen(url, timeout=10) as answer:
        return str(answer.read(), "utf-8")


def press(browser: Browser, *keys: str) -> None:
    ActionChains(browser.driver).send_keys(*keys).perform()


def write(browser: Browser, text: str) -> None:
    """Type as a person does, who is not done when a scan begins."""
    ActionChains(browser.driver).send_keys(text).pause(0.25).perform()


def is_in_scan_box(browser: Browser) -> bool:
    return bool(browser.run("return document.activeElement.matches('.scan input')"))


def answer_the_keys(browser: Browser) -> None:
    press(browser, "/")
    browser.eventually(lambda: is_in_scan_box(browser))
    press(browser, Keys.ESCAPE)
    assert not is_in_scan_box(browser)
    press(browser, "?")
    browser.eventually(lambda: "Alt+1" in browser.text("dialog.help[open]"))
    press(browser, Keys.ESCAPE)
    browser.eventually(lambda: not browser.count("dialog[open]"))


def test_every_entry_of_the_rail_leads_to_a_page(product: Product, browser: Browser) -> None:
    browser.open(product.url)
    links = browser.run("return [...document.querySelectorAll('.rail a')].map((a) => a.href)")
    assert len(links) >= 3
    for link in links:
        with urlopen(link, timeout=10) as answer:
            assert answer.status == 200


def test_every_page_answers_the_keys_asks_no_other_host_and_has_no_error_in_its_console(
    product: Product, browser: Browser
) -> None:
    product.post(measurement("SN-1", "MACH-01"))
    eventually_sync(lambda: "SN-1" in read(f"{product.url}/api/v1/results?barcode=SN-1"))
    places = [
        page.entry.href if page.entry else WITHOUT_ENTRY[page.register.__module__] for page in PAGES
    ]
    for place in (*places, *BESIDE):
        browser.driver.get(f"{product.url}{place}")
        browser.eventually(lambda: browser.count("#swagger-ui section, .wall, .body > *"), 30)
        browser.eventually(lambda: not browser.count("[aria-busy=true]"))
        if place not in WITHOUT_FRAME:
            answer_the_keys(browser)
        if place != "/docs":  # Swagger's own colours
            assert (place, faint_texts(browser)) == (place, [])
        unknown = [each for each in browser.complaints() if "/NOBODY" not in each]
        assert (place, unknown) == (place, [])
        assert (place, browser.hosts()) == (place, {"127.0.0.1"})


def test_alt_and_a_digit_open_a_page(product: Product, browser: Browser) -> None:
    browser.open(product.url)
    ActionChains(browser.driver).key_down(Keys.ALT).send_keys("4").key_up(Keys.ALT).perform()
    browser.eventually(lambda: browser.driver.current_url.endswith("/units"))
    browser.eventually(lambda: browser.text('.rail [aria-current="page"]') == "Units")


def test_question_mark_shows_the_keys_and_escape_closes_them(
    product: Product, browser: Browser
) -> None:
    browser.open(product.url)
    press(browser, "?")
    browser.eventually(lambda: "Alt+1" in browser.text("dialog[open]"))
    press(browser, Keys.ESCAPE)
    browser.eventually(lambda: not browser.count("dialog[open]"))


def test_the_first_tab_leads_past_the_menu(product: Product, browser: Browser) -> None:
    browser.open(product.url)
    press(browser, Keys.TAB)
    assert browser.run("return document.activeElement.textContent") == "Skip to the page"
    press(browser, Keys.ENTER, Keys.TAB)
    assert browser.run("return document.activeElement.closest('.body') !== null")


def test_the_line_is_in_the_address_and_back_undoes_it(product: Product, browser: Browser) -> None:
    product.post(measurement("SN-1", "MACH-01"))
    browser.open(product.url)
    browser.eventually(lambda: "unassigned" in browser.text("select[aria-label='Line filter']"))
    browser.run("""
      const select = document.querySelector("select[aria-label='Line filter']");
      select.value = "unassigned";
      select.dispatchEvent(new Event("change"));
    """)
    browser.eventually(lambda: browser.driver.current_url.endswith("?line=unassigned"))
    trend = "return document.querySelector('.side .trend').innerText"
    browser.eventually(lambda: "unassigned · 15 min" in browser.run(trend))
    browser.driver.back()
    browser.eventually(lambda: "unassigned" not in browser.run(trend))
    browser.eventually(lambda: "line=" not in browser.driver.current_url)
    browser.run("localStorage.clear()")


def test_on_a_phone_the_other_pages_are_behind_more(product: Product, browser: Browser) -> None:
    browser.resize(390, 844)
    browser.open(product.url)
    browser.run("document.querySelector('.mob > button:last-child').click()")
    assert "Units" in browser.text("dialog.more[open]")


def test_a_panel_shows_what_it_asked_for_and_says_what_it_is(
    product: Product, browser: Browser
) -> None:
    product.post(measurement("SN-2", "MACH-01"))
    eventually_sync(lambda: "MACH-01" in read(f"{product.url}/api/v1/machines"))
    browser.open(product.url)
    mount(
        browser,
        "<Panel title='Machines' what='Whoever ever reported. A box wraps, whatever its bar does.'"
        " :asks='asks' :rows='1' :csv='csv'>"
        "<template #default='{data}'><p v-for='each in data.items' class='got'>"
        "{{ each.machine_id }}</p></template></Panel>",
        path="/api/v1/machines",
    )
    browser.eventually(lambda: browser.text(".got") == "MACH-01")
    browser.run("document.querySelector('[aria-label=\"About Machines\"]').click()")
    browser.eventually(lambda: "Whoever ever reported." in browser.text(".popbox:popover-open"))
    assert "everything" in browser.text(".popbox:popover-open")
    box = "const box = document.querySelector('.popbox:popover-open'); "
    assert browser.run(f"{box} return box.scrollWidth <= box.clientWidth")
    press(browser, Keys.ESCAPE)
    browser.eventually(lambda: not browser.count(".popbox:popover-open"))


def test_a_panel_says_in_a_sentence_what_went_wrong_and_asks_again(
    product: Product, browser: Browser
) -> None:
    browser.open(product.url)
    template = "<Panel title='Runs' :asks='asks'><p class='got'>drawn</p></Panel>"
    mount(browser, template, path="/api/v1/results?limit=0")
    browser.eventually(lambda: "limit: " in browser.text("#try .failed"))
    browser.run("window.fetch = () => Promise.reject(new TypeError('no network'))")
    browser.run("document.querySelector('#try .failed .btn').click()")
    browser.eventually(lambda: "The server does not answer." in browser.text("#try .failed"))
    assert browser.count("#try .got") == 0


def test_an_empty_panel_says_why_and_offers_one_action(product: Product, browser: Browser) -> None:
    browser.open(product.url)
    empty = {"words": "No runs on L3 since 06:00.", "action": "Show last shift", "href": "/?x=1"}
    template = "<Panel title='Runs' :empty='empty'><p class='got'>drawn</p></Panel>"
    mount(browser, template, empty=empty)
    browser.eventually(lambda: "No runs on L3 since 06:00." in browser.text("#try"))
    assert browser.text("#try a.btn") == "Show last shift"
    assert browser.count("#try .got") == 0


def test_a_chart_is_drawn_from_our_own_host_and_is_a_table_too(
    product: Product, browser: Browser
) -> None:
    browser.open(product.url)
    table = {"head": ["machine", "fails"], "rows": [["FCT-1", 3], ["FCT-2", 5]]}
    mount(
        browser,
        "<Chart :options='options' summary='FCT-2 fails most.' :table='table'/>",
        table=table,
    )
    browser.eventually(lambda: browser.count("#try canvas"))
    assert browser.hosts() == {"127.0.0.1"}
    assert browser.run("return document.querySelector('#try [role=img]').ariaLabel") == (
        "FCT-2 fails most."
    )
    browser.run("document.querySelector('#try .astable').click()")
    browser.eventually(lambda: "FCT-2" in browser.text("#try table"))
    assert browser.complaints() == []


def test_a_chart_follows_the_theme(product: Product, browser: Browser) -> None:
    browser.prefer("dark")
    browser.open(f"{product.url}/?theme=dark")
    template = "<Chart ref='chart' :options='options' summary='s' :table='{head: [], rows: []}'/>"
    mount(browser, template)
    browser.eventually(lambda: browser.count("#try canvas"))
    colour = "return window.tried.$refs.chart.picture.getOption().series[0].itemStyle.color"
    assert browser.run(colour) == "#E9EDF0"
    browser.run("document.querySelector('button[aria-label^=Theme]').click()")
    browser.eventually(lambda: browser.run(colour) == "#14181B")
    browser.run("localStorage.clear()")


def test_a_table_for_a_spreadsheet_holds_no_formula(product: Product, browser: Browser) -> None:
    browser.open(product.url)
    rows = [["=1+1", -5, "-5"], [" \n@x", 'a"b', None]]
    made = browser.driver.execute_async_script(
        "import('yieldline/csv.js').then((m) => arguments[1](m.csvOf(arguments[0])))",
        rows,
    )
    assert json.dumps(made) == json.dumps('\'=1+1,-5,\'-5\r\n"\' \n@x","a""b",\r\n')


# -- scanners ----------------------------------------------------------------------------------


def test_a_scan_shows_the_unit_at_the_side_while_a_dialog_holds_unsaved_text(
    units: Browser,
) -> None:
    units.run(DIALOG)
    write(units, "why it failed")
    scan(units, "SN-SCAN", "Tab")
    units.eventually(lambda: "MACH-01" in units.text(".scanned:popover-open"))
    assert units.run("return document.querySelector('#note textarea').value") == "why it failed"
    assert units.driver.current_url.endswith("/units")
    press(units, Keys.ESCAPE)
    units.eventually(lambda: not units.count(".scanned"))
    assert units.count("#note[open]") == 1
    scan(units, "NOBODY-KNOWS-IT")
    units.eventually(lambda: "No unit with this barcode" in units.text(".scanned:popover-open"))
    units.run("document.querySelector('.scanned [aria-label=Close]').click()")
    units.run("document.querySelector('#note textarea').value = ''; note.close()")
    scan(units, "SN-SCAN")
    units.eventually(lambda: units.driver.current_url.endswith("/units/SN-SCAN"))


def test_patterns_tell_units_golden_samples_and_badges_apart(units: Browser) -> None:
    texts = ["]C1EC41-7", "EC42-1", "EC43-1", "T7", "T77", "EC41-GOLD-2", "B.12", "Bx12"]
    said: list[Any] = units.driver.execute_async_script(READ, PATTERNS, texts)
    kinds = ["unit", "unit", "odd", "unit", "odd", "golden", "badge", "odd"]
    texts[0] = "EC41-7"
    assert said == [f"{kind} {text}" for kind, text in zip(kinds, texts, strict=True)]
    any_unit = {**PATTERNS, "prefix": "", "unit": []}
    assert units.driver.execute_async_script(READ, any_unit, ["EC43-1"]) == ["unit EC43-1"]


def test_a_phones_camera_scans_where_the_browser_reads_barcodes_and_says_where_not(
    product: Product, units: Browser
) -> None:
    units.resize(390, 844)
    units.run("delete window.BarcodeDetector")
    units.run("[...document.querySelectorAll('.mob button')][0].click()")
    units.eventually(lambda: "cannot read barcodes" in units.text("dialog.camera[open]"))
    units.run("document.querySelector('dialog.camera .btn').click()")
    units.eventually(lambda: is_in_scan_box(units))
    units.run(CAMERA)
    units.run("[...document.querySelectorAll('.mob button')][0].click()")
    units.eventually(lambda: units.driver.current_url == f"{product.url}/units/SN-CAMERA")


def test_single_keys_can_be_turned_off_but_not_scans(product: Product, units: Browser) -> None:
    press(units, "?")
    units.eventually(lambda: units.count("dialog.help[open] input"))
    units.run("document.querySelector('dialog.help input').click()")
    press(units, Keys.ESCAPE)
    units.eventually(lambda: not units.count("dialog[open]"))
    units.open(f"{product.url}/units")
    press(units, "/")
    press(units, Keys.ESCAPE, "?")
    units.eventually(lambda: units.count("dialog.help[open]"))
    assert not is_in_scan_box(units)
    press(units, Keys.ESCAPE)
    scan(units, "SN-SCAN")
    units.eventually(lambda: units.driver.current_url.endswith("/units/SN-SCAN"))


# -- time --------------------------------------------------------------------------------------


def test_my_time_is_the_browsers_and_stays_until_it_is_switched_back(
    product: Product, units: Browser
) -> None:
    zone = {"timezoneId": "Asia/Kolkata"}
    units.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", zone)
    units.open(f"{product.url}/units/SN-SCAN")
    assert "CE" in units.text(".now")
    assert "CE" in units.text(".un")
    units.run("document.querySelector('button.now').click()")
    units.eventually(lambda: "GMT+5:30" in units.text(".now"))
    units.eventually(lambda: "IST" in units.text(".un"))
    units.open(f"{product.url}/results")
    assert "GMT+5:30" in units.text(".now")
    assert ":30" in units.text(".range em")
    units.eventually(lambda: units.count(".ag-row [col-id=start]"))
    said = units.driver.execute_async_script(
        "import('yieldline/words.js').then((m) => arguments[0](m.fullTime(0)))"
    )
    assert (
        said
        == "Thu 1 Jan 05:30:00 GMT+5:30 \u00b7 00:00:00 UTC \u00b7 Thu 01:00:00 CET at the plant"
    )
    units.run("document.querySelector('button.now').click()")
    units.eventually(lambda: "CE" in units.text(".now"))
    units.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})
