"""The plant's broker: mosquitto.conf, the ACL and the guide's commands, on a real Mosquitto.

Who may read and write what is in test_plant_rights.py.
"""

import itertools
import re
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest

from broker.authority import Authority
from broker.topics import Channel
from tests.support.mosquitto import EXECUTABLE
from tests.support.plant_broker import MACHINE, OTHER, ROOT, Plant
from tests.support.ports import listens
from tests.support.processes import Process
from tests.support.waiting import eventually_sync

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="Mosquitto is not installed")

_numbers = itertools.count()


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


def test_a_revoked_certificate_is_refused_after_a_reload_and_its_name_gets_another(
    plant: Plant,
) -> None:
    name, old = "LOST-1", plant.folder / "old"
    plant.certify(name)
    login = plant.certificate(name)
    assert publish(login, topic(Channel.TEST, name)).returncode == 0
    shutil.copytree(plant.secrets, old)
    stolen = [each.replace(str(plant.secrets), str(old)) for each in login]
    made = plant.secrets / "ca.crl"
    # Of two lists of one second a broker believes the first.
    eventually_sync(lambda: time.time() - made.stat().st_mtime > 1)
    authority = Authority(plant.secrets)
    authority.revoke([name], 30)
    plant.reload()
    eventually_sync(lambda: publish(stolen, topic(Channel.TEST, name)).returncode != 0)
    authority.issue([name], 30)
    assert publish(login, topic(Channel.TEST, name)).returncode == 0
    assert publish(plant.certificate(MACHINE), topic(Channel.TEST)).returncode == 0


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
    assert len(mounted) == 13
    for name in mounted:
        assert (plant.folder / name).read_bytes().strip(), name
    url = (plant.secrets / "database_url").read_text()
    assert (plant.secrets / "postgres_password").read_text().strip() in url
