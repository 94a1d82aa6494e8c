"""`python -m tests.support.viewers URL COUNT`: screens on the floor page, without a browser.

Each opens the page, connects as the page's script would, and answers every frame with credit at
once. Prints `watching COUNT` once all have had a frame; ends when told to.

`--stay S`: each leaves after that many seconds, spread evenly, and another takes its place.
`--probe MACHINE`: prints `saw SEAT LAST AT` when a screen is shown a new result of that machine:
when it was received, and by `time.time()` when the screen had it.

Source: Engine.IO protocol 4 and Socket.IO protocol 5 for the packets' prefixes.
"""

import argparse
import asyncio
import re
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, NamedTuple
from urllib.parse import urlencode

import httpx
import orjson
import websockets
from websockets.exceptions import ConnectionClosed

from tests.support.paths import ROOT
from tests.support.processes import PYTHON, Process
from tests.support.waiting import eventually

_CLIENT_ID: Final = re.compile(r"client_id[\"']?: ?[\"']([0-9a-f-]{36})")
_NUMBER: Final = re.compile(r'"number":(\d+)')
_FRAME: Final = '42["yieldline_frame"'
_PING, _PONG, _CONNECT, _CONNECTED, _EVENT = "2", "3", "40", "40", "42"
_opening = asyncio.Semaphore(4)  # pages that are built at the same time


class Sighting(NamedTuple):
    """A screen was shown a result."""

    seat: int
    last: float
    """When the service received the result, in seconds since 1970."""
    at: float
    """When the screen had it."""


@contextmanager
def viewing(url: str, count: int, stay_s: float = 0, probe: str = "") -> Iterator[Process]:
    """Have so many screens look at the floor, in a process of their own; give it once all do.

    With `stay_s` they come and go; of a machine `probe` they note each new result.
    """
    flags = ["--stay", str(stay_s), "--probe", probe]
    command = [PYTHON, "-m", "tests.support.viewers", url, str(count), *flags]
    with Process(command, directory=ROOT) as viewers:
        viewers.wait_for(f"watching {count}", 120)
        yield viewers
        assert viewers.exit_code is None, viewers.output


def sightings(viewers: Process) -> list[Sighting]:
    """Return what the screens noted so far of the probe, in the order in which they saw it."""
    lines = viewers.output.splitlines(keepends=True)
    words = [line.split() for line in lines if line.startswith("saw ") and line.endswith("\n")]
    return [Sighting(int(seat), float(last), float(at)) for _, seat, last, at in words]


class Viewer:
    """One screen on the floor page."""

    def __init__(self, url: str, seat: int, probe: str) -> None:
        self._url = url
        self._seat = seat
        self._probe = probe
        self._last = 0.0
        self.frames = 0

    async def watch(self, stay_s: float | None) -> None:
        """Look until `stay_s` is over; None: until cancelled."""
        async with asyncio.timeout(stay_s), self._connected() as (link, client_id):
            async for packet in link:
                if packet == _PING:
                    await link.send(_PONG)
                elif isinstance(packet, str) and packet.startswith(_FRAME):
                    self.frames += 1
                    self._note(packet)
                    await link.send(_credit(client_id, _number_of(packet)))

    def _note(self, packet: str) -> None:
        """Print it when the probe has a new result."""
        if not self._probe or f'"{self._probe}"' not in packet:
            return
        at, (_, frame) = time.time(), orjson.loads(packet[2:])
        for tile in frame.get("tiles", ()):
            if tile["id"] == self._probe and (tile["last"] or 0.0) > self._last:
                self._last = tile["last"]
                sys.stdout.write(f"saw {self._seat} {self._last} {at}\n")
                sys.stdout.flush()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[websockets.ClientConnection, str]]:
        async with _opening, httpx.AsyncClient(trust_env=False, timeout=60) as http:
            page = (await http.get(self._url)).text
        found = _CLIENT_ID.search(page)
        assert found, "the page names no client"
        query = {
            "EIO": 4,
            "transport": "websocket",
            "implicit_handshake": "true",
            "client_id": found[1],
            "tab_id": uuid.uuid4(),
            "document_id": uuid.uuid4(),
            "next_message_id": 0,
        }
        where = f"{self._url.replace('http', 'ws', 1)}/_nicegui_ws/socket.io/?{urlencode(query)}"
        async with websockets.connect(where, max_size=None, proxy=None, origin=self._url) as link:
            await link.recv()
            await link.send(_CONNECT)
            answer = await link.recv()
            assert str(answer).startswith(_CONNECTED), answer
            await link.send(_credit(found[1], -1))
            yield link, found[1]


def _credit(client_id: str, number: int) -> str:
    said = {"client_id": client_id, "view": "floor", "seen": number}
    return _EVENT + orjson.dumps(["yieldline_credit", said]).decode()


def _number_of(packet: str) -> int:
    found = _NUMBER.search(packet, max(0, len(packet) - 80)) or _NUMBER.search(packet)
    assert found, "a frame without its number"
    return int(found[1])


async def _seat(
    seat: int, viewers: list[Viewer], options: argparse.Namespace, first_stay_s: float
) -> None:
    """One place in front of a screen: who leaves is followed by somebody else."""
    stay: float | None = first_stay_s if options.stay else None
    while True:
        viewers.append(viewer := Viewer(options.url, seat, options.probe))
        try:
            await viewer.watch(stay)
        except TimeoutError:
            viewers.remove(viewer)
        except (ConnectionClosed, OSError, httpx.HTTPError):
            if not options.stay:
                raise  # who stays is not to be thrown out
            viewers.remove(viewer)
            sys.stdout.write(f"lost {seat}\n")
            await asyncio.sleep(1)
        stay = options.stay


async def _main(options: argparse.Namespace) -> None:
    viewers: list[Viewer] = []
    count, stay_s = options.count, options.stay
    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            tasks.create_task(_seat(number, viewers, options, stay_s * (number + 1) / count))
        await eventually(
            lambda: len(viewers) == count and all(each.frames for each in viewers), 110
        )
        sys.stdout.write(f"watching {count}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.support.viewers", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("count", type=int)
    parser.add_argument("--stay", type=float, default=0, help="seconds; 0: for ever")
    parser.add_argument("--probe", default="", help="a machine_id")
    asyncio.run(_main(parser.parse_args()))
