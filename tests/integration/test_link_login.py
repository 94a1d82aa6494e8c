"""The lossless connection logs in: passwords, rights, TLS; each refusal is a sentence."""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from broker.envelopes import Outgoing
from broker.errors import BrokerRefused, BrokerUnavailable
from broker.link import Connection
from broker.paho_client import PahoClient
from broker.sections import BrokerSettings
from tests.support.links import (
    Brokers,
    Script,
    numbered,
    numbers,
    opened,
    read_packet,
    received,
    settings,
)
from tests.support.mosquitto import Mosquitto
from tests.support.ports import free_port
from tests.support.waiting import eventually

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
    scripted_broker: Callable[[Script], int],
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
    assert "_create_socket" in vars(PahoClient)


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
