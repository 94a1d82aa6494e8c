"""The deployment files name only what exists: settings, secrets, files, packages."""

import re
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from broker.embedded import PACKET_BYTES_MAX
from broker.sections import DatabaseSettings
from broker.settings import load_settings, setting_names
from service.store.database import Database

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("service", "ui")
ADDED: dict[str, dict[str, Any]] = {
    name: yaml.safe_load((ROOT / f"docs/deploy/docker-compose.{name}.yml").read_text("utf-8"))
    for name in ("notify", "backup")
}
"""What a plant may add to it, by `-f`."""
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
GUIDE = (ROOT / "docs/deploy/README.md").read_text("utf-8")


def settings_of(name: str) -> dict[str, str]:
    found: dict[str, str] = SERVICES[name]["environment"]
    return found


def secrets_of(name: str) -> dict[str, str]:
    """Return secret by the file name it has in the container."""
    return mounted(SERVICES[name])


def mounted(service: dict[str, Any]) -> dict[str, str]:
    found = {}
    for each in service.get("secrets", []):
        source, target = (each, each) if isinstance(each, str) else (each["source"], each["target"])
        found[target] = source
    return found


@pytest.mark.parametrize("name", [*SERVICES, "backup"])
def test_every_container_is_locked_down(name: str) -> None:
    service = SERVICES.get(name) or ADDED["backup"]["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "/tmp:size=64m" in service["tmpfs"]
    assert all(re.search(r":size=\d+m$", each) for each in service["tmpfs"]), "memory has an end"
    assert 0 < service["pids_limit"] <= 512
    assert service["logging"]["options"]["max-size"] == "10m"
    loose = {"privileged", "cap_add", "pid", "ipc", "network_mode", "devices", "userns_mode"}
    assert not loose & set(service)


def test_nobody_is_root() -> None:
    for name, service in SERVICES.items():
        if name in OURS:
            assert "user" not in service, "the image's own, which is not root"
        else:
            assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"]), name


def test_nothing_of_the_host_is_mounted_but_files_to_read_and_named_volumes() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            if isinstance(volume, dict):
                assert volume["read_only"], name
            elif volume.startswith((".", "/")):
                assert volume.startswith("./"), name
                assert volume.endswith(":ro"), name


def test_no_secret_is_an_argument_of_a_build_or_a_command() -> None:
    assert not re.search(r"^(ARG|ENV).*(PASSWORD|SECRET|TOKEN|KEY)", DOCKERFILE, re.MULTILINE)
    for service in SERVICES.values():
        assert "args" not in str(service.get("build"))
        command = str(service.get("command", "")).replace("/run/secrets/", "a file, ")
        assert not re.search(r"password|secret|token", command)


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_checked_or_says_why_not(name: str) -> None:
    check = SERVICES[name].get("healthcheck")
    if name == "service":
        assert check == {"disable": True}
    elif name == "ui":
        assert check is None, "the image's own"
        assert "HEALTHCHECK" in DOCKERFILE
    else:
        assert check["test"][0] == "CMD"


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting_with_a_possible_value(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = {f"YIELDLINE_{section}__{key}".upper() for section, key in setting_names()}
    assert set(settings_of(name)) <= known
    monkeypatch.chdir(tmp_path)
    for variable, value in settings_of(name).items():
        monkeypatch.setenv(variable, value)
    settings = load_settings()
    assert settings.broker.tls
    assert settings.broker.port == 8884


@pytest.mark.parametrize("name", SERVICES)
def test_every_secret_that_is_read_is_mounted(name: str) -> None:
    texts = [str(value) for value in SERVICES[name].get("environment", {}).values()]
    texts += SERVICES[name].get("command", [])
    if name == "mosquitto":
        texts += (ROOT / "mosquitto.conf").read_text("utf-8").splitlines()
    read = set(re.findall(r"/run/secrets/(\S+)", "\n".join(texts)))
    assert read == set(secrets_of(name))
    assert set(secrets_of(name).values()) <= set(COMPOSE["secrets"])


@pytest.mark.parametrize("name", ADDED)
def test_what_is_added_names_only_what_is_there(name: str) -> None:
    known = {f"YIELDLINE_{section}__{key}".upper() for section, key in setting_names()}
    secrets = {**COMPOSE["secrets"], **ADDED[name].get("secrets", {})}
    for added in ADDED[name]["services"].values():
        assert set(added["environment"]) <= known
        read = {value.removeprefix("/run/secrets/") for value in added["environment"].values()}
        assert read <= set(mounted(added))
        assert set(mounted(added).values()) <= set(secrets)
        assert set(added["networks"]) <= {*COMPOSE["networks"], *ADDED[name].get("networks", {})}
        assert set(added.get("depends_on", {})) <= set(SERVICES)


def test_who_wants_no_notifications_needs_no_file_and_has_no_way_out() -> None:
    assert not any("NOTIFY" in variable for variable in settings_of("service"))
    assert SERVICES["service"]["networks"] == ["inner"]
    assert COMPOSE["networks"]["inner"]["internal"]


def test_whoever_tells_of_alerts_has_a_way_out_and_reads_the_addresses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    added = ADDED["notify"]["services"]["service"]
    (way_out,) = set(added["networks"]) - {"inner"}
    assert not (ADDED["notify"]["networks"][way_out] or {}).get("internal")
    assert ADDED["notify"]["secrets"]["notify_urls"] == {"file": "secrets/notify_urls"}
    monkeypatch.chdir(tmp_path)
    for variable, value in {**settings_of("service"), **added["environment"]}.items():
        monkeypatch.setenv(variable, value)
    assert load_settings().alerts.notify_urls_file == Path("/run/secrets/notify_urls")


def test_backups_are_taken_by_a_container_that_has_the_tools_and_a_folder() -> None:
    backup = ADDED["backup"]["services"]["backup"]
    assert backup["profiles"] == ["backup"], "up leaves it alone"
    (folder,) = backup["volumes"]
    assert backup["command"] == ["db", "backup", f"{folder['target']}/"]
    assert set(SERVICES["postgres"]["networks"]) & set(backup["networks"])
    written = (ROOT / backup["build"]["dockerfile"]).read_text("utf-8")
    release = SERVICES["postgres"]["image"].removeprefix("postgres:").split("-")[0]
    assert f"postgresql-client-{release}" in written
    assert f"FROM {SERVICES['service']['image']}\n" in written
    user = re.findall(r"^USER (\S+)$", written, re.MULTILINE)[-1]
    assert f"USER {user}\n" in DOCKERFILE, "secrets are readable by this number"


def test_no_secret_is_a_value() -> None:
    for name in OURS:
        for variable in settings_of(name):
            assert not variable.endswith(("__PASSWORD", "DATABASE__URL")), variable


def test_every_file_of_the_repository_that_is_mounted_exists() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            if isinstance(volume, str) and volume.startswith("./"):
                assert (ROOT / volume.split(":")[0]).is_file(), volume


def test_every_volume_and_network_is_declared() -> None:
    for service in SERVICES.values():
        assert set(service["networks"]) <= set(COMPOSE["networks"])
        for volume in service.get("volumes", []):
            if isinstance(volume, str) and not volume.startswith("./"):
                assert volume.split(":")[0] in COMPOSE["volumes"], volume


def test_the_service_can_be_scaled() -> None:
    service = SERVICES["service"]
    assert not {"container_name", "ports", "hostname"} & set(service)
    assert service["deploy"] == {"replicas": 1}


def test_the_database_cannot_be_reached_from_outside() -> None:
    assert SERVICES["postgres"]["networks"] == ["inner"]
    assert COMPOSE["networks"]["inner"] == {"internal": True}
    assert "ports" not in SERVICES["postgres"]


def test_the_database_shows_a_certificate_and_nobody_talks_to_it_without_checking_that() -> None:
    assert "ssl=on" in SERVICES["postgres"]["command"]
    assert "subjectAltName=DNS:postgres" in GUIDE, "its name in the network of the containers"
    written = re.search(
        r"printf '(postgresql://\S+)\\n' \\\n\s+\S+ \S+ (\S+) > database_url", GUIDE
    )
    assert written
    url = written[1] % ("word", written[2])
    assert not Database(DatabaseSettings.model_validate({"url": url})).is_exposed
    for name in OURS:
        assert "YIELDLINE_DATABASE__NO_TLS" not in settings_of(name)
        assert written[2].removeprefix("/run/secrets/") in secrets_of(name)


def test_pages_ask_for_a_login_and_are_published_on_loopback_only() -> None:
    settings = settings_of("ui")
    assert "YIELDLINE_HTTP__NO_LOGIN" not in settings
    assert settings["YIELDLINE_HTTP__SECURE_COOKIES"] == "true"
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["ui"]["ports"])


def test_the_image_installs_by_hash_and_does_not_run_as_root() -> None:
    last_stage = DOCKERFILE.rsplit("\nFROM ", 1)[1]
    user = re.search(r"^USER (\d+):(\d+)$", last_stage, re.MULTILINE)
    assert user
    assert "0" not in user.groups()
    installs = re.findall(r"pip install(.*?)(?:\n[A-Z]|\n #|\Z)", DOCKERFILE, re.DOTALL)
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes" in install or "--no-deps" in install


def test_the_image_builds_with_all_that_the_build_tool_needs() -> None:
    listed = re.search(r"/\^\((.+?)\)==/", DOCKERFILE)
    assert listed
    wanted, found = ["hatchling"], set()
    while wanted:
        name = wanted.pop()
        found.add(name)
        needed = (Requirement(text) for text in requires(name) or ())
        wanted += [
            each.name
            for each in needed
            if each.name not in found and (not each.marker or each.marker.evaluate({"extra": ""}))
        ]
    assert found <= set(listed[1].split("|"))


def test_what_the_image_copies_is_not_ignored() -> None:
    kept = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    for path in " ".join(copied).split():
        assert path.split("/")[0] in kept
        assert (ROOT / path).exists()


def test_the_image_and_its_users_agree_on_numbers() -> None:
    """The guide gives each secret to the user who reads it."""
    assert f"chown {SERVICES['mosquitto']['user'].split(':')[0]} " in GUIDE
    assert f"chown {SERVICES['postgres']['user'].split(':')[0]} " in GUIDE
    user = re.search(r"^USER (\d+)", DOCKERFILE, re.MULTILINE)
    assert user
    assert f"chown {user[1]} " in GUIDE


def test_the_plant_s_broker_takes_the_packets_that_ours_takes() -> None:
    conf = (ROOT / "mosquitto.conf").read_text("utf-8").splitlines()
    assert f"max_packet_size {PACKET_BYTES_MAX}" in conf
    assert not [line for line in conf if line.startswith("message_size_limit")]


def test_the_licence_is_the_one_we_name() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert text.split()[:5] == ["Apache", "License", "Version", "2.0,", "January"]
    assert "END OF TERMS AND CONDITIONS" in text
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text("utf-8")
