"""The lossless connection against a real Mosquitto: restarts, refusals, silence, TLS."""

import asyncio
import contextlib
import logging
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from broker.errors import BrokerRefused, BrokerUnavailable
from broker.link import Connection, Delivery, Outgoing, _Client
from broker.sections import BrokerSettings
from tests.support.mosquitto import Mosquitto
from tests.support.ports import free_port
from tests.support.raw_mqtt import publish_packet
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

Brokers = Callable[..., Mosquitto]


def settings(broker: Mosquitto | TcpProxy | int, **fields: Any) -> BrokerSettings:  # noqa: ANN401
    port = broker if isinstance(broker, int) else broker.port
    return BrokerSettings(port=port).model_copy(update={"connect_timeout_s": 3, **fields})


@contextlib.asynccontextmanager
async def opened(
    broker: Mosquitto | TcpProxy | BrokerSettings,
    client_id: str,
    **options: Any,  # noqa: ANN401
) -> AsyncIterator[Connection]:
    wanted = broker if isinstance(broker, BrokerSettings) else settings(broker)
    connection = Connection(wanted, client_id, **options)
    try:
        await connection.open()
        yield connection
    finally:
        await connection.close()


async def publish(broker: Mosquitto, *messages: Outgoing) -> None:
    async with opened(broker, "publisher") as connection:
        await connection.publish(messages)


async def received(connection: Connection, count: int, *, ack: bool = True) -> list[Delivery]:
    """Take until `count` messages are here."""
    got: list[Delivery] = []
    async with asyncio.timeout(10):
        while len(got) < count:
            batch = await connection.next_batch()
            assert batch, "the connection is over"
            got += batch
            if ack:
                connection.ack(batch)
    return got


async def acknowledge(connection: Connection, batch: list[Delivery]) -> None:
    """Acknowledge, and wait until the broker has read it: what is confirmed came behind it."""
    connection.ack(batch)
    await connection.publish([Outgoing("behind/it", b"")])


def numbered(topic: str, count: int) -> list[Outgoing]:
    return [Outgoing(topic, str(number).encode()) for number in range(count)]


def numbers(deliveries: list[Delivery]) -> list[int]:
    return [int(each.payload) for each in deliveries]


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
        await second.unsubscribe(shared)
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
    scripted_broker: Callable[["Script"], int],
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


# -- logging in ------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
@pytest.mark.parametrize("login", [{}, {"username": "line", "password": "wrong"}])
async def test_a_refused_login_names_the_broker_the_user_and_the_settings(
    mosquitto_factory: Brokers, protocol: str, login: dict[str, str]
) -> None:
    broker = mosquitto_factory(users={"line": "right"})
    wanted = BrokerSettings(port=broker.port, **login)
    user = login.get("username", "anonymous")
    with pytest.raises(BrokerRefused) as caught:
        async with opened(wanted, "c", protocol=protocol):
            pass
    said = str(caught.value)
    assert said.startswith(f"broker 127.0.0.1:{broker.port} refused the login of '{user}'")
    assert "YIELDLINE_BROKER__PASSWORD" in said
    assert "wrong" not in said.split("Check")[1]


async def test_a_login_that_is_right_is_let_in(mosquitto_factory: Brokers) -> None:
    broker = mosquitto_factory(users={"line": "right"})
    wanted = BrokerSettings(port=broker.port, username="line", password="right")
    async with opened(wanted, "c") as connection:
        assert await connection.publish(numbered("t", 1)) == []


