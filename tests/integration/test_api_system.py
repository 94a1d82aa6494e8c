"""`GET /api/v1/system`: every part with its light, also when parts are away."""

import asyncio
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from broker.envelopes import Outgoing
from broker.link import Connection
from broker.messages import format_time
from broker.settings import Settings
from service.commands.backups import Asked, back_up
from service.pulse import Pulse
from service.store.database import Database
from service.store.election import is_watched, stand
from service.store.queries.system import database_facts
from tests.support.mosquitto import Mosquitto
from tests.support.stored import Stored, run_message
from tests.support.waiting import eventually
from tests.support.web import Web, serving
from ui.api.system_models import SystemView
from ui.feed import Feed
from ui.system import system_facts

ALIVE = '{"connected": true, "pending": 0, "rulebook_version": 1, "runs": 2}'


@pytest.fixture
def store_url(sqlite_store_url: str) -> str:
    return sqlite_store_url


def settings_of(url: str, port: int) -> Settings:
    return Settings.model_validate(
        {
            "broker": {"port": port, "retry_delay_max_s": 0.2, "connect_timeout_s": 1},
            "database": {"url": url},
        }
    )


async def asked(web: Web) -> dict[str, Any]:
    response = await web.get("/api/v1/system")
    assert response.status_code == 200, response.text
    said: dict[str, Any] = response.json()
    SystemView.model_validate(said)
    return said


async def test_the_books_balance_and_a_service_is_up(stored: Stored, web: Web) -> None:
    stored.save(run_message("A"), run_message("B"), b"{")
    stored.writer.report(ALIVE, datetime.now(UTC))
    said = await asked(web)
    assert said["books"]["difference"] == 0
    assert said["books"]["light"]["look"] == "ok"
    assert [each["received"] for each in said["books"]["items"]] == [3]
    assert [each["light"]["word"] for each in said["services"]] == ["up"]
    assert said["watcher"]["light"]["word"] == "watches"
    assert (said["database"]["kind"], said["database"]["runs"]) == ("SQLite", 2)
    assert said["database"]["size_bytes"] > 0
    assert said["broker"]["light"]["look"] == "bad"
    assert {each["name"]: each["value"] for each in said["settings"]}["database.url"] == (
        "set, not shown"
    )


async def test_a_watcher_that_looks_no_more_is_told(stored: Stored, web: Web) -> None:
    now = datetime.now(UTC)
    for looked_s_ago, elected, look in ((1, True, "ok"), (100, False, "bad")):
        looked_at = format_time(now - timedelta(seconds=looked_s_ago))
        facts = {**orjson.loads(ALIVE), "looked_at": looked_at}
        stored.writer.report(orjson.dumps(facts).decode(), now)
        watcher = (await asked(web))["watcher"]
        assert (watcher["elected"], watcher["light"]["look"]) == (elected, look)


async def test_the_last_backup_is_told_with_its_age(
    stored: Stored, web: Web, tmp_path: Path
) -> None:
    stored.save(run_message("A"))
    assert (await asked(web))["database"]["last_backup"] is None
    assert "yieldline_backup" not in (await web.get("/metrics")).text
    taken_at = datetime.now(UTC) - timedelta(hours=2)
    by_ann = Asked("ann", "nightly", taken_at)
    back_up(stored.database, tmp_path / "one.db", by_ann, lambda *_: None)
    told = (await asked(web))["database"]["last_backup"]
    assert (told["ok"], told["file"]) == (True, "one.db")
    assert told["age_s"] == pytest.approx(7_200, abs=60)
    metrics = (await web.get("/metrics")).text
    assert "yieldline_backup_ok 1.0" in metrics
    assert "yieldline_backup_age_seconds 72" in metrics


async def test_how_long_writes_take_is_added_up_over_services(stored: Stored, web: Web) -> None:
    assert (await asked(web))["database"]["write_ms"] == {"p50": None, "p99": None, "count": 0}
    pulse = Pulse()
    for seconds in [0.004] * 98 + [0.2, 99.0]:
        pulse.stages["store"].add(seconds)
    stored.writer.report(orjson.dumps(pulse.facts()).decode(), datetime.now(UTC))
    told = (await asked(web))["database"]["write_ms"]
    assert told == {"p50": 5.0, "p99": 250.0, "count": 100}
    pulse.stages["store"].add(99.0)
    stored.writer.report(orjson.dumps(pulse.facts()).decode(), datetime.now(UTC))
    assert (await asked(web))["database"]["write_ms"]["p99"] == 10_000.0, "or more"


async def test_a_difference_names_the_sender_and_what_to_do(stored: Stored, web: Web) -> None:
    stored.save(run_message("A"))
    with stored.database.changing() as connection:
        connection.exec_driver_sql("UPDATE machine SET received = received + 3")
    books = (await asked(web))["books"]
    assert books["light"]["word"] == "difference 3"
    assert books["items"][0]["hop"].startswith("3 records are missing at the service.")


