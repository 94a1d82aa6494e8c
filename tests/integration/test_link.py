"""The lossless connection against a real Mosquitto: acknowledged, confirmed, silent, lost."""

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from broker.envelopes import Outgoing
from broker.errors import BrokerUnavailable
from broker.link import Connection
from tests.support.links import (
    Brokers,
    Script,
    acknowledge,
    numbered,
    numbers,
    opened,
    publish,
    read_publish,
    received,
    settings,
)
from tests.support.mosquitto import Mosquitto
from tests.support.raw_mqtt import publish_packet
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

# -- arriving, acknowledging, arriving again -------------------------------------------------------


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_what_is_published_arrives_once_and_in_order(
    mosquitto: Mosquitto, topic_root: str, unique_id: str, protocol: str
) -> None:
    async with (
        opened(mosquitto, f"{unique_id}-in", protocol=protocol) as consumer,
        opened(mosquitto, f"{unique_id}-out", protocol=protocol) as publisher,
    ):
        await consumer.subscribe(f"{topic_root}/+")
        assert await publisher.publish(numbered(f"{topic_root}/a", 3_000)) == []
        assert numbers(await received(consumer, 3_000)) == list(range(3_000))
        assert consumer.pending_count == 0


async def test_what_was_acknowledged_does_not_come_again_and_the_rest_does(
    mosquitto: Mosquitto, topic_root: str, unique_id: str
) -> None:
    async with opened(mosquitto, unique_id, clean_session=False) as first:
        await first.subscribe(f"{topic_root}/a")
        await publish(mosquitto, *numbered(f"{topic_root}/a", 50))
        got = await received(first, 50, ack=False)
        await acknowledge(first, got[:20])
    async with opened(mosquitto, unique_id, clean_session=False) as second:
        assert numbers(await received(second, 30)) == list(range(20, 50))


async def test_an_acknowledgement_survives_a_restart_of_the_broker(
    mosquitto_factory: Brokers,
) -> None:
    broker = mosquitto_factory(persistence=True)
    first = Connection(settings(broker), "keeper", clean_session=False)
    assert await first.open() is False
    await first.subscribe("t/a")
    await publish(broker, *numbered("t/a", 10))
    got = await received(first, 10, ack=False)
    await acknowledge(first, got[:4])
    await first.close()
    broker.restart()
    second = Connection(settings(broker), "keeper", clean_session=False)
    assert await second.open() is True, "the session was kept"
    assert numbers(await received(second, 6)) == list(range(4, 10))
    await second.close()


async def test_an_acknowledgement_on_a_lost_connection_is_never_sent(
    mosquitto: Mosquitto, tcp_proxy_factory: Callable[[int], TcpProxy], topic_root: str
) -> None:
    client_id = topic_root.replace("/", "-")
    cable = tcp_proxy_factory(mosquitto.port)
    async with opened(cable, client_id, clean_session=False) as first:
        await first.subscribe(f"{topic_root}/a")
        await publish(mosquitto, *numbered(f"{topic_root}/a", 5))
        got = await received(first, 5, ack=False)
        cable.cut()
        await eventually(lambda: first.is_over)
        cable.restore()
        first.ack(got)
        assert await first.next_batch() == []
    async with opened(cable, client_id, clean_session=False) as second:
        assert numbers(await received(second, 5)) == list(range(5))


async def test_a_stale_acknowledgement_does_not_take_a_new_message_with_the_same_packet_id(
    mosquitto_factory: Brokers,
) -> None:
    """The broker has forgotten the session, and counts from 1 again."""
    broker = mosquitto_factory()
    async with opened(broker, "c", clean_session=False) as first:
        await first.subscribe("t/a")
        await publish(broker, *numbered("t/a", 5))
        old = await received(first, 5, ack=False)
        broker.kill()
        await eventually(lambda: first.is_over)
        broker.start()
        async with opened(broker, "c", clean_session=False) as second:
            await second.subscribe("t/a")
            await publish(broker, *numbered("t/a", 5))
            new = await received(second, 5, ack=False)
            assert [each.packet_id for each in new] == [each.packet_id for each in old]
            first.ack(old)
    async with opened(broker, "c", clean_session=False) as third:
        assert numbers(await received(third, 5)) == list(range(5))


