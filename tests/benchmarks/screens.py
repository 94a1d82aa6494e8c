"""P4, P5 and F30: what many screens cost, and how old a number is when it is painted."""

import contextlib
import time
from collections.abc import Iterator
from threading import Thread
from typing import Final

import orjson
import psutil

from tests.benchmarks.figures import Figure, Yardstick
from tests.benchmarks.load import Message, flat_results, take
from tests.benchmarks.parts import Plant, plant
from tests.support.browser import Browser
from tests.support.ports import free_port, listens
from tests.support.processes import YIELDLINE, Process
from tests.support.raw_mqtt import Sender
from tests.support.viewers import Sighting, sightings, viewing
from tests.support.waiting import eventually_sync

NOTES = (
    (
        "**P4**: flat results at 1,000/s, 20 screens on the floor, one of them Chromium; from a"
        " probe machine's publish until the browser has painted its tile. A frame leaves every"
        " 250 ms, so a quarter of a second is in it. The yardstick is the same with Chromium alone."
    ),
    (
        "**P5**: processor time of the web process, in per cent of one core, with 100 screens on"
        " the floor at 1,000 flat results/s. The yardstick is the same load with no screen."
    ),
    (
        "**F30**, of the fault matrix: 200 screens on the floor at 1,000 flat results/s, each a"
        " websocket that answers as the page does; from a probe machine's publish until a screen"
        " has the frame with it, over all screens. They share one subscription at the broker, which"
        " a test counts. The yardstick is one screen."
    ),
)
PER_SECOND: Final = 1_000
_PROBES, _FRAMED_PROBES, _PROBE_EVERY_S = 60, 20, 0.34
_MEASURE_S = 15
_SCREENS: Final = 200
_PROBE: Final = "PROBE-1"

# Called after the page's own listener: the components have the frame by then.
_NOTE_PAINTS: Final = """
window.painted = [];
window.socket.on("yieldline_frame", (frame) => {
  const tile = (frame.tiles ?? []).find((each) => each.id === arguments[0]);
  if (!tile) return;
  const note = () => window.painted.push([tile.last, Date.now() / 1000]);
  requestAnimationFrame(() => setTimeout(note));
});
"""


def many_screens(rounds: int) -> Iterator[Figure]:
    """Measure F30."""
    times: dict[int, list[float]] = {}
    with plant("SQLite") as place, web_app(place) as (_, url), loading(place):
        for count in (1, _SCREENS):
            with viewing(url, count, probe=_PROBE) as viewers:
                times[count] = [_framed_ms(place, viewers, count) for _ in range(rounds + 1)]
    yield Figure(
        "F30",
        "publish to frame at 1,000/s, 200 screens, p95",
        "SQLite",
        "ms",
        times[_SCREENS][1:],
        Yardstick("one screen", times[1][1:]),
        floor=1_000,
        goal=500,
    )


def screens(rounds: int) -> Iterator[Figure]:
    """Measure P4 and P5."""
    many, none = [], []
    crowd, alone = [], []
    with plant("SQLite") as place, web_app(place) as (web, url), loading(place):
        for _ in range(rounds + 1):
            none.append(_processor_percent(web))
            with viewing(url, 100):
                many.append(_processor_percent(web))
        for _ in range(rounds + 1):
            alone.append(_painted_ms(place, url))
            with viewing(url, 19):
                crowd.append(_painted_ms(place, url))
    yield Figure(
        "P4",
        "publish to painted at 1,000/s, 20 screens, p99",
        "SQLite",
        "ms",
        crowd[1:],
        Yardstick("one screen", alone[1:]),
        floor=600,
        goal=350,
    )
    yield Figure(
        "P5",
        "processor of the web process, 100 screens at 1,000/s",
        "SQLite",
        "%",
        many[1:],
        Yardstick("no screen", none[1:]),
        floor=100,
        goal=25,
    )


@contextlib.contextmanager
def web_app(place: Plant) -> Iterator[tuple[Process, str]]:
    """Start the web app beside a plant's service; give its process and address."""
    port = free_port()
    environment = {
        "YIELDLINE_BROKER__PORT": str(place.mqtt_port),
        "YIELDLINE_DATABASE__URL": place.url,
        "YIELDLINE_HTTP__PORT": str(port),
    }
    with Process([YIELDLINE, "ui"], environment=environment, directory=place.folder) as web:
        url = f"http://127.0.0.1:{port}"
        eventually_sync(lambda: listens(port), 30, saw=lambda: web.output)
        yield web, url


@contextlib.contextmanager
def loading(place: Plant) -> Iterator[None]:
    """Publish flat results at 1,000/s until the end of the block."""
    is_over = False

    def publish() -> None:
        messages = flat_results()
        with Sender(place.mqtt_port, "bench-load") as sender:
            while not is_over:
                sender.send(take(messages, PER_SECOND), per_second=PER_SECOND)

    thread = Thread(target=publish, name="load")
    thread.start()
    try:
        yield
    finally:
        is_over = True
        thread.join()


def _processor_percent(web: Process) -> float:
    """Return the web process's share of one core."""
    process = psutil.Process(web.pid)
    process.cpu_percent()
    time.sleep(_MEASURE_S)
    return float(process.cpu_percent())


def _painted_ms(place: Plant, url: str) -> float:
    """Return the p99 from a probe's publish to its paint, in milliseconds."""
    browser = Browser()
    try:
        browser.open(url)
        browser.run(_NOTE_PAINTS, _PROBE)
        published = list(_publish_probes(place, _PROBES))
        eventually_sync(lambda: _newest(browser) >= published[-1], 10)
        painted: list[list[float]] = browser.run("return window.painted")
    finally:
        browser.close()
    ages = sorted(_first_paint(painted, at) - at for at in published)
    return ages[int(len(ages) * 0.99)] * 1000


def _framed_ms(place: Plant, viewers: Process, count: int) -> float:
    """Return the p95 from a probe's publish to a screen's frame, in milliseconds."""
    published = list(_publish_probes(place, _FRAMED_PROBES))

    def seen() -> dict[int, list[Sighting]]:
        by_seat: dict[int, list[Sighting]] = {}
        for each in sightings(viewers):
            by_seat.setdefault(each.seat, []).append(each)
        assert sum(each[-1].last >= published[-1] for each in by_seat.values()) == count
        return by_seat

    found = eventually_sync(seen, 30)
    ages = sorted(
        next(each.at for each in noted if each.last >= at) - at
        for noted in found.values()
        for at in published
    )
    return ages[int(len(ages) * 0.95)] * 1000


def _publish_probes(place: Plant, count: int) -> Iterator[float]:
    """Publish a result now and then, in no step with the frames; yield when each left."""
    with Sender(place.mqtt_port, "bench-probe") as sender:
        for number in range(count):
            at = time.time()
            sender.send([_probe(number, at)])
            yield at
            time.sleep(_PROBE_EVERY_S)


def _probe(number: int, at: float) -> Message:
    body = {
        "barcode": f"P-{at:.0f}-{number}",
        "product_id": "PROD-A",
        "test_step": "voltage_test",
        "measured_value": 85.5,
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)),
    }
    return f"factory/v1/line-1/{_PROBE}/test", orjson.dumps(body)


def _newest(browser: Browser) -> float:
    return float(browser.run("return window.painted.at(-1)?.[0] ?? 0"))


def _first_paint(painted: list[list[float]], published_at: float) -> float:
    """Return when a tile was painted whose newest result had left then or later."""
    return next(at for received, at in painted if received >= published_at)
