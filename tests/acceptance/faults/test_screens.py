"""The fault matrix about screens: many of them, one that sleeps, one that stays open for days."""

from collections.abc import Iterator
from typing import NamedTuple

import psutil
import pytest

from tests.support import mosquitto as mosquitto_parts
from tests.support.browser import CHROMEDRIVER, CHROMIUM, Browser
from tests.support.keeper import message
from tests.support.mosquitto import Mosquitto
from tests.support.open_screen import KEPT, heap_mib, keep_frames, replay
from tests.support.processes import Process
from tests.support.raw_mqtt import Listener, Sender
from tests.support.services import Service, WebApp
from tests.support.viewers import sightings, viewing
from tests.support.waiting import eventually_sync

SCREENS = 200
SEATS = set(range(SCREENS))
WARM_FRAMES, FRAMES = 300, 1_200


class Floor(NamedTuple):
    """One broker, one service, one web app."""

    broker: Mosquitto
    service: Service
    web: WebApp

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.web.port}"


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    if mosquitto_parts.EXECUTABLE is None:
        pytest.skip("Mosquitto is not installed")
    folder = tmp_path_factory.mktemp("floor")
    url = f"sqlite:///{folder / 'yieldline.db'}"
    broker = Mosquitto(folder)
    started = Floor(broker, Service(folder, broker.port, url), WebApp(folder, broker.port, url))
    started.service.wait_until("connected", timeout_s=60)
    started.web.becomes(200, 60)
    yield started
    started.web.process.stop()
    started.service.process.stop()
    broker.stop()


@pytest.fixture
def browser() -> Iterator[Browser]:
    if not (CHROMIUM and CHROMEDRIVER):
        pytest.skip("Chromium and chromedriver are not installed")
    started = Browser()
    yield started
    started.wake()
    started.close()


def memory_mib(process: Process) -> float:
    return float(psutil.Process(process.pid).memory_info().rss) / 2**20


def send(floor: Floor, numbers: range, last_of: str = "") -> None:
    """Publish flat results of nine machines; then one of a machine by itself."""
    with Sender(floor.broker.port, "plc") as plc:
        plc.send([message(number) for number in numbers])
        if last_of:
            plc.send([message(numbers.stop, last_of)])


def viewers(floor: Floor) -> int:
    """Return how many pages are open, as the System page has it."""
    return int(floor.web.ask("/api/v1/system")[1]["web"]["viewers"])


def status(floor: Floor, machine_id: str) -> object:
    """Return what the web process says of a machine, by what it heard."""
    return floor.web.ask(f"/api/v1/machines/{machine_id}")[1].get("status")


def test_200_screens_are_one_subscription_and_each_is_shown_the_newest_result(
    floor: Floor,
) -> None:
    """Row 30. How soon is a figure of `make bench`."""
    topics = ("clients/connected", "subscriptions/count", "uptime")
    watched = [f"$SYS/broker/{name}" for name in topics]
    with Listener(floor.broker.port, "counter", *watched, qos=0) as counter:
        before = fresh_counts(counter)
        with viewing(floor.url, SCREENS, probe="NEWEST-30") as screens:
            send(floor, range(500), "NEWEST-30")
            eventually_sync(lambda: {each.seat for each in sightings(screens)} == SEATS, 30)
            assert viewers(floor) == SCREENS
            assert fresh_counts(counter) == before


def fresh_counts(counter: Listener) -> tuple[bytes, bytes]:
    """Return connected clients and subscriptions, as the broker counts them from now on."""

    def ticks() -> int:
        return sum(each.channel == "uptime" for each in counter.heard)

    begun = ticks()
    eventually_sync(lambda: ticks() >= begun + 2)
    newest = {each.channel: each.payload for each in counter.heard}
    return newest["connected"], newest["count"]


@pytest.mark.browser
def test_a_browser_that_sleeps_costs_no_memory_and_wakes_up_to_one_snapshot(
    floor: Floor, browser: Browser
) -> None:
    """Row 28: asleep for longer than its connection may be silent, as a laptop that is shut."""
    browser.open(f"{floor.url}/")
    send(floor, range(1_000, 3_000), "AWAKE-28")
    browser.eventually(lambda: "AWAKE-28" in browser.text(".tiles"), 30)
    awake_mib = memory_mib(floor.web.process)
    browser.frames()
    browser.sleep()
    send(floor, range(3_000, 7_000), "ASLEEP-28")
    eventually_sync(lambda: viewers(floor) == 0, 60)
    eventually_sync(lambda: status(floor, "ASLEEP-28") == "live", 30)
    assert memory_mib(floor.web.process) < 1.1 * awake_mib
    browser.wake()
    browser.eventually(lambda: "ASLEEP-28" in browser.text(".tiles"), 30)
    assert browser.frames() <= 3  # the one that was under way, the snapshot, and a heartbeat
    assert browser.count(".app.cut") == 0
    send(floor, range(0), "AGAIN-28")
    browser.eventually(lambda: "AGAIN-28" in browser.text(".tiles"), 30)


@pytest.mark.browser
def test_a_screen_that_stays_open_holds_no_more_after_thousands_of_updates(
    floor: Floor, browser: Browser
) -> None:
    """Row 29, scaled; all 200,000 are a part of `make bench`."""
    send(floor, range(9_000, 10_000), "EARLY-29")
    eventually_sync(lambda: status(floor, "EARLY-29") == "live", 30)
    browser.open(f"{floor.url}/")
    keep_frames(browser)
    send(floor, range(10_000, 13_000), "OPEN-29")
    browser.eventually(lambda: "OPEN-29" in browser.text(".tiles"), 30)
    browser.eventually(lambda: browser.run(KEPT) >= 2)
    replay(browser, WARM_FRAMES, 0)
    begun = heap_mib(browser), memory_mib(floor.web.process)
    shown = replay(browser, FRAMES, WARM_FRAMES)
    assert f"SN-{WARM_FRAMES + FRAMES - 1}-0" in shown
    send(floor, range(13_000, 19_000), "LATER-29")
    browser.eventually(lambda: "LATER-29" in browser.text(".tiles"), 60)
    assert heap_mib(browser) < 1.1 * begun[0]
    assert memory_mib(floor.web.process) < 1.1 * begun[1]