async def test_a_backlog_may_come_before_the_suback(mosquitto_factory: Brokers) -> None:
    broker = mosquitto_factory()
    async with opened(broker, "c", clean_session=False) as first:
        await first.subscribe("t/a")
    await publish(broker, *numbered("t/a", 900))
    async with opened(broker, "c", clean_session=False, pending_count_max=10) as second:
        await second.subscribe("t/a")
        assert numbers(await received(second, 900)) == list(range(900))


async def test_a_backlog_that_filled_the_memory_before_we_subscribe_does_not_stop_us(
    mosquitto_factory: Brokers,
) -> None:
    broker = mosquitto_factory()
    async with opened(broker, "c", clean_session=False) as first:
        await first.subscribe("t/a")
    await publish(broker, *numbered("t/a", 900))
    async with opened(broker, "c", clean_session=False, pending_count_max=10) as second:
        await eventually(lambda: second.pending_count >= 10)
        await second.subscribe("t/a")
        assert numbers(await received(second, 900)) == list(range(900))


async def test_reading_pauses_at_pending_count_max_and_goes_on(
    mosquitto: Mosquitto, topic_root: str, unique_id: str
) -> None:
    kilobyte = bytes(1_000)
    async with (
        opened(mosquitto, f"{unique_id}-in", pending_count_max=100) as consumer,
        opened(mosquitto, f"{unique_id}-out") as publisher,
    ):
        await consumer.subscribe(f"{topic_root}/a")
        await publisher.publish([Outgoing(f"{topic_root}/a", kilobyte)] * 900)
        await eventually(lambda: consumer.pending_count >= 100)
        await asyncio.sleep(0.2)  # time in which more would come, if it were read
        assert consumer.pending_count < 200, "one read of 64 KiB beyond the bound at most"
        assert len(await received(consumer, 900)) == 900


async def test_reading_pauses_at_pending_bytes_max_and_goes_on(
    mosquitto: Mosquitto, topic_root: str, unique_id: str
) -> None:
    large = bytes(100_000)
    async with (
        opened(mosquitto, f"{unique_id}-in", pending_bytes_max=1_000_000) as consumer,
        opened(mosquitto, f"{unique_id}-out") as publisher,
    ):
        await consumer.subscribe(f"{topic_root}/a")
        await publisher.publish([Outgoing(f"{topic_root}/a", large)] * 60)
        await eventually(lambda: consumer.pending_count >= 10)
        await asyncio.sleep(0.2)
        assert consumer.pending_count <= 11
        assert len(await received(consumer, 60)) == 60


async def test_a_batch_keeps_to_its_count_and_its_bytes(
    mosquitto: Mosquitto, topic_root: str, unique_id: str
) -> None:
    async with (
        opened(mosquitto, f"{unique_id}-in") as consumer,
        opened(mosquitto, f"{unique_id}-out") as publisher,
    ):
        await consumer.subscribe(f"{topic_root}/a")
        await publisher.publish(
            [Outgoing(f"{topic_root}/a", bytes(size)) for size in (9, 40, 5, 5)]
        )
        await eventually(lambda: consumer.pending_count == 4)
        sizes = [[len(each.payload) for each in await consumer.next_batch(2, 20)] for _ in range(3)]
        assert sizes == [[9], [40], [5, 5]], "a message larger than a batch is a batch"


async def test_what_is_finished_gives_no_more_but_still_acknowledges(
    mosquitto: Mosquitto, topic_root: str, unique_id: str
) -> None:
    async with opened(mosquitto, unique_id, clean_session=False) as first:
        await first.subscribe(f"{topic_root}/a")
        await publish(mosquitto, *numbered(f"{topic_root}/a", 3))
        await eventually(lambda: first.pending_count == 3)
        got = await first.next_batch(1)
        first.finish()
        assert await first.next_batch() == []
        await acknowledge(first, got)
    async with opened(mosquitto, unique_id, clean_session=False) as second:
        assert numbers(await received(second, 2)) == [1, 2]