async def test_a_denied_subscription_names_the_topic_and_the_user(
    scripted_broker: Callable[["Script"], int],
) -> None:
    async def deny_the_second(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        packet_id = (await read_packet(reader))[:2]
        writer.write(b"\x90\x04" + packet_id + b"\x01\x80")

    port = scripted_broker(deny_the_second)
    async with opened(settings(port), "c") as connection:
        with pytest.raises(BrokerRefused, match=r"does not let 'anonymous' read t/b\. Grant it"):
            await connection.subscribe("t/a", "t/b")


async def test_nobody_at_the_port_is_said_with_the_settings_to_check() -> None:
    port = free_port()
    with pytest.raises(BrokerUnavailable, match=rf"127.0.0.1:{port} does not answer.*__HOST"):
        async with opened(settings(port), "c"):
            pass


async def test_a_broker_that_accepts_and_says_nothing_is_given_up(
    mosquitto_factory: Brokers,
) -> None:
    broker = mosquitto_factory()
    broker.process.pause()
    with pytest.raises(BrokerUnavailable, match=r"does not answer \(timeout\)"):
        async with opened(settings(broker, connect_timeout_s=0.3), "c"):
            pass
    broker.process.resume()


async def test_what_does_not_speak_mqtt_is_said() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(BrokerUnavailable, match="does not answer"):
            async with opened(settings(port), "c"):
                pass


def test_the_one_private_name_that_we_override_is_still_there() -> None:
    assert "_create_socket" in vars(mqtt.Client)
    assert "_create_socket" in vars(_Client)


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
    scripted_broker: Callable[["Script"], int],
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


# -- TLS -------------------------------------------------------------------------------------------


def openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def make_ca(directory: Path, name: str) -> Path:
    options = ("-days", "2", "-nodes", "-subj", f"/CN={name}", "-addext")
    extensions = "basicConstraints=critical,CA:TRUE"
    files = ("-keyout", f"{name}.key", "-out", f"{name}.crt")
    openssl(directory, "req", "-x509", "-newkey", "rsa:2048", *files, *options, extensions)
    return directory / f"{name}.crt"


def sign(directory: Path, ca: Path, name: str, subject_names: str, days: str = "1") -> Path:
    openssl(
        directory,
        *("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"),
        *("-keyout", f"{name}.key", "-out", f"{name}.csr"),
    )
    (directory / f"{name}.ext").write_text(f"subjectAltName={subject_names}\n", "utf-8")
    openssl(
        directory,
        *("x509", "-req", "-in", f"{name}.csr", "-CA", str(ca), "-CAcreateserial"),
        *("-CAkey", str(ca.with_suffix(".key")), "-days", days, "-extfile", f"{name}.ext"),
        *("-out", f"{name}.crt"),
    )
    return directory / f"{name}.crt"


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, certificates it signed, and another CA that signed nothing."""
    directory = tmp_path_factory.mktemp("papers")
    ca = make_ca(directory, "ca")
    make_ca(directory, "stranger")
    sign(directory, ca, "server", "IP:127.0.0.1,DNS:localhost")
    sign(directory, ca, "elsewhere", "DNS:broker.example")
    sign(directory, ca, "expired", "IP:127.0.0.1", days="-1")
    sign(directory, ca, "MACH-01", "DNS:MACH-01")
    for file in directory.glob("*.key"):
        file.chmod(0o644)
    return directory


def tls_broker(brokers: Brokers, papers: Path, name: str = "server", *extra: str) -> Mosquitto:
    lines = [f"certfile {papers / name}.crt", f"keyfile {papers / name}.key", *extra]
    return brokers(extra=lines)


def tls_settings(broker: Mosquitto, papers: Path, **fields: Any) -> BrokerSettings:  # noqa: ANN401
    return settings(broker, tls=True, **{"ca_file": papers / "ca.crt", **fields})


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_over_tls_with_our_own_ca_everything_is_the_same(
    mosquitto_factory: Brokers, papers: Path, protocol: str
) -> None:
    broker = tls_broker(mosquitto_factory, papers)
    wanted = tls_settings(broker, papers)
    async with (
        opened(wanted, "in", protocol=protocol) as consumer,
        opened(wanted, "out", protocol=protocol) as publisher,
    ):
        await consumer.subscribe("t/a")
        await publisher.publish(numbered("t/a", 500))
        assert numbers(await received(consumer, 500)) == list(range(500))
        await publisher.publish([Outgoing("t/a", bytes(1_000_000))])
        assert [len(each.payload) for each in await received(consumer, 1)] == [1_000_000]


async def test_a_broker_of_another_ca_is_not_trusted_and_the_sentence_says_what_to_set(
    mosquitto_factory: Brokers, papers: Path
) -> None:
    broker = tls_broker(mosquitto_factory, papers)
    with pytest.raises(BrokerRefused, match=r"not trusted.*YIELDLINE_BROKER__CA_FILE"):
        async with opened(tls_settings(broker, papers, ca_file=papers / "stranger.crt"), "c"):
            pass


async def test_a_certificate_made_for_another_name_is_not_trusted(
    mosquitto_factory: Brokers, papers: Path
) -> None:
    broker = tls_broker(mosquitto_factory, papers, "elsewhere")
    with pytest.raises(BrokerRefused, match=r"IP address mismatch.*YIELDLINE_BROKER__HOST"):
        async with opened(tls_settings(broker, papers), "c"):
            pass


async def test_an_expired_certificate_is_waited_for_because_it_will_be_renewed(
    mosquitto_factory: Brokers, papers: Path
) -> None:
    broker = tls_broker(mosquitto_factory, papers, "expired")
    with pytest.raises(BrokerUnavailable, match=r"it expired on 20\d\d-.*Renew it on the broker"):
        async with opened(tls_settings(broker, papers), "c"):
            pass


async def test_tls_to_a_broker_without_it_names_the_settings(
    mosquitto: Mosquitto, papers: Path, unique_id: str
) -> None:
    with pytest.raises(BrokerUnavailable, match=r"YIELDLINE_BROKER__(TLS|HOST)"):
        async with opened(tls_settings(mosquitto, papers), unique_id):
            pass


async def test_no_tls_to_a_broker_that_wants_it_is_said(
    mosquitto_factory: Brokers, papers: Path
) -> None:
    broker = tls_broker(mosquitto_factory, papers)
    with pytest.raises(BrokerUnavailable, match="does not answer"):
        async with opened(settings(broker, connect_timeout_s=1), "c"):
            pass


async def test_a_machine_is_who_its_certificate_says(
    mosquitto_factory: Brokers, papers: Path
) -> None:
    who = (
        f"cafile {papers / 'ca.crt'}",
        "require_certificate true",
        "use_identity_as_username true",
    )
    broker = tls_broker(mosquitto_factory, papers, "server", *who)
    mine = {"cert_file": papers / "MACH-01.crt", "key_file": papers / "MACH-01.key"}
    async with opened(tls_settings(broker, papers, **mine), "c") as connection:
        assert await connection.publish(numbered("t", 1)) == []
    await eventually(lambda: "u'MACH-01'" in broker.log)
    with pytest.raises(BrokerUnavailable, match=r"asks for certificates: check broker\.cert_file"):
        async with opened(tls_settings(broker, papers), "nobody"):
            pass


async def test_a_ca_file_that_is_none_names_the_settings(papers: Path) -> None:
    for name in ("missing.crt", "ca.key"):
        wanted = BrokerSettings(tls=True, ca_file=papers / name)
        with pytest.raises(BrokerRefused, match=r"TLS files.*broker\.ca_file"):
            await Connection(wanted, "c").open()


# -- a broker that follows a script ----------------------------------------------------------------

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@pytest.fixture
async def scripted_broker() -> AsyncIterator[Callable[[Script], int]]:
    """Make servers that let one client in and then do as told: what no real broker does at will."""
    listeners: list[socket.socket] = []
    servers: list[asyncio.Task[None]] = []

    async def serve(listener: socket.socket, script: Script) -> None:
        raw, _ = await asyncio.get_running_loop().sock_accept(listener)
        reader, writer = await asyncio.open_connection(sock=raw)
        try:
            await read_packet(reader)
            writer.write(b"\x20\x02\x00\x00")
            await script(reader, writer)
            await reader.read(-1)
        except (OSError, asyncio.IncompleteReadError):
            logging.getLogger(__name__).debug("the client left")
        finally:
            writer.close()

    def make(script: Script) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)  # noqa: FBT003 - a socket's signature
        listeners.append(listener)
        servers.append(asyncio.create_task(serve(listener, script)))
        return int(listener.getsockname()[1])

    yield make
    for server in servers:
        server.cancel()
    await asyncio.gather(*servers, return_exceptions=True)
    for listener in listeners:
        listener.close()


async def read_packet(reader: asyncio.StreamReader) -> bytes:
    """Return the body of a packet of up to 127 bytes."""
    head = await reader.readexactly(2)
    return await reader.readexactly(head[1])


async def read_publish(reader: asyncio.StreamReader) -> bytes:
    """Return the packet id of the next PUBLISH."""
    body = await read_packet(reader)
    topic_end = 2 + int.from_bytes(body[:2])
    return body[topic_end : topic_end + 2]
