"""The System page and the wall in a real browser."""

import json
from typing import Any
from urllib.request import urlopen

import pytest

from tests.support.browser import Browser
from tests.support.product import STALE_AFTER_S, Product, measurement
from tests.support.waiting import eventually_sync

pytestmark = pytest.mark.browser

RECEIVED = ".senders tfoot [data-name=received]"
TURNS = """
  const done = arguments[arguments.length - 1];
  import("yieldline-wall/turns.js").then((turns) => {
    const tiles = [...Array(20).keys()];
    const shown = (turn, critical) =>
      turns.takeTurns(tiles, (tile) => critical.includes(tile), turn).shown;
    const rings = [["major", 0], ["critical", 1], ["critical", 2]]
      .map(([severity, id]) => ({severity, id}));
    done({
      few: turns.takeTurns(tiles.slice(0, 12), () => true, 3).shown,
      first: shown(0, []), second: shown(1, []), again: shown(2, []),
      held: [0, 1].map((turn) => shown(turn, [19, 5])),
      all: shown(1, tiles),
      said: [0, 1, 2].map((turn) => turns.oneOf(rings, turn).id),
      quiet: turns.oneOf([], 4),
      silences: [59.9, 60, 3599, 7300, 200000].map(turns.silence),
      moves: [0, 600, 1200, 1800, 2400].map(turns.movedBy),
      turn: [turns.turnAt(14.9), turns.turnAt(15)],
      short: [{kind: "silent", title: "silent for 3 min", text: "usually every 2 s"}, null]
        .map((card) => turns.shortly(
          {kind: "silent", machine: "M-1", message: "M-1 has sent nothing."}, card)),
    });
  });
"""
RINGING = """
  const done = arguments[arguments.length - 1];
  import("yieldline-wall/ringing.js").then(({ringing}) => {
    const alert = (id, severity, opened, state = "open") => ({
      id, severity, opened, state, kind: "flood", machine: `M-${id}`, line: "L1", runs: 0,
      message: `M-${id} is flooding.`});
    const tile = (id) => ({
      id, line: "L1", last: 999, stale: 60, offline: null, tape: "FFF", fails: 3,
      why: {step: "vbat", value: "1.0", limit: "2.0"}});
    const alerts = [alert(7, "minor", 990), alert(9, "critical", 20), alert(8, "critical", 10),
      alert(6, "critical", 5, "acknowledged")];
    const sign = {machine: "M-2", kind: "step_repeats", state: "shelved", severity: "critical"};
    done(ringing(alerts, [sign], {"M-1": tile("M-1"), "M-2": tile("M-2")}, 1000));
  });
"""


def open_wall(browser: Browser, url: str) -> None:
    """Open a wall and wait until it is drawn."""
    browser.driver.get(url)
    browser.eventually(lambda: browser.count(".wall > *"))


def test_a_figure_of_the_system_page_changes_by_itself(product: Product, browser: Browser) -> None:
    product.post(measurement("SYS-1", "SYS-1"))
    browser.open(f"{product.url}/system")
    browser.eventually(lambda: "SYS-1" in browser.text(".senders"))
    before = int(browser.text(RECEIVED))
    product.post(measurement("SYS-2", "SYS-1"))
    browser.eventually(lambda: int(browser.text(RECEIVED)) == before + 1, 15)
    assert browser.text(".senders tfoot .diff") == "0"
    assert "nothing was lost" in browser.text(".books .means")
    lights = browser.run("return [...document.querySelectorAll('.lamp')].map((e) => e.innerText)")
    assert {"difference 0", "connected", "answers", "up", "watches", "intact"} <= set(lights)
    browser.run("document.querySelectorAll('.settings .seg button')[0].click()")
    browser.eventually(lambda: "http.port" in browser.text(".settings"))
    assert "environment" in browser.text(".settings")
    assert "topics.template" not in browser.text(".settings")
    assert browser.complaints() == []


def test_on_a_phone_the_system_page_is_cards(product: Product, browser: Browser) -> None:
    product.post(measurement("SYS-3", "SYS-1"))
    browser.resize(390, 844)
    browser.open(f"{product.url}/system")
    browser.eventually(lambda: "SYS-1" in browser.text(".senders"))
    assert browser.run("return document.documentElement.scrollWidth") <= 390