async def test_after_unsubscribing_only_what_was_queued_before_comes(
    mosquitto: Mosquitto, topic_root: str, unique_id: str
) -> None:
    shared = f"$share/{unique_id}/{topic_root}/a"
    async with opened(mosquitto, unique_id, clean_session=False) as first:
        await first.subscribe(shared)
    await publish(mosquitto, *numbered(f"{topic_root}/a", 30))
    async with opened(mosquitto, unique_id, clean_session=False) as second:
        second.leave(shared)
        await publish(mosquitto, Outgoing(f"{topic_root}/a", b"99"))
        assert numbers(await received(second, 30)) == list(range(30))
        await acknowledge(second, [])
        assert second.pending_count == 0


async def test_a_retained_message_says_so(
    mosquitto: Mosquitto, topic_root: str, unique_id: str
) -> None:
    await publish(mosquitto, Outgoing(f"{topic_root}/a", b"kept", retain=True))
    async with opened(mosquitto, unique_id) as consumer:
        await consumer.subscribe(f"{topic_root}/a")
        (delivery,) = await received(consumer, 1)
        assert (delivery.payload, delivery.retained) == (b"kept", True)
    await publish(mosquitto, Outgoing(f"{topic_root}/a", b"", retain=True))


# -- publishing ------------------------------------------------------------------------------------


async def test_a_broker_killed_while_publishing_is_said(mosquitto_factory: Brokers) -> None:
    broker = mosquitto_factory()
    async with opened(broker, "publisher") as connection:
        broker.process.pause()
        publishing = asyncio.create_task(connection.publish(numbered("t/a", 1_000)))
        await asyncio.sleep(0)
        broker.kill()
        with pytest.raises(BrokerUnavailable, match=r"publisher to 127\.0\.0\.1:.* was lost"):
            await publishing
        with pytest.raises(BrokerUnavailable, match="lost"):
            await connection.publish(numbered("t/a", 1))


async def test_a_broker_that_confirms_nothing_is_left(mosquitto_factory: Brokers) -> None:
    broker = mosquitto_factory()
    async with opened(settings(broker, publish_timeout_s=0.3), "publisher") as connection:
        broker.process.pause()
        with pytest.raises(BrokerUnavailable, match="lost"):
            await connection.publish(numbered("t/a", 1))
        assert connection.is_over
        broker.process.resume()


async def test_a_broker_that_confirms_slowly_is_waited_for(
    scripted_broker: Callable[[Script], int],
) -> None:
    async def confirm_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(5):
            packet_id = await read_publish(reader)
            await asyncio.sleep(0.3)
            writer.write(b"\x40\x02" + packet_id)

    port = scripted_broker(confirm_slowly)
    async with opened(settings(port, publish_timeout_s=0.5), "publisher") as connection:
        assert await connection.publish(numbered("t/a", 5)) == []


async def test_more_messages_than_a_window_holds_are_all_confirmed(
    mosquitto: Mosquitto, topic_root: str, unique_id: str
) -> None:
    async with opened(mosquitto, unique_id) as connection:
        assert await connection.publish(numbered(f"{topic_root}/a", 45_000)) == []


async def test_mqtt_5_hears_what_an_acl_denies_and_3_1_1_does_not(
    mosquitto_factory: Brokers,
) -> None:
    broker = mosquitto_factory(acl="topic readwrite t/allowed\n")
    messages = [Outgoing("t/allowed", b"1"), Outgoing("t/denied", b"2")]
    async with opened(broker, "five", protocol="5") as connection:
        assert await connection.publish(messages) == ["Not authorized"]
    async with opened(broker, "three") as connection:
        assert await connection.publish(messages) == []


