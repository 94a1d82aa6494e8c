"""The Analytics page in a real browser: its numbers are the API's, each mark leads to its runs."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import urlopen

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.support.analysed_floor import DRIFTS, PRODUCT, bounds
from tests.support.browser import CHROMEDRIVER, CHROMIUM, Browser
from tests.support.product import Product

pytestmark = pytest.mark.browser

PPK_MARKS = ((-10.0, 1.0), (1.0, 1.33))
"""What is marked FAIL and what marginal."""


TARGETS = f"""
[products."{PRODUCT}"]
target_fpy_percent = 90
target_rty_percent = 99.5

[lines.L1]
plan_per_hour = 1000
"""


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product on a database that holds a morning."""
    if not (CHROMIUM and CHROMEDRIVER):
        pytest.skip("Chromium and chromedriver are not installed")
    folder = tmp_path_factory.mktemp("analysed")
    (folder / "data").mkdir()
    url = f"sqlite:///{(folder / 'data' / 'yieldline.db').as_posix()}"
    command = [sys.executable, "-m", "tests.support.analysed_floor", url]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
    (folder / "yieldline.toml").write_text(TARGETS, "utf-8")
    started = Product(folder)
    yield started
    started.process.interrupt()
    started.process.stop()


@pytest.fixture
def page(plant: Product, browser: Browser) -> Iterator[Browser]:
    show(plant, browser)
    yield browser
    browser.run("localStorage.clear()")


def show(plant: Product, browser: Browser, **more: str) -> None:
    """Open the page on the morning, with its panels filled."""
    browser.open(f"{plant.url}/analytics?{urlencode(bounds() | more)}")
    browser.eventually(lambda: browser.count(".an-ct tbody tr") == 5, 20)
    browser.eventually(lambda: browser.count(".an canvas") == 3, 20)
    browser.eventually(lambda: browser.text(".an-di"))


def ask(plant: Product, path: str, **given: object) -> Any:  # noqa: ANN401 - JSON
    query = urlencode(bounds() | {name: str(value) for name, value in given.items()})
    with urlopen(f"{plant.url}/api/v1/{path}?{query}", timeout=10) as answer:
        return json.load(answer)


def percent(share: float) -> str:
    return f"{share * 100:.1f}"


def query_of(browser: Browser) -> dict[str, str]:
    return {name: value[0] for name, value in query_in(browser.driver.current_url).items()}


