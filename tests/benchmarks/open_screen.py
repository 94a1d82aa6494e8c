"""F29, of the fault matrix: a screen that stays open for days, in the time of a few minutes."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from tests.benchmarks.figures import Figure, Yardstick
from tests.benchmarks.load import MACHINES, flat_results, take
from tests.benchmarks.parts import Plant, memory_mib, plant
from tests.benchmarks.screens import web_app
from tests.support.browser import Browser
from tests.support.keeper import message
from tests.support.open_screen import KEPT, heap_mib, keep_frames, replay
from tests.support.processes import Process
from tests.support.raw_mqtt import Sender

NOTES = (
    (
        "**F29**, of the fault matrix, the page: Chromium has the floor open and is shown 200,000"
        " new states of its 50 tiles, real frames with new numbers, times and barcodes; what"
        " JavaScript holds after a garbage collection. The yardstick is the same before them, after"
        " the first 50,000; the floor is 10 % above it. One round."
    ),
    (
        "**F29**, the web app: resident memory after 200,000 results, while that page is open. The"
        " yardstick is the same before them, after another 200,000, when what has a limit is full:"
        " so many units of a shift are kept. One round."
    ),
)
UPDATES: Final = 200_000
_WARM_FRAMES, _WARM_RESULTS, _TOGETHER = 1_000, 200_000, 10_000
_FRAMES: Final = UPDATES // MACHINES
_MORE: Final = 1.1
_SEEN_S: Final = 300
_REPLAY_S: Final = 1_200
"""A browser without a graphics card draws a frame in some tenths of a second."""


def open_screen(rounds: int) -> Iterator[Figure]:
    """Measure F29, once: a second round would begin where the first has ended."""
    del rounds
    with plant("SQLite") as place, web_app(place) as (web, url):
        browser = Browser()
        try:
            browser.open(url)
            keep_frames(browser)
            begun, end = _memories(browser, place, web)
            yield _figure("memory of the web app after 200,000 results", end, begun)
            begun, end = _heaps(browser)
            yield _figure("heap of a page after 200,000 updates", end, begun)
        finally:
            browser.close()


def _memories(browser: Browser, place: Plant, web: Process) -> tuple[float, float]:
    """Return what the web app holds before the updates and after them, while the page is shown."""
    results, found = flat_results(), []
    with Sender(place.mqtt_port, "bench-load") as sender:
        for count in (_WARM_RESULTS, UPDATES):
            for _ in range(count // _TOGETHER):
                sender.send(take(results, _TOGETHER))
            sender.send([message(count, f"AFTER-{count}")])
            shows = partial(_shows, browser, f"AFTER-{count}")
            browser.eventually(shows, _SEEN_S)
            found.append(memory_mib(web))
    return found[0], found[1]


def _shows(browser: Browser, machine_id: str) -> bool:
    return machine_id in browser.text(".tiles")


def _heaps(browser: Browser) -> tuple[float, float]:
    """Return what the page holds before the updates and after them."""
    assert browser.run(KEPT), "no frame came with results"
    replay(browser, _WARM_FRAMES, 0, _REPLAY_S)
    begun = heap_mib(browser)
    replay(browser, _FRAMES, _WARM_FRAMES, _REPLAY_S)
    return begun, heap_mib(browser)


def _figure(what: str, value: float, begun: float) -> Figure:
    yardstick = Yardstick("before", [begun])
    return Figure("F29", what, "SQLite", "MiB", [value], yardstick, floor=_MORE * begun)
