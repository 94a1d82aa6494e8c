"""The live feed on a real broker and a real database."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiomqtt
import orjson
import pytest

from broker.answers import Counts, Result
from broker.messages import Outcome, Severity
from broker.settings import load_settings
from service.core.alerts import AlertKind, Finding, Subject, key_of
from service.store.alerts import open_alert
from service.store.database import Database
from tests.support.mosquitto import Mosquitto
from tests.support.stored import Stored, run_message
from tests.support.waiting import eventually
from ui.feed import Feed
from ui.floor_model import FloorModel
from ui.floor_seed import seed
from ui.state import AppState

MosquittoFactory = Callable[..., Mosquitto]


@pytest.fixture
def store_url(sqlite_store_url: str) -> str:
    return sqlite_store_url


@pytest.fixture
def broker(mosquitto_factory: MosquittoFactory) -> Mosquitto:
    return mosquitto_factory()


@contextlib.asynccontextmanager
async def feeding(stored: Stored, broker: Mosquitto) -> AsyncIterator[Feed]:
    """Run a feed until the end of the block, connected at its start."""
    flags = {
        "broker": {"host": broker.host, "port": broker.port, "retry_delay_max_s": 0.2},
        "database": {"url": stored.url},
    }
    state = AppState(load_settings(flags=flags))
    feed = Feed(state)
    async with state.running():
        task = asyncio.create_task(feed.run())
        try:
            await eventually(lambda: state.live.connected and feed.seeded_at is not None)
            yield feed
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def now_run(barcode: str) -> dict[str, object]:
    return run_message(barcode, started_at=datetime.now(UTC).isoformat())


def result(run_id: int, barcode: str) -> Result:
    now = datetime.now(UTC)
    return Result(
        message_id=str(run_id),
        run_id=run_id,
        barcode=barcode,
        machine_id="M1",
        line="L1",
        product_id="P1",
        procedure="FCT",
        outcome=Outcome.PASS,
        reported_outcome=None,
        agrees=None,
        timestamp=now,
        received_at=now,
        attempt=1,
        first_failure=None,
        rulebook_version=1,
        clock_suspect=False,
        counts=Counts(PASS=1),
        measurements=(),
        measurements_complete=True,
    )


async def publish(broker: Mosquitto, channel: str, payload: str, *, retain: bool = False) -> None:
    async with aiomqtt.Client(broker.host, broker.port) as client:
        await client.publish(f"factory/v1/L1/M1/{channel}", payload, qos=1, retain=retain)


async def test_the_floor_is_rebuilt_and_then_kept_by_live_results(
    stored: Stored, broker: Mosquitto
) -> None:
    stored.save(now_run("A"), at=datetime.now(UTC))
    async with feeding(stored, broker) as feed:
        assert feed.model.total.units == 1
        await publish(broker, "result", result(987_654, "B").model_dump_json())
        await eventually(lambda: feed.model.total.units == 2)
        assert feed.status_of("M1") == "live"
        assert feed.status_of("NOBODY") == "unknown"


async def test_a_last_will_makes_the_machine_offline(stored: Stored, broker: Mosquitto) -> None:
    stored.save(now_run("A"), at=datetime.now(UTC))
    async with feeding(stored, broker) as feed:
        await publish(broker, "state", '{"status": "offline", "at": "2026-01-01T00:00:00Z"}')
        await eventually(lambda: feed.status_of("M1") == "offline")


async def test_a_retained_last_will_is_heard_at_start(stored: Stored, broker: Mosquitto) -> None:
    said = '{"status": "offline", "at": "2026-01-01T00:00:00Z"}'
    await publish(broker, "state", said, retain=True)
    stored.save(now_run("A"), at=datetime.now(UTC))
    async with feeding(stored, broker) as feed:
        await eventually(lambda: feed.status_of("M1") == "offline")


@pytest.mark.parametrize("nonsense", ["{", "[]", '{"run_id": 1}', "\u0000", '"PASS"'])
async def test_nonsense_on_our_topics_is_not_shown_and_hurts_nobody(
    stored: Stored, broker: Mosquitto, nonsense: str
) -> None:
    async with feeding(stored, broker) as feed:
        for channel in ("result", "state", "rejected"):
            await publish(broker, channel, nonsense)
        await publish(broker, "result", result(1, "A").model_dump_json())
        await eventually(lambda: feed.model.total.units == 1)


async def test_an_agent_that_says_what_nobody_can_count_hurts_nobody(
    stored: Stored, broker: Mosquitto
) -> None:
    facts = f'{{"read": {2**70}, "lag_s": 1{"0" * 400}, "spool_depth": 3, "list": [1]}}'
    said = f'{{"status": "online", "at": "2026-01-01T00:00:00Z", "agent": {facts}}}'
    await publish(broker, "state", said, retain=True)
    stored.save(now_run("A"), at=datetime.now(UTC))
    async with feeding(stored, broker) as feed:
        await eventually(lambda: feed.agent_of("M1") == {"spool_depth": 3})
        for view in ("floor", "machine/M1"):
            orjson.dumps(feed.frame(view), option=orjson.OPT_NON_STR_KEYS)
        large = orjson.loads(result(9, "B").model_dump_json()) | {"attempt": 2**63 - 1}
        for changes in ({"run_id": 2**70}, {"run_id": -(2**70)}, {"rulebook_version": 2**64}):
            await publish(broker, "result", json.dumps(large | changes))
        await publish(broker, "result", json.dumps(large))
        await eventually(lambda: feed.model.runs == 2)


async def test_a_database_that_answers_no_more_is_not_shown_as_well(
    stored: Stored, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_hanging = threading.Event()

    def hang(*_: object) -> None:
        is_hanging.set()
        assert may_answer.wait(30)

    async with feeding(stored, broker) as feed:
        now_s = datetime.now(UTC).timestamp()
        await eventually(lambda: feed.status(now_s)["database"])
        may_answer = threading.Event()
        monkeypatch.setattr("ui.feed.read_status", hang)
        await eventually(is_hanging.is_set)
        assert feed.status(now_s)["database"]
        later = feed.status(now_s + 20)
        may_answer.set()
    assert not later["database"]
    assert later["database_trouble"].startswith("the database has not answered for ")


async def test_what_arrives_faster_than_it_can_wait_is_read_once_more(
    stored: Stored, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.feed.PENDING_MAX", 2)
    is_read, may_go_on = threading.Event(), threading.Event()

    def slow_seed(database: Database, model: FloorModel) -> None:
        seed(database, model)
        is_read.set()
        assert may_go_on.wait(30)

    stored.save(now_run("A"), at=datetime.now(UTC))
    async with feeding(stored, broker) as feed:
        monkeypatch.setattr("ui.feed.seed", slow_seed)
        feed.seeded_at = None
        await eventually(is_read.is_set)
        stored.save(*map(now_run, "BCD"), at=datetime.now(UTC))
        for run_id, barcode in enumerate("BCD", 2):
            await publish(broker, "result", result(run_id, barcode).model_dump_json())
        await eventually(lambda: any(b'"D"' in each.payload for each in feed._pending or ()))
        may_go_on.set()
        await eventually(lambda: feed.model.runs == 4)
        await eventually(lambda: feed.seeded_at is not None)


async def test_what_was_stored_while_the_broker_was_away_is_read_again(
    stored: Stored, broker: Mosquitto
) -> None:
    async with feeding(stored, broker) as feed:
        broker.kill()
        await eventually(lambda: not feed.state.live.connected)
        assert feed.status(0)["broker"] is False
        stored.save(now_run("A"), at=datetime.now(UTC))
        broker.start()
        await eventually(lambda: feed.model.total.units == 1)


async def test_a_feed_that_falls_behind_reads_what_is_stored_instead_of_what_waits(
    stored: Stored, broker: Mosquitto
) -> None:
    async with feeding(stored, broker) as feed:
        stored.save(now_run("A"), at=datetime.now(UTC))  # and its result is never heard
        await publish(broker, "result", result(900_000, "B0").model_dump_json())
        old = datetime.now(UTC) - timedelta(minutes=3)
        async with aiomqtt.Client(broker.host, broker.port) as client:
            for number in range(1, 61):
                late = result(900_000 + number, f"B{number}").model_copy(
                    update={"received_at": old}
                )
                await client.publish("factory/v1/L1/M1/result", late.model_dump_json(), qos=1)
        await eventually(lambda: [each.barcode for each in feed.model.live] == ["A"])
        assert feed.model.total.units == 1, "A alone is stored"


async def test_what_rings_is_on_the_floor_and_on_the_page_of_its_machine(
    stored: Stored, broker: Mosquitto
) -> None:
    stored.save(now_run("A"), at=datetime.now(UTC))
    stored.save(now_run("B"), at=datetime.now(UTC), machine_id="M2")
    async with feeding(stored, broker) as feed:
        assert feed.frame("floor")["alerts"] == []
        key, subject = key_of(AlertKind.SILENT, "M1"), Subject("M1")
        finding = Finding(AlertKind.SILENT, key, subject, "L1", Severity.MAJOR, "M1 is silent.")
        with stored.database.changing() as connection:
            open_alert(connection, finding, "t", datetime.now(UTC), notify=False)
        await eventually(lambda: feed.frame("floor")["alerts"])
        (card,) = feed.frame("machine:M1/vcc")["alerts"]
        assert (card["message"], card["state"]) == ("M1 is silent.", "open")
        assert feed.frame("machine:M2")["alerts"] == []


def replace_by_a_folder(file: Path) -> None:
    for each in file.parent.glob(f"{file.name}*"):
        each.unlink()
    file.mkdir()


async def test_the_status_line_says_when_the_database_is_away(
    stored: Stored, broker: Mosquitto, sqlite_url: str
) -> None:
    async with feeding(stored, broker) as feed:
        await eventually(lambda: feed.status(0)["database"])
        stored.close()
        feed.state.database.dispose()
        replace_by_a_folder(Path(sqlite_url.removeprefix("sqlite:///")))
        await eventually(lambda: not feed.status(0)["database"])
        assert "database" in feed.status(0)["database_trouble"]


async def test_the_books_of_the_status_line_hold_what_an_agent_counted(
    stored: Stored, broker: Mosquitto
) -> None:
    stored.save(now_run("A"), at=datetime.now(UTC))
    counted = '"agent": {"read": 4, "refused": 1, "spooled": 2, "receipted": 1}'
    async with feeding(stored, broker) as feed:
        await eventually(lambda: feed.status(0).get("books"))
        said = f'{{"status": "online", "at": "2026-01-01T00:00:00Z", {counted}}}'
        await publish(broker, "state", said)
        await eventually(lambda: feed.status(0)["books"]["agents"] == 1)
        books = feed.status(0)["books"]
    assert (books["received"], books["read"], books["spooled"]) == (1, 4, 2)
    assert books["difference"] == 1
