"""The plant's broker: mosquitto.conf, the ACL and the guide's commands, on a real Mosquitto.

Runs the configuration's 2.0 form, made as its own first lines say, with the paths of this machine.
"""

import itertools
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.topics import Channel
from tests.support.mosquitto import EXECUTABLE
from tests.support.ports import free_port, listens
from tests.support.processes import Process
from tests.support.waiting import eventually_sync

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="Mosquitto is not installed")

MACHINE = "FCT-12"
OTHER = "ICT-3"
_numbers = itertools.count()


class Plant:
    """A broker as the guide sets it up, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secrets = folder / "secrets"
        self.by_certificate, self.by_password = free_port(), free_port()
        setup, machine = blocks_that_run()
        self._shell(setup)
        for name in (MACHINE, OTHER):
            self._shell(machine, MACHINE_ID=name)
        subprocess.run(
            ["mosquitto_passwd", "-b", self.secrets / "mosquitto_passwd", OTHER, "word"],
            check=True,
            capture_output=True,
        )
        (folder / "mosquitto.conf").write_text(self._configuration(), "utf-8")
        self.process = Process([EXECUTABLE or "", "-c", folder / "mosquitto.conf"])

        def ready() -> bool:
            assert self.process.exit_code is None, "it ended"
            return listens(self.by_certificate) and listens(self.by_password)

        eventually_sync(ready, saw=lambda: self.process.output)

    def _shell(self, script: str, **variables: str) -> None:
        environment = {**os.environ, **variables}
        ended = subprocess.run(
            ["sh", "-c", script],
            check=False,
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 0, ended.stderr

    def _configuration(self) -> str:
        text = (ROOT / "mosquitto.conf").read_text("utf-8")
        command = re.search(r"^#   (sed .+)$", text, re.MULTILINE)
        assert command
        text = subprocess.run(
            ["sh", "-c", command[1]], input=text, text=True, capture_output=True, check=True
        ).stdout
        assert "plugin" not in re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
        (self.folder / "data").mkdir()
        moved = {
            "/mosquitto/data/": f"{self.folder}/data/",
            "/mosquitto/config/mosquitto.acl": str(ROOT / "docs/deploy/mosquitto.acl"),
            "/run/secrets/": f"{self.secrets}/",
            "listener 8883": f"listener {self.by_certificate} 127.0.0.1",
            "listener 8884": f"listener {self.by_password} 127.0.0.1",
        }
        for old, new in moved.items():
            assert old in text
            text = text.replace(old, new)
        return f"user root\n{text}" if os.getuid() == 0 else text

    def certificate(self, name: str) -> list[str]:
        """Flags of a client that shows a machine's certificate."""
        files = ["--cert", f"{self.secrets}/{name}.crt", "--key", f"{self.secrets}/{name}.key"]
        return ["-p", str(self.by_certificate), "--cafile", f"{self.secrets}/ca.crt", *files]

    def password(self, name: str, word: str | None = None) -> list[str]:
        """Flags of a client that logs in; our own programs by the word the guide made."""
        if word is None:
            word = (
                (self.secrets / f"{name.removeprefix('yieldline-')}_password").read_text().strip()
            )
        ca = ["--cafile", f"{self.secrets}/ca.crt"]
        return ["-p", str(self.by_password), *ca, "-u", name, "-P", word]


def blocks_that_run() -> list[str]:
    """The guide's shell blocks marked as run by the tests."""
    text = (ROOT / "docs/deploy/README.md").read_text("utf-8")
    blocks = re.findall(r"<!-- The tests run this block. -->\n```sh\n(.+?)```", text, re.DOTALL)
    assert len(blocks) == 2
    return blocks


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """One plant for all tests here."""
    plant = Plant(tmp_path_factory.mktemp("plant"))
    yield plant
    plant.process.stop()


def topic(channel: Channel, machine: str = MACHINE, line: str = "L1") -> str:
    return f"factory/v1/{line}/{machine}/{channel}"


def publish(login: list[str], to: str, version: str = "5") -> subprocess.CompletedProcess[str]:
    command = ["mosquitto_pub", "-V", version, "-q", "1", "-t", to, "-m", "x", *login]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=10)


def may_publish(login: list[str], to: str) -> bool:
    """Ask as an MQTT 5 client, which hears the truth; "no subscribers" is a yes."""
    ended = publish([*login, "-d"], to)
    assert "sending PUBLISH" in ended.stdout, ended.stdout + ended.stderr
    return "RC:135" not in ended.stdout


def first_heard(
    reader: list[str], filters: list[str], said: list[tuple[list[str], str]], version: str = "5"
) -> str:
    """Return the topic of the first of some messages that a reader is given.

    Its session is kept, so that it hears all that it may, in order, after everything was said.
    """
    client = f"reader-{next(_numbers)}"
    session = ["-V", version, "-q", "1", "-i", client, "-c", *reader]
    session += ["-x", "60"] if version == "5" else []
    session += [part for each in filters for part in ("-t", each)]
    subprocess.run(["mosquitto_sub", *session, "-E"], check=True, timeout=10, capture_output=True)
    for writer, to in said:
        publish(writer, to, version)
    command = ["mosquitto_sub", *session, "-C", "1", "-W", "5", "-F", "%t"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=10)
    return ended.stdout.strip()


