"""Checks when nobody can tell yet: refused, or answered behind what waits."""

import asyncio
import sqlite3

from broker.envelopes import Outgoing
from broker.link import Connection
from service.core.lookup import Rulebook
from service.pipeline import Pipeline
from service.pulse import Pulse
from service.store.database import Database
from service.subscriber import Subscriber
from tests.support.checks import check, checking, machine, settings_of
from tests.support.mosquitto import Mosquitto
from tests.support.ports import free_port
from tests.support.stored import run_message
from tests.support.waiting import eventually


async def test_while_the_database_is_away_nobody_may_be_run(
    mosquitto: Mosquitto, topic_root: str
) -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    settings = settings_of(mosquitto.port, topic_root, url)
    async with checking(settings), machine(mosquitto, topic_root) as asking:
        said = await asking.verdict(check("r1"))
        assert (said["allowed"], said["reason"]) == (
            False,
            "Nobody can tell while the database is away. Ask again in a moment.",
        )


async def test_while_earlier_results_wait_to_be_stored_nobody_may_be_run(
    sqlite_store_url: str, mosquitto: Mosquitto, topic_root: str
) -> None:
    settings = settings_of(mosquitto.port, topic_root, sqlite_store_url, check_age_max_s=1)
    never = asyncio.Event().wait

    async def caught_up(_: Connection) -> None:
        await never()

    async with checking(settings, caught_up), machine(mosquitto, topic_root) as asking:
        said = await asking.verdict(check("r1", procedure="ICT"))
        assert (said["allowed"], said["reason"]) == (
            False,
            "Results that came before are not all stored yet. Ask again in a moment.",
        )


async def test_a_service_that_is_alone_answers_behind_all_that_waits_for_it_at_the_broker(
    sqlite_store_url: str, mosquitto: Mosquitto, topic_root: str
) -> None:
    """It holds ten results, and cannot store them, while ninety more are at the broker."""
    few = {"pending_count_max": 10, "batch_count_max": 10, "retry_delay_max_s": 0.2}
    settings = settings_of(mosquitto.port, topic_root, sqlite_store_url, **few)
    database, stop, pulse = Database(settings.database), asyncio.Event(), Pulse()
    subscriber = Subscriber(settings, Pipeline(settings, database, Rulebook(1, ())), stop, pulse)
    serving = asyncio.create_task(subscriber.run())
    try:
        async with (
            checking(settings, subscriber.caught_up),
            machine(mosquitto, topic_root) as asking,
        ):
            assert (await asking.verdict(check("r1", procedure="ICT")))["allowed"]
            held = sqlite3.connect(database.file, isolation_level=None)
            held.execute("BEGIN IMMEDIATE")
            for number in range(100):
                await asking.give(run_message(f"SN-{number}", procedure="ICT"))
            await asking.ask(check("r2", "SN-99"))
            held.execute("ROLLBACK")
            held.close()
            await eventually(lambda: asking.said()[-1]["request_id"] == "r2", saw=asking.said)
            assert asking.said()[-1]["reason"] == "It has passed what comes before FCT: ICT."
    finally:
        stop.set()
        await asyncio.wait([serving])
        database.dispose()


async def test_a_connection_that_is_lost_while_a_check_is_answered_is_made_anew(
    sqlite_store_url: str, mosquitto: Mosquitto, topic_root: str
) -> None:
    settings = settings_of(mosquitto.port, topic_root, sqlite_store_url)
    lost: list[Connection] = []

    async def caught_up(connection: Connection) -> None:
        if not lost:
            lost.append(connection)
            connection.abort()
            await connection.publish([Outgoing(f"{topic_root}/_check/a/test", b"{}")])

    async with checking(settings, caught_up), machine(mosquitto, topic_root) as asking:
        assert (await asking.verdict(check("r1", procedure="ICT")))["allowed"]
        assert lost
