"""Who may read and write what at the plant's broker: every login, every channel, both ways in.

By raw clients on MQTT 5, which hear 0x87 where the ACL denies, and by what readers are given.
"""

import re
import socket
import ssl
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from broker.authority import Authority
from broker.settings import Settings
from broker.topics import Channel
from tests.support.mosquitto import EXECUTABLE
from tests.support.plant_broker import ACL, MACHINE, OTHER, ROOT, Plant
from tests.support.waiting import eventually_sync

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="Mosquitto is not installed")

TAKEN, UNHEARD, DENIED = 0x00, 0x10, 0x87
FROM_MACHINES = {Channel.TEST, Channel.STATE, Channel.CHECK}
SHOWN = {Channel.RESULT, Channel.REJECTED, Channel.STATE, Channel.SUMMARY, Channel.ALERT}


class Login(NamedTuple):
    """A name, and what it proves it with."""

    name: str
    by: str


class Rights(NamedTuple):
    """Channels that a login may write and read; of a machine, its own."""

    writes: set[Channel]
    reads: set[Channel]


OF_A_MACHINE = Rights(FROM_MACHINES, {Channel.RECEIPT, Channel.VERDICT, Channel.REJECTED})
OF_PROGRAMS = {
    "yieldline-service": Rights(set(Channel) - FROM_MACHINES, FROM_MACHINES),
    "yieldline-ui": Rights(set(), SHOWN),
    "yieldline-ingest": Rights({Channel.TEST}, SHOWN),
}
MACHINES = [Login(MACHINE, "certificate"), Login(OTHER, "password")]
PROGRAMS = [Login(name, by) for name in OF_PROGRAMS for by in ("certificate", "password")]
EVERYBODY = MACHINES + PROGRAMS
SERVICE = Login("yieldline-service", "password")
ODD_NAMES = ("+", "+/+", f"{MACHINE}/#", "M1/x")


class Client:
    """paho, with none of our code between it and the broker."""

    def __init__(self, plant: Plant, login: Login, client_id: str = "") -> None:
        self.heard: list[str] = []
        self.connection_count = 0
        self._answers: dict[int, int] = {}
        self._is_answered = threading.Condition()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5)
        self._client.on_message = lambda _client, _, message: self.heard.append(message.topic)
        self._client.on_connect = self._count
        self._client.on_publish = lambda *event: self._note(event[2], event[3].value)
        self._client.on_subscribe = lambda *event: self._note(event[2], event[3][0].value)
        context = ssl.create_default_context(cafile=plant.secrets / "ca.crt")
        is_program = login.name in OF_PROGRAMS
        if login.by == "password":
            word = plant.password_of(login.name) if is_program else "word"
            self._client.username_pw_set(login.name, word)
            port = plant.by_password if is_program else plant.by_machine_password
        else:
            papers = plant.secrets / login.name
            context.load_cert_chain(f"{papers}.crt", f"{papers}.key")
            port = plant.by_program_certificate if is_program else plant.by_certificate
        self._client.tls_set_context(context)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        eventually_sync(self._client.is_connected)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str) -> int:
        """Return the reason code of the PUBACK; "no subscribers" is a yes."""
        code = self._answer(self._client.publish(topic, b"{}", qos=1).mid)
        return TAKEN if code == UNHEARD else code

    def subscribe(self, *filters: str) -> None:
        """Subscribe; once it returns, all that was published before is in `heard`."""
        _, mid = self._client.subscribe([(each, mqtt.SubscribeOptions(1)) for each in filters])
        assert mid is not None
        self._answer(mid)

    def _count(self, *_: object) -> None:
        self.connection_count += 1

    def _note(self, mid: int, code: int) -> None:
        with self._is_answered:
            self._answers[mid] = code
            self._is_answered.notify_all()

    def _answer(self, mid: int) -> int:
        with self._is_answered:
            assert self._is_answered.wait_for(lambda: mid in self._answers, 10), "no answer"
            return self._answers.pop(mid)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """One plant for all tests here, with logins of names that mean something in a filter."""
    plant = Plant(tmp_path_factory.mktemp("plant"))
    for name in ODD_NAMES:
        plant.let_in(name, "word")
    plant.reload()
    yield plant
    plant.process.stop()


def topic(channel: Channel, machine: str = MACHINE) -> str:
    return f"factory/v1/L1/{machine}/{channel}"


def rights_of(login: Login) -> Rights:
    return OF_PROGRAMS.get(login.name, OF_A_MACHINE)