@pytest.mark.parametrize("version", ["311", "5"])
@pytest.mark.parametrize("by", ["certificate", "password"])
def test_a_machine_publishes_only_as_itself(plant: Plant, by: str, version: str) -> None:
    machine, other = (OTHER, MACHINE)
    login = plant.certificate(machine) if by == "certificate" else plant.password(machine, "word")
    service = plant.password("yieldline-service")
    own, foreign = topic(Channel.TEST, machine), topic(Channel.TEST, other)
    heard = first_heard(service, ["factory/v1/+/+/test"], [(login, foreign), (login, own)], version)
    assert heard == own


def test_an_older_client_is_not_told_that_it_may_not(plant: Plant) -> None:
    assert publish(plant.certificate(OTHER), topic(Channel.TEST), "311").returncode == 0
    assert not may_publish(plant.certificate(OTHER), topic(Channel.TEST))


MACHINE_WRITES = {Channel.TEST, Channel.STATE, Channel.CHECK}
SERVICE_WRITES = set(Channel) - MACHINE_WRITES


@pytest.mark.parametrize("channel", Channel)
def test_each_channel_is_written_by_those_it_belongs_to(plant: Plant, channel: Channel) -> None:
    machine = plant.certificate(MACHINE)
    assert may_publish(machine, topic(channel)) == (channel in MACHINE_WRITES)
    service = plant.password("yieldline-service")
    assert may_publish(service, topic(channel)) == (channel in SERVICE_WRITES)
    assert not may_publish(plant.password("yieldline-ui"), topic(channel))
    ingest = plant.password("yieldline-ingest")
    assert may_publish(ingest, topic(channel)) == (channel is Channel.TEST)


def test_the_service_proves_its_rights_where_no_machine_can_be(plant: Plant) -> None:
    service = plant.password("yieldline-service")
    check = "factory/v1/_check/yieldline-service-0/test"
    assert may_publish(service, check)
    assert first_heard(service, [check], [(service, check)]) == check


@pytest.mark.parametrize("channel", [Channel.TEST, Channel.CHECK])
def test_the_service_reads_in_its_group_what_machines_send_and_ask(
    plant: Plant, channel: Channel
) -> None:
    service, said = plant.password("yieldline-service"), topic(channel)
    group = f"$share/yieldline/factory/v1/+/+/{channel.value}"
    assert first_heard(service, [group], [(plant.certificate(MACHINE), said)]) == said


@pytest.mark.parametrize("reader", ["yieldline-ui", "yieldline-ingest"])
def test_the_web_app_reads_results_and_not_what_is_a_machine_s_alone(
    plant: Plant, reader: str
) -> None:
    service = plant.password("yieldline-service")
    result, receipt = topic(Channel.RESULT), topic(Channel.RECEIPT)
    said = [(service, receipt), (service, result)]
    assert first_heard(plant.password(reader), ["factory/v1/#"], said) == result


@pytest.mark.parametrize("channel", [Channel.RECEIPT, Channel.VERDICT])
def test_a_machine_reads_its_own_answers_and_no_others_and_no_results(
    plant: Plant, channel: Channel
) -> None:
    service = plant.password("yieldline-service")
    own, foreign = topic(channel), topic(channel, OTHER)
    said = [(service, topic(Channel.RESULT)), (service, foreign), (service, own)]
    assert first_heard(plant.certificate(MACHINE), ["factory/v1/#"], said) == own


@pytest.mark.parametrize("flaw", ["no certificate", "no name", "wrong password"])
def test_nobody_comes_in_without_proof(plant: Plant, flaw: str) -> None:
    login = {
        "no certificate": plant.certificate(MACHINE)[:4],
        "no name": plant.password("yieldline-ui")[:4],
        "wrong password": plant.password("yieldline-ui", "guess"),
    }[flaw]
    assert publish(login, topic(Channel.TEST)).returncode != 0


def test_what_is_acknowledged_survives_a_kill(plant: Plant) -> None:
    session = ["-i", "kept", "-c", "-q", "1", "-t", "factory/v1/+/+/test"]
    service = plant.password("yieldline-service")
    subscribe = ["mosquitto_sub", "-V", "311", *session, *service]
    subprocess.run([*subscribe, "-E"], check=True, timeout=10)
    assert publish(plant.certificate(MACHINE), topic(Channel.TEST), "311").returncode == 0
    saved = plant.folder / "data" / "mosquitto.db"
    eventually_sync(lambda: saved.exists() and topic(Channel.TEST).encode() in saved.read_bytes())
    # The message and its place in the queue may be saved one after the other.
    eventually_sync(lambda: time.time() - saved.stat().st_mtime > 1)
    plant.process.kill()
    plant.process = Process(plant.process.command)
    eventually_sync(lambda: listens(plant.by_password), saw=lambda: plant.process.output)
    ended = subprocess.run(
        [*subscribe, "-C", "1", "-W", "20", "-F", "%t"],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.stdout == f"{topic(Channel.TEST)}\n"


def test_the_guide_makes_every_secret_that_compose_mounts(plant: Plant) -> None:
    mounted = re.findall(r"file: (secrets/\S+?)}", (ROOT / "docker-compose.yml").read_text("utf-8"))
    assert len(mounted) == 8
    for name in mounted:
        assert (plant.folder / name).read_bytes().strip(), name
    url = (plant.secrets / "database_url").read_text()
    assert (plant.secrets / "postgres_password").read_text().strip() in url
