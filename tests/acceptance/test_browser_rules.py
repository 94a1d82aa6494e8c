"""The Rules page in a real browser: a draft on its way into force, and what is judged by it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.support.browser import Browser
from tests.support.product import RULES, Product, measurement
from tests.support.rules_page import RulesPage, rules_of
from tests.support.waiting import eventually_sync
from ui.wording import EN_DASH

pytestmark = pytest.mark.browser

REASON = "Field returns: it resets below 82 V."


@pytest.fixture
def page(product: Product, browser: Browser) -> Iterator[RulesPage]:
    """The page of a browser that keeps no draft yet; the rules are those of rules.toml."""
    browser.open(f"{product.url}/rules")
    browser.run("localStorage.clear()")
    opened = RulesPage(product, browser)
    if opened.active_toml() != RULES.read_text("utf-8"):
        opened.activate(RULES.read_text("utf-8"), "rules.toml again, for this test")
    opened.open("range=30d")
    yield opened
    browser.run("localStorage.clear()")


# -- the whole way ---------------------------------------------------------------------------------


def test_a_limit_is_edited_refused_corrected_tried_activated_and_judges_the_next_result(
    page: RulesPage,
) -> None:
    browser, product = page.browser, page.product
    product.post(measurement("SN-BEFORE", "MACH-01", measured_value=81.0))
    eventually_sync(lambda: page.call("/results?barcode=SN-BEFORE")["items"], 10)
    before = page.active()
    page.edit()
    page.click(".book button.rid", "v-in")
    page.type('.rf [data-key="low"]', "15")
    page.shows(".book .bad .why", "low 15 is above high 14.4. Swap them")
    assert "1 error" in browser.text(".book .ph")
    assert "v-in" in browser.text(".av .ck")
    page.type('.rf [data-key="low"]', "13.2")
    page.click(".rf .btn", "Done")
    page.change_limit("voltage", "low", "82")
    page.shows(".chg .di", "≥ 80.0 V → ≥ 82 V")
    assert browser.run("return document.querySelector('.av .act .btn').disabled")

    page.backtest()
    page.shows(".ls.newly_failing", "SN-BEFORE")
    assert "nothing since" in browser.text(".ls.newly_failing")
    browser.eventually(lambda: browser.count(".cv canvas"))
    page.put(".reason textarea", "too short")
    assert "reason missing, or too short" in browser.text(".av .ck")
    page.put(".reason textarea", REASON)
    page.click(".av .act .btn", f"Activate as v{before + 1}")
    page.shows(".note", f"v{before + 1} is in force since")
    browser.eventually(lambda: f"version={before + 1}" in browser.driver.current_url)
    page.shows(".vers .sel", REASON)

    def judged() -> bool:
        product.post(measurement("SN-AFTER", "MACH-01", measured_value=81.0))
        items = page.call("/results?barcode=SN-AFTER")["items"]
        return bool(items) and items[0]["rulebook_version"] == before + 1

    eventually_sync(judged, 15)
    browser.open(f"{product.url}/units/SN-AFTER")
    assert "FAIL" in browser.text(".un .hd")
    assert "≥ 82" in browser.text(".un .run")
    assert browser.complaints() == []


def test_activate_waits_for_a_backtest_of_this_very_draft(page: RulesPage) -> None:
    page.edit()
    page.change_limit("voltage", "low", "81")
    page.put(".reason textarea", REASON)
    page.backtest()
    page.shows(".av .act .btn", "Activate as")
    page.type('.rf [data-key="low"]', "81.5")
    page.browser.eventually(lambda: "this is edit" in page.browser.text(".av .ck"))
    assert page.browser.run("return document.querySelector('.av .act .btn').disabled")
    page.click(".book .btn", "Undo")
    page.shows(".av .ck li", "back-test of this very draft")
    page.open("range=30d")
    page.shows(".av .ck li", "back-test of this very draft")
    page.shows(".bk .st", "finished")


def test_a_backtest_can_be_cancelled(page: RulesPage) -> None:
    page.edit()
    page.change_limit("voltage", "low", "81")
    page.click(".bk .btn", "Run")
    page.click(".bk .btn", "Cancel")
    page.shows(".bk .st", "cancelled")
    page.shows(".av .ck li", "back-test was cancelled")


def test_where_machines_stop_at_a_failure_the_answer_is_a_range_and_says_why(
    page: RulesPage,
) -> None:
    begun = datetime.now(UTC) - timedelta(hours=2)

    def run(barcode: str, *values: float) -> dict[str, Any]:
        steps = [
            {"test_step": step, "measured_value": value, "unit": "V"}
            for step, value in zip(("voltage_test", "last_step"), values, strict=False)
        ]
        return {
            "barcode": barcode,
            "machine_id": "STOP-1",
            "product_id": "PROD-A",
            "procedure": "STOP",
            "started_at": begun.isoformat(),
            "measurements": steps,
        }

    page.product.post(*(run(f"WHOLE-{i}", 90.0, 1.0) for i in range(9)), run("STOPPED", 79.0))
    eventually_sync(lambda: page.call("/results?barcode=STOPPED")["items"], 10)
    page.open("range=30d&procedure=STOP")
    page.edit()
    page.change_limit("voltage", "low", "75")
    page.backtest()
    words = " ".join(page.browser.text(".fy").split())
    assert f"90.0 → 90.0 {EN_DASH} 100 %" in words
    assert "10 units, few" in words
    page.shows(".na", "These runs stopped at a failure that the draft lets pass")
    assert "All of them failing gives 90.0 %, all passing 100 %" in page.browser.text(".na")
    page.shows(".ls.rescued", "STOPPED")
    assert "stopped here" in page.browser.text(".ls.rescued")


# -- the draft -------------------------------------------------------------------------------------


def test_a_draft_is_there_again_after_a_reload_and_goes_when_it_is_discarded(
    page: RulesPage,
) -> None:
    page.edit()
    page.click(".book .seg button", "TOML")
    page.put(".tx textarea", RULES.read_text("utf-8") + "# mine\n")
    page.open("range=30d")
    page.shows(".vers .sel", "draft")
    assert page.draft().endswith("# mine\n")
    page.click(".book .btn", "Discard")
    page.click(".popbox .btn", "Discard it")
    page.shows(".book .btn", "Edit as draft")
    assert not page.browser.count(".vers .ve:has(i:not(.act))")


def test_leaving_asks_only_where_the_browser_cannot_keep_the_text(page: RulesPage) -> None:
    asks = """
      const leaving = new Event("beforeunload", {cancelable: true});
      window.dispatchEvent(leaving);
      return leaving.defaultPrevented;
    """
    page.edit()
    page.click(".book .seg button", "TOML")
    page.put(".tx textarea", "# kept\n")
    assert page.browser.run(asks) is False
    page.browser.run("Storage.prototype.setItem = () => { throw new Error('full'); }")
    page.put(".tx textarea", "# not kept\n")
    page.shows(".book .ft", "leaving the page loses the draft")
    assert page.browser.run(asks) is True
    page.browser.run("window.onbeforeunload = null; localStorage.clear()")
    page.put(".tx textarea", RULES.read_text("utf-8"))


def test_a_fault_in_the_toml_is_said_beside_the_rule_and_marked_in_the_text(
    page: RulesPage,
) -> None:
    page.edit()
    page.click(".book .seg button", "TOML")
    good = RULES.read_text("utf-8")
    page.put(".tx textarea", good.replace("low = 4.95", "low = = 4.95"))
    page.browser.eventually(lambda: page.browser.count(".tx .bad"))
    page.click(".book .seg button", "Table")
    page.shows(".book .bad .why", "is not TOML")
    assert "vref" in page.browser.text(".book tr.bad")
    page.click(".book .bad .btn", "Correct it in TOML")
    caret = (
        "const t = document.querySelector('.tx textarea'); return t.value.slice(t.selectionStart)"
    )
    page.browser.eventually(lambda: page.browser.run(caret).startswith('[rule]]\nid = "vref"'))


def test_a_rule_is_added_and_removed_in_the_table_and_the_rest_of_the_text_stays(
    page: RulesPage,
) -> None:
    before = RULES.read_text("utf-8")
    page.edit()
    page.click(".book .btn", "Rule")
    page.type('.rf [data-key="id"]', "can-loss")
    page.type('.rf [data-key="test_step"]', "can_loss")
    page.browser.run("""
      const select = document.querySelector('.rf [data-key="comparator"]');
      select.value = "EQ"; select.dispatchEvent(new Event("change"));
    """)
    page.type('.rf [data-key="nominal"]', "0")
    page.click(".rf .btn", "Done")
    page.shows(".chg .di", "can_loss = 0")
    added = rules_of(page.draft())["can-loss"]
    assert added == {"id": "can-loss", "test_step": "can_loss", "comparator": "EQ", "nominal": 0}
    assert page.draft().startswith(before)

    page.click(".book button.rid", "vbat-ripple")
    page.click(".rf .btn", "Remove this rule")
    page.shows(".chg .di", "≤ 55.0 mV → no rule")
    left = page.draft()
    assert "Tighter than the tester's own" not in left, "its own comment goes with it"
    assert "# [BEG][CW]* stands for" in left
    assert set(rules_of(left)) == {*rules_of(before), "can-loss"} - {"vbat-ripple"}
    page.click(".book .btn", "Undo")
    page.browser.eventually(lambda: "vbat-ripple" in rules_of(page.draft()))


def test_the_table_is_walked_and_edited_with_the_keyboard_alone(page: RulesPage) -> None:
    page.edit()
    page.browser.run("document.querySelector('button.rid').focus()")
    ActionChains(page.browser.driver).send_keys(Keys.ARROW_DOWN).pause(0.3).send_keys(
        Keys.ENTER
    ).perform()
    page.shows(".rf")
    assert page.browser.text(".book .open .rid") == "v-in"
    page.browser.run("document.querySelector('.rf [data-key=high]').focus()")
    ActionChains(page.browser.driver).send_keys(Keys.ESCAPE).perform()
    page.browser.eventually(lambda: not page.browser.count(".rf"))
    assert page.browser.run("return document.activeElement.innerText") == "v-in"


# -- versions --------------------------------------------------------------------------------------


def test_a_version_has_a_link_and_says_in_words_what_it_changed(page: RulesPage) -> None:
    text = RULES.read_text("utf-8")
    tighter = page.activate(text.replace("low = 13.2", "low = 13.4"), "tighter for the spring")
    page.activate(text.replace("low = 13.2", "low = 13.0"), "wider again after the audit")
    page.open(f"version={tighter}")
    page.shows(".chg .di", f"13.2 {EN_DASH} 14.4 V → 13.4 {EN_DASH} 14.4 V")
    assert "tighter for the spring" in page.browser.text(".vers .sel")
    assert page.browser.run("return document.querySelector('.tx textarea')") is None
    page.open(f"version={tighter}&compare={tighter + 1}")
    page.shows(".chg .di", f"13.0 {EN_DASH} 14.4 V → 13.4 {EN_DASH} 14.4 V")
    page.open("version=4711")
    page.shows(".book", "There is no rulebook v4711.")
    page.click(".vers .seg button", "Audit")
    page.shows(".vers article", "wider again after the audit")


def test_going_back_is_the_old_text_in_a_draft_on_top_of_what_is_in_force(page: RulesPage) -> None:
    old = page.active()
    text = RULES.read_text("utf-8")
    newest = page.activate(text.replace("low = 13.2", "low = 13.4"), "tighter for the spring")
    page.open(f"version={old}&range=30d")
    page.click(".book .btn", f"Go back to v{old}")
    page.shows(".chg .di", f"13.4 {EN_DASH} 14.4 V → 13.2 {EN_DASH} 14.4 V")
    assert page.draft() == text
    reason = "return document.querySelector('.reason textarea').value"
    assert page.browser.run(reason) == f"Back to v{old}: "
    page.backtest()
    page.put(".reason textarea", f"Back to v{old}: too many false calls")
    page.click(".av .act .btn", f"Activate as v{newest + 1}")
    page.shows(".vers .act")
    eventually_sync(lambda: page.active() == newest + 1, 10)
    assert page.active_toml() == text


def test_when_somebody_was_faster_the_page_says_so_and_goes_on_on_top_of_that(
    page: RulesPage,
) -> None:
    page.edit()
    page.change_limit("voltage", "low", "81")
    page.backtest()
    page.put(".reason textarea", REASON)
    page.shows(".av .act .btn", "Activate as")
    text = RULES.read_text("utf-8").replace("low = 13.2", "low = 13.5")
    body = json.dumps({"toml": text, "reason": "I was faster", "author": "T. Lind"})
    # In one go, so that the page cannot have heard of it before it sends.
    page.browser.driver.execute_async_script(
        """
        const [body, done] = arguments;
        const headers = {"Content-Type": "application/json"};
        fetch("/api/v1/rulebooks", {method: "POST", body, headers})
          .then(() => document.querySelector(".av .act .btn").click())
          .then(() => done());
        """,
        body,
    )
    page.shows(".note", "T. Lind: I was faster")
    assert page.active_toml() == text, "the draft did not undo it"
    page.shows(".chg .di", f"13.5 {EN_DASH} 14.4 V → 13.2 {EN_DASH} 14.4 V")
    page.click(".note .btn", "Go on, on top of")
    page.browser.eventually(lambda: not page.browser.count(".note"))
    page.shows(".av .ck li", "not back-tested yet")
    assert rules_of(page.draft())["voltage"]["low"] == 81


# -- the shadow, and states ------------------------------------------------------------------------


def test_a_draft_runs_as_a_shadow_shows_where_it_differs_and_is_stopped(page: RulesPage) -> None:
    page.edit()
    page.change_limit("voltage", "low", "84")
    page.put(".reason textarea", "a trial week for 84 V")
    page.click(".sha .btn", "Start this draft as shadow")
    page.shows(".sha", "runs since")

    def differs() -> bool:
        page.product.post(measurement(f"SH-{datetime.now(UTC)}", "MACH-01", measured_value=83.0))
        return bool(page.call("/shadow")["differed"])

    eventually_sync(differs, 15)
    page.shows(".sha .lt", "SH-")
    assert "FAIL" in page.browser.text(".sha .lt")
    page.click(".sha .btn", "Stop")
    page.shows(".sha", "stopped")


def test_a_server_that_is_away_is_a_sentence_and_the_draft_stays(page: RulesPage) -> None:
    page.edit()
    page.browser.run("window.fetch = () => Promise.reject(new TypeError('no network'))")
    page.change_limit("voltage", "low", "81")
    page.shows(".loose", "The server does not answer.")
    assert rules_of(page.draft())["voltage"]["low"] == 81


@pytest.mark.parametrize("query", ["", "view=toml", "tab=audit"])
def test_a_phone_shows_it_without_scrolling_sideways(page: RulesPage, query: str) -> None:
    page.edit()
    page.browser.resize(390, 844)
    page.open(query)
    page.shows(".book .btn", "Discard")
    assert page.browser.run("return document.documentElement.scrollWidth") == 390


def test_a_desk_screen_never_scrolls(page: RulesPage) -> None:
    page.edit()
    page.change_limit("voltage", "low", "84")
    page.backtest()
    root = "const r = document.documentElement; return [r.scrollWidth, r.scrollHeight]"
    assert page.browser.run(root) == [1920, 1080]