def own_and_foreign(login: Login) -> tuple[str, str]:
    """Return the machine that a login speaks for, and another; programs speak for both."""
    return (OTHER, MACHINE) if login.name == OTHER else (MACHINE, OTHER)


def words(login: Login) -> str:
    return f"{login.name} by {login.by}"


@pytest.mark.parametrize("login", EVERYBODY, ids=words)
def test_a_login_writes_its_own_channels_and_no_others(plant: Plant, login: Login) -> None:
    own, foreign = own_and_foreign(login)
    with Client(plant, login) as client:
        for channel in Channel:
            taken = TAKEN if channel in rights_of(login).writes else DENIED
            assert client.publish(topic(channel, own)) == taken, channel
            is_theirs = login.name in OF_PROGRAMS
            assert client.publish(topic(channel, foreign)) == (taken if is_theirs else DENIED)


@pytest.mark.parametrize("login", EVERYBODY, ids=words)
def test_a_login_writes_nowhere_else(plant: Plant, login: Login) -> None:
    own = own_and_foreign(login)[0]
    with Client(plant, login) as client:
        for elsewhere in (
            "$CONTROL/dynamic-security/v1",
            "$CONTROL/broker/v1",
            f"factory/v2/L1/{own}/test",
            f"factory/v1/{own}/test",
            f"factory/v1/L1/{own}/test/more",
            f"factory/v1/L1/{own}/settings",
            f"factory/v1/L1/{own.lower()}/result/",
            "factory/v1/L1//test",
        ):
            is_anybodys = login.name == "yieldline-ingest" and elsewhere.endswith("L1//test")
            assert client.publish(elsewhere) == (TAKEN if is_anybodys else DENIED), elsewhere


@pytest.mark.parametrize("reader", EVERYBODY, ids=words)
def test_a_login_is_given_its_own_channels_and_no_others(plant: Plant, reader: Login) -> None:
    reads = rights_of(reader).reads
    machines = (MACHINE, OTHER) if reader.name in OF_PROGRAMS else (reader.name,)
    with Client(plant, reader) as client:
        client.subscribe("factory/v1/#", "#", "+/+/+/+/+")
        for machine in (MACHINE, OTHER):
            say_everything(plant, machine, client if machine == reader.name else None)
        client.subscribe("fence")
        assert set(client.heard) == {topic(each, name) for each in reads for name in machines}


def say_everything(plant: Plant, machine: str, itself: Client | None = None) -> None:
    """Publish on every channel of a machine, each by whoever may.

    Args:
        plant: Where.
        machine: Whose channels.
        itself: Its connection, if it is there: a second one would end it.
    """
    if itself is None:
        with Client(plant, Login(machine, "certificate")) as speaker:
            say(speaker, FROM_MACHINES, machine)
    else:
        say(itself, FROM_MACHINES, machine)
    with Client(plant, SERVICE) as speaker:
        say(speaker, set(Channel) - FROM_MACHINES, machine)


def say(speaker: Client, channels: set[Channel], machine: str) -> None:
    for channel in channels:
        assert speaker.publish(topic(channel, machine)) == TAKEN


@pytest.mark.parametrize("reader", EVERYBODY, ids=words)
def test_only_our_programs_read_what_the_broker_says_of_itself(plant: Plant, reader: Login) -> None:
    with Client(plant, reader) as client:
        client.subscribe("$SYS/#", "$CONTROL/#")
        client.subscribe("fence")
        assert bool(client.heard) == (reader.name in OF_PROGRAMS)  # retained: there at once
        assert all(each.startswith("$SYS/") for each in client.heard)


@pytest.mark.parametrize("name", ODD_NAMES[:-1])
def test_a_name_that_is_a_filter_may_nothing(plant: Plant, name: str) -> None:
    with Client(plant, Login(name, "password")) as client:
        client.subscribe("factory/v1/#", f"factory/v1/+/{MACHINE}/receipt")
        for machine in (MACHINE, name.replace("#", "x").replace("+", "x")):
            for channel in Channel:
                assert client.publish(topic(channel, machine)) == DENIED
        say_everything(plant, MACHINE)
        client.subscribe("fence")
        assert client.heard == []


@pytest.mark.parametrize("name", ["+", "#"])
def test_such_a_name_in_a_certificate_may_nothing_either(plant: Plant, name: str) -> None:
    if name == "#":
        plant.certify(name)  # openssl's -subj takes no plus, its configuration no hash
    else:
        Authority(plant.secrets)._issue(name, "extendedKeyUsage = clientAuth", 2)
    with Client(plant, Login(name, "certificate")) as client:
        assert client.publish(topic(Channel.TEST)) == DENIED
        assert client.publish(topic(Channel.TEST, "x")) == DENIED