async def test_a_message_that_nobody_has_subscribed_to_is_said_where_it_must_be_heard(
    mosquitto: Mosquitto, topic_root: str, unique_id: str
) -> None:
    message = Outgoing(f"{topic_root}/a", b"1")
    async with opened(mosquitto, f"{unique_id}-out", protocol="5") as publisher:
        assert await publisher.publish([message]) == []
        with pytest.raises(
            BrokerUnavailable, match=r"no service has subscribed.*yieldline service"
        ):
            await publisher.publish([message], must_be_heard=True)
        async with opened(mosquitto, f"{unique_id}-in") as consumer:
            await consumer.subscribe(f"{topic_root}/+")
            assert await publisher.publish([message], must_be_heard=True) == []


# -- silence, wills --------------------------------------------------------------------------------


async def test_a_silent_broker_is_noticed_within_the_keepalive(mosquitto_factory: Brokers) -> None:
    broker = mosquitto_factory()
    async with opened(settings(broker, keepalive_s=1), "c") as connection:
        broker.process.pause()
        async with asyncio.timeout(10):
            assert await connection.next_batch() == []
        broker.process.resume()


async def test_an_idle_connection_is_kept_by_pings(
    mosquitto: Mosquitto, topic_root: str, unique_id: str
) -> None:
    async with opened(settings(mosquitto, keepalive_s=1), unique_id) as connection:
        await connection.subscribe(f"{topic_root}/a")
        await asyncio.sleep(3.5)  # the broker ends it after 1.5 s without a ping
        await publish(mosquitto, *numbered(f"{topic_root}/a", 1))
        assert numbers(await received(connection, 1)) == [0]


async def test_a_ping_that_is_answered_behind_a_backlog_is_no_silence(
    scripted_broker: Callable[[Script], int],
) -> None:
    async def send_and_never_answer_pings(
        _: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        for number in range(16):
            writer.write(publish_packet("t/a", str(number).encode(), number + 1))
            await asyncio.sleep(0.25)

    port = scripted_broker(send_and_never_answer_pings)
    async with opened(settings(port, keepalive_s=1), "c") as connection:
        assert numbers(await received(connection, 16, ack=False)) == list(range(16))


async def test_a_connection_that_stays_full_is_given_back_to_the_broker(
    mosquitto: Mosquitto, topic_root: str, unique_id: str
) -> None:
    wanted = settings(mosquitto, keepalive_s=2)
    async with opened(wanted, unique_id, clean_session=False, pending_count_max=5) as connection:
        await connection.subscribe(f"{topic_root}/a")
        await publish(mosquitto, *numbered(f"{topic_root}/a", 20))
        await eventually(lambda: connection.is_over, 8)
    async with opened(mosquitto, unique_id, clean_session=False) as again:
        assert numbers(await received(again, 20)) == list(range(20))


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_the_last_will_is_sent_on_abort_and_not_on_close(
    mosquitto: Mosquitto, topic_root: str, unique_id: str, protocol: str
) -> None:
    async with opened(mosquitto, f"{unique_id}-watch") as watcher:
        await watcher.subscribe(f"{topic_root}/+")
        for name, leave in (("closed", Connection.close), ("aborted", Connection.abort)):
            will = Outgoing(f"{topic_root}/{name}", b"offline")
            machine = Connection(
                settings(mosquitto), f"{unique_id}-m", will=will, protocol=protocol
            )
            await machine.open()
            if (left := leave(machine)) is not None:
                await left
        await publish(mosquitto, Outgoing(f"{topic_root}/end", b""))
        topics = sorted(each.topic.rpartition("/")[2] for each in await received(watcher, 2))
        assert topics == ["aborted", "end"]
        await machine.close()


async def test_a_lost_connection_leaves_the_event_loop_at_rest(
    mosquitto: Mosquitto, tcp_proxy_factory: Callable[[int], TcpProxy], unique_id: str
) -> None:
    cable = tcp_proxy_factory(mosquitto.port)
    async with opened(cable, unique_id) as connection:
        link = connection._socket
        assert link is not None
        descriptor = link.fileno()
        cable.cut()
        with contextlib.suppress(BrokerUnavailable):
            await connection.publish(numbered("t", 1))
        await eventually(lambda: connection.is_over)
        assert link.fileno() == -1, "closed"
        assert asyncio.get_running_loop().remove_reader(descriptor) is False
        assert asyncio.get_running_loop().remove_writer(descriptor) is False
