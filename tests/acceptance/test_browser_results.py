"""The Results page in a real browser: exactly these runs, and all of them."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pyarrow.parquet
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.support.browser import Browser
from tests.support.product import Product, measurement
from tests.support.waiting import eventually_sync

pytestmark = pytest.mark.browser

NOW = datetime.now(UTC)
RUNS = 250
"""More than two blocks of the grid."""


def stored_count(product: Product, **filters: str) -> int:
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    with urlopen(f"{product.url}/api/v1/results/count?{query}", timeout=10) as answer:
        return int(json.load(answer)["count"])


def old(barcode: str, number: int, **changes: object) -> dict[str, object]:
    """Return a measurement of `number` seconds and two hours ago."""
    at = NOW - timedelta(hours=2, seconds=number)
    return measurement(barcode, "GRID-1", timestamp=at.isoformat(), **changes)


@pytest.fixture(scope="module")
def plant(product: Product) -> Product:
    """A product with `RUNS` runs of two hours ago; every tenth failed, and its tester lied."""
    for start in range(0, RUNS, 50):
        product.post(
            *(
                old(
                    f"R-{number:03}",
                    number,
                    measured_value=1.0 if number % 10 == 0 else 85.5,
                    reported_outcome="PASS",
                    procedure="ODD" if number % 2 else "EVEN",
                )
                for number in range(start, start + 50)
            )
        )
    return product


@pytest.fixture
def page(plant: Product, browser: Browser) -> Iterator[Browser]:
    """The browser on the page, with every run of the last day in the grid."""
    eventually_sync(lambda: stored_count(plant, machine_id="GRID-1") >= RUNS)
    browser.open(f"{plant.url}/results?range=24h&machine_id=GRID-1")
    browser.eventually(lambda: "R-000" in browser.text(".aggrid"))
    yield browser
    browser.run("localStorage.clear()")


def rows(browser: Browser) -> list[str]:
    """Return the barcodes that are drawn, from the top."""
    found = browser.run("""
      return [...document.querySelectorAll('.ag-row')]
        .sort((a, b) => a.getAttribute('row-index') - b.getAttribute('row-index'))
        .map((row) => row.querySelector('[col-id=barcode]')?.innerText ?? '');
    """)
    return [each for each in found if each]


def query_of(browser: Browser) -> dict[str, list[str]]:
    return parse_qs(urlsplit(browser.driver.current_url).query)


def click(browser: Browser, selector: str) -> None:
    browser.run("document.querySelector(arguments[0]).click()", selector)


def press_row(browser: Browser, number: int) -> None:
    """Click on a row as a person does."""
    cell = f".ag-row[row-index='{number}'] [col-id=machine_id]"
    found = browser.driver.find_element(By.CSS_SELECTOR, cell)
    ActionChains(browser.driver).move_to_element(found).click().perform()


def test_the_newest_run_is_on_top_and_scrolling_reaches_the_oldest(page: Browser) -> None:
    assert rows(page)[:3] == ["R-000", "R-001", "R-002"]
    assert f"{RUNS} runs" in page.text(".rs .ph")

    def scrolled_to_the_end() -> bool:
        page.run("const v = document.querySelector('.ag-body-viewport'); v.scrollTop = 1e9;")
        return "R-249" in rows(page)

    page.eventually(scrolled_to_the_end, 20)
    assert page.complaints() == []


def test_oldest_first_turns_the_list_around_and_is_in_the_address(page: Browser) -> None:
    click(page, ".rs .ph button[aria-pressed]")
    page.eventually(lambda: rows(page)[:2] == ["R-249", "R-248"])
    assert query_of(page)["sort"] == ["asc"]
    page.driver.back()
    page.eventually(lambda: rows(page)[:2] == ["R-000", "R-001"])


def test_a_filter_is_chosen_from_names_and_taken_away_again(page: Browser) -> None:
    click(page, "[aria-label='Procedure filter']")
    page.eventually(lambda: "ODD" in page.text(".popbox:popover-open"))
    ActionChains(page.driver).send_keys("odd").perform()
    page.eventually(lambda: "EVEN" not in page.text(".popbox:popover-open"))
    ActionChains(page.driver).send_keys(Keys.ENTER).perform()
    page.eventually(lambda: rows(page)[:2] == ["R-001", "R-003"])
    assert query_of(page)["procedure"] == ["ODD"]
    page.eventually(lambda: "125 runs" in page.text(".rs .ph"))
    click(page, "[aria-label='Clear Procedure']")
    page.eventually(lambda: rows(page)[:2] == ["R-000", "R-001"])


def test_what_differs_from_the_testers_word_is_said(page: Browser) -> None:
    row = page.text(".ag-row[row-index='0']").split("\n")
    assert "FAIL" in row
    assert "voltage_test" in row
    assert page.count(".ag-row[row-index='0'] [col-id=reported_outcome] .c-marg") == 1


def test_enter_opens_the_run_at_the_side_and_arrows_walk_on(page: Browser) -> None:
    press_row(page, 0)
    page.eventually(lambda: "R-000" in page.text(".sheet h2"))
    assert "\u2265 80" in page.text(".sheet tr.fail")
    assert "run" in query_of(page)
    ActionChains(page.driver).send_keys(Keys.ESCAPE).perform()
    page.eventually(lambda: page.count(".sheet") == 0)
    ActionChains(page.driver).send_keys(Keys.ARROW_DOWN).send_keys(Keys.ENTER).perform()
    page.eventually(lambda: "R-001" in page.text(".sheet h2"))
    ActionChains(page.driver).send_keys(Keys.ARROW_DOWN).perform()
    page.eventually(lambda: "R-002" in page.text(".sheet h2"))
    click(page, ".sheet .raw summary")
    page.eventually(lambda: '"barcode":' in page.text(".sheet pre").replace(" ", ""))
    assert page.complaints() == []


def test_a_link_to_a_run_opens_its_sheet(page: Browser) -> None:
    press_row(page, 3)
    page.eventually(lambda: "R-003" in page.text(".sheet h2"))
    page.open(page.driver.current_url)
    page.eventually(lambda: "R-003" in page.text(".sheet h2"))
    link = page.run("return document.querySelector('.sheet .lead a').getAttribute('href')")
    assert link == f"/units/R-003?run={query_of(page)['run'][0]}"


def test_going_to_a_time_begins_the_list_there(page: Browser) -> None:
    at = (NOW - timedelta(hours=2, seconds=120)).isoformat().replace("+00:00", "Z")
    page.open(f"{page.driver.current_url}&at={at}")
    page.eventually(lambda: rows(page)[:1] == ["R-121"])
    click(page, ".goto button:last-child")
    page.eventually(lambda: rows(page)[:1] == ["R-000"])


def test_new_runs_are_announced_and_shown_only_when_asked(plant: Product, page: Browser) -> None:
    before = rows(page)
    now = datetime.now(UTC).isoformat()
    plant.post(*(measurement(f"NEW-{i}", "GRID-1", timestamp=now) for i in range(3)))
    page.eventually(lambda: "3 new, show" in page.text(".rs .ph"), 15)
    assert rows(page) == before
    click(page, ".rs .new")
    page.eventually(lambda: "NEW-" in page.text(".ag-row[row-index='0']"))
    page.eventually(lambda: page.count(".rs .new") == 0)


def test_no_run_is_a_reason_and_one_action(page: Browser) -> None:
    page.open(page.driver.current_url + "&barcode=nobody")
    page.eventually(lambda: "No runs: machine GRID-1 · barcode nobody" in page.text(".rs"))
    click(page, ".rs .nothing .btn")
    page.eventually(lambda: "R-000" in page.text(".aggrid"))


def test_a_server_that_does_not_answer_is_a_sentence_with_try_again(page: Browser) -> None:
    page.run("window.kept = window.fetch; window.fetch = () => Promise.reject(new TypeError());")
    click(page, ".asof .btn")
    page.eventually(lambda: "The server does not answer." in page.text(".rs .failed"))
    page.run("window.fetch = window.kept")
    click(page, ".rs .failed .btn")
    page.eventually(lambda: page.count(".rs .failed") == 0 and "R-000" in page.text(".aggrid"))


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_an_export_saves_what_the_filters_choose(
    page: Browser, tmp_path: Path, file_format: str
) -> None:
    page.open(page.driver.current_url + "&outcome=FAIL")
    page.eventually(lambda: "25 runs" in page.text(".rs .ph"))
    folder = {"behavior": "allow", "downloadPath": str(tmp_path)}
    page.driver.execute_cdp_cmd("Browser.setDownloadBehavior", folder)
    click(page, "[aria-label=Export]")
    page.eventually(lambda: "Export 25 runs" in page.text(".popbox:popover-open"))
    click(page, f".export input[value={file_format}]")
    click(page, ".export .pri")
    page.eventually(lambda: list(tmp_path.glob(f"yieldline-runs-*.{file_format}")))
    (file,) = tmp_path.glob(f"*.{file_format}")
    barcodes = [f"R-{number:03}" for number in range(0, RUNS, 10)]
    if file_format == "csv":
        saved = [row["barcode"] for row in csv.DictReader(io.StringIO(file.read_text("utf-8")))]
    else:
        saved = pyarrow.parquet.read_table(file).column("barcode").to_pylist()
    assert saved == barcodes


def test_an_export_can_be_cancelled(page: Browser) -> None:
    click(page, "[aria-label=Export]")
    page.eventually(lambda: page.count(".export .pri"))
    slow = {"offline": False, "latency": 0, "downloadThroughput": 2_000, "uploadThroughput": -1}
    page.driver.execute_cdp_cmd("Network.emulateNetworkConditions", slow)
    click(page, ".export .pri")
    page.eventually(lambda: "MB so far" in page.text(".export"))
    click(page, ".export .acts .btn")
    page.eventually(lambda: "Cancelled, nothing was saved." in page.text(".export"))
    full = {**slow, "downloadThroughput": -1}
    page.driver.execute_cdp_cmd("Network.emulateNetworkConditions", full)


def test_a_copied_link_nails_the_range_down(page: Browser) -> None:
    page.run("navigator.clipboard.writeText = (text) => { window.copied = text; }")
    click(page, ".fb .btn[title^='As seen now']")
    copied = parse_qs(urlsplit(page.run("return window.copied")).query)
    assert "range" not in copied
    since, until = (datetime.fromisoformat(copied[name][0]) for name in ("since", "until"))
    assert timedelta(hours=23, minutes=59) < until - since < timedelta(hours=24, minutes=1)
    page.open(page.run("return window.copied"))
    page.eventually(lambda: "R-000" in page.text(".aggrid"))
    assert "Custom" in page.text(".chip.range")


def test_the_range_follows_the_user_where_the_address_says_nothing(
    plant: Product, page: Browser
) -> None:
    click(page, "[aria-label='Time range']")
    page.run("""
      const found = [...document.querySelectorAll('.popbox:popover-open .choices button')];
      found.find((each) => each.innerText.startsWith('7 d')).click();
    """)
    page.eventually(lambda: query_of(page)["range"] == ["7d"])
    page.open(f"{plant.url}/results")
    assert query_of(page)["range"] == ["7d"]
    page.open(f"{plant.url}/results?range=1h")
    assert query_of(page)["range"] == ["1h"]


def test_a_range_of_ones_own_goes_by_the_plants_clock(page: Browser) -> None:
    set_field = """
      for (const [index, text] of arguments[0].entries()) {
        const field = document.querySelectorAll('.popbox:popover-open input')[index];
        field.value = text;
        field.dispatchEvent(new Event('input', {bubbles: true}));
      }
    """
    click(page, "[aria-label='Time range']")
    page.eventually(lambda: page.count(".popbox:popover-open input") == 2)
    page.run(set_field, ["2026-10-24T22:00", "2026-10-25T06:00"])
    click(page, ".popbox:popover-open .span .btn")
    # Berlin sets its clocks back that night: the shift has nine hours.
    page.eventually(lambda: "since" in query_of(page))
    assert query_of(page)["since"] == ["2026-10-24T20:00:00.000Z"]
    assert query_of(page)["until"] == ["2026-10-25T05:00:00.000Z"]


def test_brackets_go_earlier_and_later(page: Browser) -> None:
    ActionChains(page.driver).send_keys("[").perform()
    page.eventually(lambda: "until" in query_of(page))
    bounds = [datetime.fromisoformat(query_of(page)[name][0]) for name in ("since", "until")]
    assert timedelta(hours=23) < datetime.now(UTC) - bounds[1] < timedelta(hours=25)
    # Faster than a person, two keys would be the beginning of a scan.
    ActionChains(page.driver).pause(0.3).send_keys("]").perform()
    page.eventually(lambda: datetime.fromisoformat(query_of(page)["until"][0]) > bounds[1])


def test_on_a_phone_runs_are_cards(page: Browser) -> None:
    page.resize(390, 844)
    page.open(page.driver.current_url)
    page.eventually(lambda: page.count(".aggrid .card") > 5)
    assert page.run("return document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("size", [(1920, 1080), (1366, 768)])
def test_the_page_fits_a_desk(page: Browser, size: tuple[int, int]) -> None:
    page.resize(*size)
    page.open(page.driver.current_url)
    page.eventually(lambda: "R-000" in page.text(".aggrid"))
    root = "const r = document.documentElement; return [r.scrollWidth, r.scrollHeight]"
    assert page.run(root) == list(size)


def test_html_in_a_barcode_is_text_in_the_grid_and_the_sheet(plant: Product, page: Browser) -> None:
    barcode = '<img src=x onerror="document.title=1">'
    plant.post(measurement(barcode, "MACH-HTML"))
    eventually_sync(lambda: stored_count(plant, machine_id="MACH-HTML") == 1)
    page.open(f"{plant.url}/results?range=1h&machine_id=MACH-HTML")
    page.eventually(lambda: barcode in page.text(".aggrid"))
    press_row(page, 0)
    page.eventually(lambda: barcode in page.text(".sheet"))
    assert page.count(".app img") == 0


def test_no_request_of_the_page_leaves_this_host(page: Browser) -> None:
    page.open(page.driver.current_url)
    page.eventually(lambda: "R-000" in page.text(".aggrid"))
    assert page.hosts() == {"127.0.0.1"}