def test_a_name_with_a_slash_speaks_for_no_machine_and_nobody_hears_it(plant: Plant) -> None:
    with Client(plant, SERVICE) as service, Client(plant, Login("M1/x", "password")) as client:
        service.subscribe(*(f"factory/v1/+/+/{channel}" for channel in FROM_MACHINES))
        for channel in Channel:
            for machine in ("M1", "x", MACHINE):
                assert client.publish(topic(channel, machine)) == DENIED
            assert client.publish(f"factory/v1/M1/x/{channel}") == DENIED
        # Mosquitto lets it have topics with a level more, which fit no filter of ours.
        assert client.publish("factory/v1/L1/M1/x/test") == TAKEN
        service.subscribe("fence")
        assert service.heard == []


@pytest.mark.parametrize("thief", MACHINES, ids=words)
def test_no_machine_can_take_the_client_id_of_a_service(plant: Plant, thief: Login) -> None:
    client_id = "yieldline-service-0"
    with Client(plant, SERVICE, client_id) as service:
        with Client(plant, thief, client_id) as client:
            assert client.publish(topic(Channel.TEST, thief.name)) == TAKEN
        service.subscribe("factory/v1/+/+/test")
        assert service.connection_count == 1


@pytest.mark.parametrize("is_known", [False, True], ids=["unknown", "known"])
def test_who_knows_the_group_of_the_services_has_a_share_that_is_lost(
    plant: Plant, tmp_path: Path, *, is_known: bool
) -> None:
    name = uuid.uuid4().hex
    (tmp_path / "group").write_text(f"{name}\n", "utf-8")
    settings = Settings.model_validate({"service": {"shared_group_file": tmp_path / "group"}})
    group = settings.service.shared_groups()[0]
    tests = f"factory/v1/+/+/{Channel.TEST}"
    with (
        Client(plant, SERVICE, "yieldline-service-0") as service,
        Client(plant, MACHINES[0]) as machine,
        Client(plant, MACHINES[1]) as thief,
    ):
        service.subscribe(f"$share/{group}/{tests}")
        guesses = (group,) if is_known else ("yieldline", "yieldline-service", "%u", "service")
        thief.subscribe(*(f"$share/{each}/{tests}" for each in guesses), f"$share/{guesses[0]}/#")
        for _ in range(20):
            assert machine.publish(topic(Channel.TEST)) == TAKEN
        service.subscribe("fence")
        assert (len(service.heard) == 20) is not is_known
        assert thief.heard == []


def test_a_certificate_of_another_authority_does_not_come_in(plant: Plant) -> None:
    strangers = Authority(plant.folder / "strangers")
    strangers.create(["localhost"], days=2, ca_days=2)
    strangers.issue(["THIEF"], days=2)
    for end in ("crt", "key"):
        (plant.folder / f"strangers/THIEF.{end}").rename(plant.secrets / f"THIEF.{end}")
    context = ssl.create_default_context(cafile=plant.secrets / "ca.crt")
    context.load_cert_chain(plant.secrets / "THIEF.crt", plant.secrets / "THIEF.key")
    with (
        socket.create_connection(("127.0.0.1", plant.by_certificate), 5) as raw,
        pytest.raises(ssl.SSLError, match="unknown ca"),
        context.wrap_socket(raw, server_hostname="127.0.0.1") as link,
    ):
        link.recv(1)


def test_a_machine_that_lost_its_key_is_locked_out_by_the_acl(plant: Plant) -> None:
    file = plant.folder / "mosquitto.acl"
    guide = (ROOT / "docs/deploy/README.md").read_text("utf-8")
    lines = re.search(r"```\n(user FCT-12\n.+?)```", guide, re.DOTALL)
    assert lines
    file.write_text(f"{lines[1]}\n{ACL.read_text('utf-8')}", "utf-8")
    plant.reload()
    try:
        eventually_sync(lambda: _is_locked_out(plant))
        with Client(plant, Login(OTHER, "certificate")) as other:
            assert other.publish(topic(Channel.TEST, OTHER)) == TAKEN
    finally:
        file.write_text(ACL.read_text("utf-8"), "utf-8")
        plant.reload()


def _is_locked_out(plant: Plant) -> bool:
    with Client(plant, Login(MACHINE, "certificate")) as client:
        return {client.publish(topic(each)) for each in FROM_MACHINES} == {DENIED}