def test_walls_take_turns_and_hold_what_is_critical(product: Product, browser: Browser) -> None:
    open_wall(browser, f"{product.url}/wall")
    said: dict[str, Any] = browser.driver.execute_async_script(TURNS)
    assert said["few"] == list(range(12))
    assert said["first"] == list(range(12))
    assert said["second"] == list(range(12, 20))
    assert said["again"] == said["first"]
    assert [each[:2] for each in said["held"]] == [[5, 19], [5, 19]]
    assert all(len(each) <= 12 for each in said["held"])
    assert {tile for each in said["held"] for tile in each} == set(range(20))
    assert said["all"] == list(range(12, 20))
    assert said["said"] == [1, 2, 1]
    assert said["quiet"] is None
    assert said["silences"] == ["59 s", "1 min", "59 min", "2 h", "2 d"]
    assert said["moves"] == [[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]
    assert said["turn"] == [0, 1]
    assert said["short"] == ["silent for 3 min, usually every 2 s", "sent nothing."]

    rung: list[dict[str, Any]] = browser.driver.execute_async_script(RINGING)
    assert [(each["name"], each["severity"], each["words"]) for each in rung] == [
        ("M-8", "critical", "flooding."),
        ("M-9", "critical", "flooding."),
        ("M-1", "critical", "3 fails in a row, vbat 1.0, limit 2.0"),
        ("M-7", "minor", "flooding."),
    ]
    assert rung[0]["state"] == "16 min, nobody has acknowledged"


def test_a_wall_shows_its_line_fills_what_is_critical_and_says_silence(
    product: Product, browser: Browser
) -> None:
    for number in range(3):
        product.post(measurement(f"WALL-{number}", "WALL-1", measured_value=1.0))
    product.post(measurement("WALL-9", "WALL-2"))
    line = line_of(product, "WALL-1")
    open_wall(browser, f"{product.url}/wall?line={line}")
    browser.eventually(lambda: browser.count(".w[aria-label='WALL-1'].crit"))
    assert "voltage_test" in browser.text(".w[aria-label='WALL-1']")
    assert "3 in a row" in browser.text(".w[aria-label='WALL-1']")
    browser.eventually(lambda: browser.count(".w[aria-label='WALL-2'].stale"), STALE_AFTER_S + 5)
    assert "silent" in browser.text(".w[aria-label='WALL-2']")
    browser.eventually(lambda: "nobody has acknowledged" in browser.text(".tk"))
    box = "return [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    assert browser.run(box) == [1920, 1080]
    size = "return parseFloat(getComputedStyle(document.querySelector(arguments[0])).fontSize)"
    assert browser.run(size, ".w .v") >= 96
    assert browser.run(size, ".w header b") == 48
    assert browser.run(size, ".w footer") == 32
    assert browser.complaints() == []


def test_a_line_that_nobody_knows_is_said(product: Product, browser: Browser) -> None:
    product.post(measurement("WALL-10", "WALL-2"))
    open_wall(browser, f"{product.url}/wall?line=NOWHERE")
    browser.eventually(lambda: "No machine of line NOWHERE" in browser.text(".nobody"))


def test_a_wall_that_is_cut_off_says_since_when_and_hatches_all(
    product: Product, browser: Browser
) -> None:
    product.post(measurement("WALL-11", "WALL-2"))
    open_wall(browser, f"{product.url}/wall")
    browser.eventually(lambda: browser.text(".wall .lv") == "live")
    be_offline(browser, is_offline=True)
    browser.run("window.socket.io.engine.close()")
    browser.eventually(lambda: browser.count(".wall.cut"), 14)
    said = browser.text(".cutoff")
    assert said.startswith("No connection for 1")
    assert said.endswith("s. Numbers are not live.")
    background = "return getComputedStyle(document.querySelector('.w')).backgroundImage"
    assert "repeating-linear-gradient" in browser.run(background)
    be_offline(browser, is_offline=False)
    browser.eventually(lambda: not browser.count(".wall.cut") and browser.count(".w"), 20)


def line_of(product: Product, machine_id: str) -> str:
    """Return the line of a machine that has reported."""
    found: list[str] = []

    def is_known() -> bool:
        with urlopen(f"{product.url}/api/v1/books", timeout=10) as answer:
            items = json.load(answer)["items"]
        found[:] = [each["line"] for each in items if each["machine_id"] == machine_id]
        return bool(found)

    eventually_sync(is_known)
    return found[0]


def be_offline(browser: Browser, *, is_offline: bool) -> None:
    """Cut the browser off from the network, or give it back."""
    conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.driver.execute_cdp_cmd(
        "Network.emulateNetworkConditions", {"offline": is_offline, **conditions}
    )
