"""Health and the live streams of the HTTP API, on a real broker."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest
import websockets

from broker.envelopes import Outgoing
from broker.link import Connection
from tests.support.mosquitto import Mosquitto
from tests.support.ports import free_port
from tests.support.stored import Stored, run_message
from tests.support.waiting import eventually
from tests.support.web import Web, problem_of, serving, settings_of


@pytest.fixture
def store_url(sqlite_store_url: str) -> str:
    return sqlite_store_url


# -- health ----------------------------------------------------------------------------------------


async def test_alive_is_not_ready(web: Web) -> None:
    assert (await web.get("/healthz")).json() == {"status": "ok"}
    problem = problem_of(await web.get("/readyz"), 503)
    assert "broker" in problem["reasons"][0]
    assert "no service has ever reported" in problem["reasons"][1]


async def test_a_database_without_tables_is_a_503_that_says_so(sqlite_url: str) -> None:
    async with serving(settings_of(sqlite_url, free_port())) as web:
        problem = problem_of(await web.get("/readyz"), 503)
        assert any("no tables of this version" in each for each in problem["reasons"])
        problem_of(await web.get("/api/v1/results"), 503)
        assert "yieldline_database_up 0.0" in (await web.get("/metrics")).text


async def test_ready_needs_broker_database_and_a_service_that_is_connected(
    stored: Stored, mosquitto_factory: Callable[..., Mosquitto]
) -> None:
    broker = mosquitto_factory()
    async with serving(settings_of(stored.url, broker.port)) as web:
        await eventually(lambda: web.state.live.connected)
        stored.writer.report('{"connected": false, "trouble": "broker is away"}', datetime.now(UTC))
        problem = problem_of(await web.get("/readyz"), 503)
        assert problem["reasons"] == [
            "yieldline-service-0 runs but is not connected: broker is away."
        ]
        stored.writer.report('{"connected": true}', datetime.now(UTC))
        ready = await web.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["status"] == "ready"
        stored.writer.report('{"connected": true}', datetime.now(UTC) - timedelta(seconds=30))
        problem = problem_of(await web.get("/readyz"), 503)
        assert "silent for 30 s" in problem["detail"]
        broker.kill()
        await eventually(lambda: not web.state.live.connected)
        problem = problem_of(await web.get("/readyz"), 503)
        assert not problem["checks"]["broker"]["ok"]
        assert problem["checks"]["database"]["ok"]


async def test_prometheus_sees_the_books(stored: Stored, web: Web) -> None:
    stored.save(run_message("A"), run_message("A"), b"{")
    text = (await web.get("/metrics")).text
    for name, value in {"received": 3, "stored": 1, "rejected": 1, "duplicates": 1}.items():
        assert f'yieldline_{name}_total{{line="L1",machine_id="M1"}} {value}.0' in text
    assert "yieldline_database_up 1.0" in text
    assert "yieldline_live_viewers 0.0" in text
    assert "process_resident_memory_bytes" in text


# -- live ------------------------------------------------------------------------------------------


@pytest.fixture
async def live(
    stored: Stored, mosquitto: Mosquitto, topic_root: str
) -> AsyncIterator[tuple[Web, Connection, str]]:
    """The API on a broker, and a connection to publish as the service would."""
    settings = settings_of(stored.url, mosquitto.port, topic_root)
    async with serving(settings) as web:
        await eventually(lambda: web.state.live.connected)
        service = Connection(settings.broker, f"{topic_root.rpartition('/')[2]}-service")
        await service.open()
        yield web, service, topic_root
        await service.close()


async def test_a_websocket_gets_results_as_they_are_published(
    live: tuple[Web, Connection, str],
) -> None:
    web, service, root = live
    url = f"ws://127.0.0.1:{web.port}/ws/live"
    async with websockets.connect(url) as every, websockets.connect(f"{url}?machine_id=M2") as one:
        await eventually(lambda: web.state.viewer_count == 2)
        await service.publish(
            [
                Outgoing(f"{root}/L1/M1/result", b'{"run_id":1}'),
                Outgoing(f"{root}/L1/M2/state", b'{"status":"online"}', retain=True),
                Outgoing(f"{root}/L1/M2/result", b'{"run_id":2}'),
            ]
        )
        async with asyncio.timeout(5):
            assert [await every.recv(), await every.recv()] == ['{"run_id":1}', '{"run_id":2}']
            assert await one.recv() == '{"run_id":2}'
    await eventually(lambda: web.state.viewer_count == 0)


async def test_server_sent_events_carry_results(live: tuple[Web, Connection, str]) -> None:
    web, service, root = live
    async with web.client.stream("GET", "/api/v1/live", params={"line": "L1"}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        await eventually(lambda: web.state.viewer_count == 1)
        await service.publish(
            [
                Outgoing(f"{root}/L2/M1/result", b'{"run_id":1}'),
                Outgoing(f"{root}/L1/M1/result", b'{"run_id":2}'),
                Outgoing(f"{root}/L1/M1/result", b'{"evil":\nevent: x\n"}'),
            ]
        )
        for _ in range(3):  # no result: nothing to tell
            await service.publish([Outgoing(f"{root}/L1/M1/rejected", b"{}")])
        lines: list[str] = []
        async with asyncio.timeout(5):
            async for line in response.aiter_lines():
                lines.append(line)
                if line.startswith('data: "}'):
                    break
    assert [line for line in lines if line] == [
        ": results as they are judged",
        'data: {"run_id":2}',
        'data: {"evil":',
        "data: event: x",
        'data: "}',
    ]
    await eventually(lambda: web.state.viewer_count == 0)


async def test_streams_end_when_the_web_app_stops(
    stored: Stored, mosquitto: Mosquitto, topic_root: str
) -> None:
    settings = settings_of(stored.url, mosquitto.port, topic_root)
    loop = asyncio.get_running_loop()
    async with serving(settings) as web:
        socket = await websockets.connect(f"ws://127.0.0.1:{web.port}/ws/live")
        await eventually(lambda: web.state.viewer_count == 1)
        begun_s = loop.time()
    assert loop.time() - begun_s < 2.5  # less than the grace of 3 s
    with pytest.raises(websockets.ConnectionClosed):
        await socket.recv()
