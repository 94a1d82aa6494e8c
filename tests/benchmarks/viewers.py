"""`python -m tests.benchmarks.viewers URL COUNT [STAY_S]`: screens on a page, without a browser.

Each opens the page, connects as the page's script would, and answers every frame with credit at
once. With STAY_S each leaves after that many seconds, spread evenly, and another takes its place.
Prints `watching COUNT` once all have had a frame; ends when told to.

Source: Engine.IO protocol 4 and Socket.IO protocol 5 for the packets' prefixes.
"""

import asyncio
import re
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlencode

import httpx
import orjson
import websockets

from tests.support.waiting import eventually

_CLIENT_ID: Final = re.compile(r"client_id[\"']?: ?[\"']([0-9a-f-]{36})")
_NUMBER: Final = re.compile(r'"number":(\d+)')
_FRAME: Final = '42["yieldline_frame"'
_PING, _PONG, _CONNECT, _CONNECTED, _EVENT = "2", "3", "40", "40", "42"


class Viewer:
    """One screen on the floor page."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.frames = 0

    async def watch(self, stay_s: float | None) -> None:
        """Look until `stay_s` is over; None: until cancelled."""
        async with asyncio.timeout(stay_s), self._connected() as (link, client_id):
            async for packet in link:
                if packet == _PING:
                    await link.send(_PONG)
                elif isinstance(packet, str) and packet.startswith(_FRAME):
                    self.frames += 1
                    await link.send(_credit(client_id, _number_of(packet)))

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[websockets.ClientConnection, str]]:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
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


async def _seat(url: str, viewers: list[Viewer], first_stay_s: float, stay_s: float) -> None:
    """One place in front of a screen: who leaves is followed by somebody else."""
    stay: float | None = first_stay_s if stay_s else None
    while True:
        viewers.append(viewer := Viewer(url))
        try:
            await viewer.watch(stay)
        except TimeoutError:
            viewers.remove(viewer)
        stay = stay_s


async def _main(url: str, count: int, stay_s: float) -> None:
    viewers: list[Viewer] = []
    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            tasks.create_task(_seat(url, viewers, stay_s * (number + 1) / count, stay_s))
            await asyncio.sleep(0.05)
        await eventually(lambda: len(viewers) == count and all(each.frames for each in viewers), 60)
        sys.stdout.write(f"watching {count}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), float((*sys.argv, 0)[3])))