async def test_a_trail_that_somebody_touched_is_said(stored: Stored, web: Web) -> None:
    assert (await asked(web))["audit"]["light"]["word"] == "intact"
    later = datetime.now(UTC) + timedelta(minutes=2)
    with stored.database.changing() as connection:
        connection.exec_driver_sql(
            "INSERT INTO audit (id, at_us, actor, action, subject, reason, details, chain)"
            " VALUES (1, 0, 'x', 'y', 'z', '', '{}', x'00')"
        )
    audit = (await asyncio.to_thread(system_facts, web.state, later))["audit"]
    assert audit["first_forged"] == 1
    assert audit["light"]["look"] == "bad"


async def test_without_the_database_the_rest_is_said_all_the_same(stored: Stored, web: Web) -> None:
    stored.database.dispose()
    stored.writer.close()
    web.state.database.dispose()
    file = stored.database.file
    file.rename(file.with_suffix(".away"))
    said = await asked(web)
    assert said["books"] is None
    assert said["audit"] is None
    assert said["database"]["light"]["look"] == "bad"
    assert said["web"]["started_at"]
    assert len(said["settings"]) > 50


async def test_a_database_that_hangs_is_said_soon_with_all_that_is_known_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ui.asking.WAIT_S", 0.2)
    monkeypatch.setattr("ui.access.access._FIRST_READ_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # nobody ever answers there
        url = f"postgresql://yl@127.0.0.1:{silent.getsockname()[1]}/yl"
        settings = settings_of(url, 1)
        open_to_all = settings.http.model_copy(update={"no_login": True})
        async with serving(settings.model_copy(update={"http": open_to_all})) as web:
            said = await asked(web)
    light = said["database"]["light"]
    assert (light["look"], said["database"]["kind"]) == ("bad", None)
    assert light["meaning"].startswith("the database has not answered for 0 s. Is it overloaded?")
    assert (said["books"], said["audit"], said["services"]) == (None, None, [])
    assert said["watcher"]["light"]["word"] == "not known"
    assert said["web"]["started_at"]
    assert len(said["settings"]) > 50


async def test_agents_and_the_brokers_own_counters_are_heard(
    stored: Stored, mosquitto_factory: Callable[..., Mosquitto], unique_id: str
) -> None:
    broker = mosquitto_factory()
    stored.save(run_message("A"), machine_id="M1")
    async with serving(settings_of(stored.url, broker.port)) as web:
        feed = Feed(web.state)
        web.state.feed_facts = feed.facts
        task = asyncio.create_task(feed.run(), name="feed")
        await eventually(lambda: web.state.live.connected and feed.seeded_at is not None)
        await _say(broker, unique_id, read=5, refused=1, spooled=4, receipted=2)
        await eventually(lambda: feed.facts().agents)
        await eventually(lambda: "version" in web.state.counters.counters, 15)
        said = await eventually(lambda: timed(web), 15)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    (agent,) = said["agents"]
    assert (agent["machine_id"], agent["spool_depth"], agent["light"]["word"]) == (
        "M1",
        2,
        "other version",
    )
    assert said["books"]["items"][0]["hop"].startswith("1 record is missing between the spool")
    assert said["broker"]["light"]["look"] == "ok"
    assert said["broker"]["counters"]["version"]


async def timed(web: Web) -> dict[str, Any]:
    """Ask once frames and answers of the database have been timed."""
    said = await asked(web)
    assert said["web"]["frame_ms"]["count"] > 0
    assert said["database"]["answer_ms"]["count"] > 0
    return said


async def _say(broker: Mosquitto, unique_id: str, **counts: int) -> None:
    """Publish the state of machine M1 as its agent does."""
    agent = {"version": "0.0", "spool_depth": 2, "lag_s": 0.1, "last_error": None, **counts}
    state = {"status": "online", "at": format_time(datetime.now(UTC)), "session": "1"}
    body = orjson.dumps({**state, "agent": agent})
    connection = Connection(settings_of("sqlite:///x", broker.port).broker, f"{unique_id}-a")
    await connection.open()
    await connection.publish([Outgoing("factory/v1/L1/M1/state", body, retain=True)])
    await connection.close()


def test_each_database_tells_its_kind_size_and_rows(database_url: str) -> None:
    made = Stored(database_url)
    try:
        empty = database_facts(made.database)
        assert (empty["runs"], empty["oldest_result_at"]) == (0, None)
        made.save(run_message("A"), run_message("B"))
        found = database_facts(made.database)
        assert found["kind"] == ("SQLite" if made.database.is_sqlite else "PostgreSQL")
        assert found["version"][0].isdigit()
        assert found["size_bytes"] > 10_000
        assert found["runs"] == 2
        assert found["oldest_result_at"].startswith("2026-11-23T12:00")
    finally:
        made.close()


@pytest.mark.postgres
def test_postgresql_tells_whether_somebody_watches(postgres_store_url: str) -> None:
    made = Stored(postgres_store_url)
    other = Database(settings_of(postgres_store_url, 1).database)
    try:
        assert is_watched(other) is False
        mandate = stand(made.database)
        assert mandate is not None
        assert is_watched(other) is True
        mandate.end()
        assert is_watched(other) is False
    finally:
        other.dispose()
        made.close()