def query_in(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def href(browser: Browser, selector: str) -> str:
    found = browser.run("return document.querySelector(arguments[0])?.href ?? ''", selector)
    return str(found)


def results_behind(plant: Product, link: str) -> int:
    """Return how many runs the page of results shows behind a link, by its own question."""
    assert urlsplit(link).path == "/results"
    given = {name: value[0] for name, value in query_in(link).items() if name != "run"}
    with urlopen(f"{plant.url}/api/v1/results/count?{urlencode(given)}", timeout=10) as answer:
        return int(json.load(answer)["count"])


def test_the_six_figures_are_those_of_the_api(plant: Product, page: Browser) -> None:
    shown = page.text(".an-kpis")
    figures, yields = ask(plant, "metrics"), ask(plant, "yield", group="product")
    (product,) = yields["items"]
    for share in (
        figures["first_pass_yield"],
        figures["final_yield"],
        yields["rolled_throughput_yield"],
        yields["rolled_throughput_yield_low"],
        product["first_pass_yield_low"],
        product["retest_rate"],
    ):
        assert percent(share) in shown
    assert f"{figures['units']} units" in shown
    assert f"{figures['total_tests']} runs" in shown
    assert f"{product['late_runs']} late" in shown
    assert f"{product['defects']} of {product['opportunities']} measurements" in shown
    assert page.complaints() == []


def test_a_product_has_targets_of_its_own(plant: Product, page: Browser) -> None:
    assert "target 90" in page.text(".an-dr.head")  # no machine ran another product
    assert "target 95.0 ·" in page.text(".an-kpis")
    assert "product of the procedures" in page.text(".an-kpis")
    show(plant, page, product_id=PRODUCT)
    assert "target 90.0 ·" in page.text(".an-kpis")
    assert "target 99.5 %" in page.text(".an-kpis")
    assert page.count(".an-kpi .v.c-fail") == 1  # the interval of the RTY is below it


def test_units_stand_against_the_plan_of_their_line_but_not_those_of_one_product(
    plant: Product, page: Browser
) -> None:
    (line,) = ask(plant, "plan")["items"]
    behind = f"{line['planned'] - line['units']:,.0f}".replace(",", "\u202f")
    page.eventually(lambda: f"{behind} behind plan" in page.text(".an-kpis"))
    show(plant, page, product_id=PRODUCT)
    assert "plan" not in page.text(".an-kpis")


def test_the_change_is_against_the_period_before_or_against_nothing(
    plant: Product, page: Browser
) -> None:
    now = ask(plant, "metrics")["first_pass_yield"]
    before = ask(plant, "metrics", since="2026-11-23T00:00:00Z", until=bounds()["since"])
    down = f"▼ {percent(before['first_pass_yield'] - now)}"
    page.eventually(lambda: down in page.text(".an-kpi"))
    show(plant, page, compare="none")
    assert "▼" not in page.text(".an-kpis")


def test_the_yield_over_time_marks_rulebooks_and_changed_programs(
    plant: Product, page: Browser
) -> None:
    (change,) = ask(plant, "programs")["items"]
    assert (change["machine_id"], change["program_version"]) == (DRIFTS, "3.3")
    marks = """
      const done = arguments[arguments.length - 1];
      const box = document.querySelector(".an-time .pic");
      import("nicegui-echart").then(({echarts}) => {
        const {series} = echarts.getInstanceByDom(box).getOption();
        const lines = series.flatMap((each) => each.markLine?.data ?? []);
        done(lines.map((each) => each.label?.formatter ?? ""));
      });
    """
    page.eventually(lambda: f"FCT_41 3.3, {DRIFTS}" in page.driver.execute_async_script(marks))
    said: list[str] = page.driver.execute_async_script(marks)
    assert any(each.startswith("Rulebook v2") for each in said)


def test_machines_stand_worst_first_and_lead_to_their_runs(plant: Product, page: Browser) -> None:
    worst = min(
        ask(plant, "yield", group="machine")["items"], key=lambda each: each["first_pass_yield"]
    )
    row = page.text("a.an-dr").split("\n")
    assert row[:3] == [DRIFTS, percent(worst["first_pass_yield"]), str(worst["units"])]
    assert page.count("a.an-dr.hot") == 1
    assert results_behind(plant, href(page, "a.an-dr")) == worst["total_tests"]


def test_a_group_is_chosen_and_stands_in_the_address(plant: Product, page: Browser) -> None:
    page.run("document.querySelectorAll('.an-tabs button')[1].click()")
    page.eventually(lambda: page.text("a.an-dr").startswith("FCT\n"))
    assert query_of(page)["group"] == "procedure"
    show(plant, page, group="fixture")
    assert page.text("a.an-dr").startswith(f"{DRIFTS}-A\n")


def test_failing_steps_are_the_apis_pareto(plant: Product, page: Browser) -> None:
    first = ask(plant, "pareto")["items"][0]
    row = page.text(".an-pr").split("\n")
    assert row[:2] == [first["test_step"], str(first["first_failures"])]
    assert DRIFTS in row[-1]
    link = href(page, ".an-pr .w")
    assert query_in(link)["first_failure"] == [first["test_step"]]
    assert results_behind(plant, link) == first["machines"][0]["first_failures"]
    assert results_behind(plant, href(page, ".an-pr a")) == first["first_failures"]


def test_capability_is_the_apis_and_a_row_chooses_the_step(plant: Product, page: Browser) -> None:
    items = ask(plant, "capability", product_id=PRODUCT)["items"]
    steps = [each.text for each in page.driver.find_elements(By.CSS_SELECTOR, ".an-ct .st")]
    assert steps == [each["test_step"] for each in items]
    assert f"{items[0]['ppk']:.2f}" in page.text(".an-ct tbody tr [data-of=Ppk]")
    marks = [sum(1 for each in items if low <= each["ppk"] < high) for low, high in PPK_MARKS]
    for mark, count in zip(("fail", "marginal"), marks, strict=True):
        assert page.count(f".an-ct [data-of=Ppk] use[href='#i-{mark}']") == count > 0
    page.eventually(lambda: page.text(".an-ct tr:nth-child(2) [data-of=Cpk]"))
    assert page.run("return document.querySelector('.an-cc .mono').innerText") == steps[0]
    row = page.driver.find_elements(By.CSS_SELECTOR, ".an-ct tbody tr")[1]
    row.send_keys(Keys.ENTER)
    page.eventually(lambda: steps[1] in page.text(".an-cc .ph"))
    page.eventually(lambda: steps[1] in page.text(".an-hist .ph"))
    assert query_of(page)["step"] == steps[1]
    page.driver.back()
    page.eventually(lambda: steps[0] in page.text(".an-cc .ph"))


def test_charts_are_tables_too_whose_rows_lead_to_runs(plant: Product, page: Browser) -> None:
    for button in page.driver.find_elements(By.CSS_SELECTOR, ".an .astable"):
        page.run("arguments[0].click()", button)
    hours = ask(plant, "yield", group="hour")["items"]
    assert page.count(".an-time tbody tr") == len(hours)
    last = page.text(".an-time tbody tr:last-child").split("\t")
    assert last[1] == str(hours[-1]["units"])
    assert last[2] == f"{round(hours[-1]['rolled_throughput_yield'] * 100, 2):g}"
    link = href(page, ".an-time tbody tr:last-child a")
    assert results_behind(plant, link) == hours[-1]["total_tests"]
    chart = ask(plant, "control-chart", product_id=PRODUCT, step="vbat_ripple")["item"]
    assert page.count(".an-cc tbody tr") == len(chart["points"])
    newest = query_in(href(page, ".an-cc tbody tr:last-child a"))
    assert newest["run"] == [str(chart["points"][-1]["run_ids"][0])]
    bins = ask(plant, "histogram", product_id=PRODUCT, step="vbat_ripple")["item"]["counts"]
    assert page.count(".an-hist tbody tr") == len(bins)


def test_a_click_on_a_bar_opens_the_runs_behind_it(page: Browser) -> None:
    bar = """
      const done = arguments[arguments.length - 1];
      const box = document.querySelector('.an-hist .pic');
      import('nicegui-echart').then(({echarts}) => {
        const chart = echarts.getInstanceByDom(box);
        const [x, y] = chart.convertToPixel({xAxisIndex: 0, yAxisIndex: 0}, [arguments[0], 0.5]);
        done([Math.round(x - box.clientWidth / 2), Math.round(y - box.clientHeight / 2)]);
      });
    """
    off_centre = page.driver.execute_async_script(bar, 46.4)
    box = page.driver.find_element(By.CSS_SELECTOR, ".an-hist .pic")
    ActionChains(page.driver).move_to_element_with_offset(box, *off_centre).click().perform()
    page.eventually(lambda: urlsplit(page.driver.current_url).path == "/results")
    assert query_of(page)["step"] == "vbat_ripple"
    page.eventually(lambda: "4100-" in page.text(".aggrid"))


def test_the_spoken_summary_names_the_signals_of_a_chart(plant: Product, page: Browser) -> None:
    label = page.run("return document.querySelector('.an-cc .pic').ariaLabel")
    chart = ask(plant, "control-chart", product_id=PRODUCT, step="vbat_ripple")["item"]
    broken = {at for each in chart["signals"] if each["of"] == "location" for at in each["points"]}
    assert f"{len(broken)} points break a rule" in label
    means = {"chart": "xbar-s", "rules": "western-electric"}
    show(plant, page, **means)
    of = {"product_id": PRODUCT, "step": "vbat_ripple"}
    count = len(ask(plant, "control-chart", **of, **means)["item"]["points"])
    page.eventually(lambda: f"lines of {count} points" in page.text(".an-cc .ph"))
    points = ask(plant, "control-chart", **of)["item"]["points"]
    show(plant, page, baseline=points[50]["timestamp"])
    page.eventually(lambda: "lines of the first 50 points" in page.text(".an-cc .ph"))
    assert "before 23 Nov" in page.text("[aria-label='Baseline of the control chart']")


def test_a_short_range_is_drawn_by_quarters_of_an_hour_and_panels_by_their_places(
    plant: Product, page: Browser
) -> None:
    since = "2026-11-23T10:00:00Z"
    show(plant, page, since=since)
    for button in page.driver.find_elements(By.CSS_SELECTOR, ".an-time .astable"):
        page.run("arguments[0].click()", button)
    quarters = ask(plant, "yield", group="15min", since=since)["items"]
    assert len(quarters) == 8
    assert page.count(".an-time tbody tr") == 8
    show(plant, page, group="panel_position")
    page.eventually(lambda: "not named" in page.text(".an-by"))


def test_rule_against_tester_counts_what_the_tester_let_pass(plant: Product, page: Browser) -> None:
    (step,) = ask(plant, "disagreements")["steps"]
    row = page.text(".an-di").split("\n")
    assert row[0] == str(step["false_accepts"])
    assert DRIFTS in row[1]
    assert "the tester passed what fails" in row
    assert query_in(href(page, ".an-di"))["differs"] == ["true"]


def test_an_empty_range_says_why_and_offers_another(plant: Product, page: Browser) -> None:
    page.open(f"{plant.url}/analytics?since=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00Z")
    page.eventually(lambda: page.count(".an .nothing") >= 7)
    assert "No unit had its first run here." in page.text(".an-time")
    page.run("document.querySelector('.an-time .nothing .btn').click()")
    page.eventually(lambda: query_of(page).get("range") == "30d")


def test_a_server_that_does_not_answer_is_a_sentence_in_each_panel(page: Browser) -> None:
    page.run("window.kept = window.fetch; window.fetch = () => Promise.reject(new TypeError());")
    page.run("document.querySelector('.asof .btn').click()")
    page.eventually(lambda: page.count(".an .failed") == 8)
    page.run("window.fetch = window.kept")
    page.run("document.querySelector('.an-by .failed .btn').click()")
    page.eventually(lambda: page.count("a.an-dr") == 5)


@pytest.mark.parametrize("width", [1920, 1366, 390])
def test_the_page_is_as_wide_as_the_window(plant: Product, page: Browser, width: int) -> None:
    page.resize(width, {1920: 1080, 1366: 768, 390: 844}[width])
    show(plant, page)
    assert page.run("return document.documentElement.scrollWidth") == width
    if width > 600:
        assert page.run("return document.documentElement.scrollHeight") in {1080, 768}


def test_no_request_of_the_page_leaves_this_host(page: Browser) -> None:
    assert page.hosts() == {"127.0.0.1"}
