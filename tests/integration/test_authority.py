"""`yieldline ca`: what it makes, checked by openssl and by our own reading of the dates."""

import errno
import os
import re
import ssl
import stat
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker.authority import PROGRAMS, Authority
from broker.certificates import Validity, validity
from broker.errors import SettingsError
from tests.support.processes import YIELDLINE

NAMES = ("broker", "FCT-12", *PROGRAMS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority by the command line, with one machine."""
    folder = tmp_path_factory.mktemp("ca") / "secrets"
    command("new", str(folder), "--host", "broker.example", "--host", "127.0.0.1", "--days", "400")
    command("issue", str(folder), "FCT-12", "--days", "20")
    return folder


def command(*words: str) -> str:
    ended = subprocess.run(
        [YIELDLINE, "ca", *words], check=False, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def openssl(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["openssl", *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def text_of(folder: Path, name: str) -> str:
    return openssl(folder, "x509", "-in", f"{name}.crt", "-noout", "-text")


def dates(folder: Path, name: str) -> Validity:
    return validity(ssl.PEM_cert_to_DER_cert((folder / f"{name}.crt").read_text("ascii")))


@pytest.mark.parametrize("name", NAMES)
def test_each_certificate_says_who_it_is_and_what_it_may(folder: Path, name: str) -> None:
    text = text_of(folder, name)
    assert f"Subject: CN = {name}\n" in text
    assert "NIST CURVE: P-256" in text
    assert "CA:FALSE" in text
    assert ("TLS Web Server Authentication" in text) == (name == "broker")
    assert ("TLS Web Client Authentication" in text) == (name != "broker")
    purpose = "sslserver" if name == "broker" else "sslclient"
    verified = openssl(folder, "verify", "-purpose", purpose, "-CAfile", "ca.crt", f"{name}.crt")
    assert verified == f"{name}.crt: OK\n"


def test_the_brokers_certificate_names_every_host(folder: Path) -> None:
    assert "DNS:broker.example, IP Address:127.0.0.1\n" in text_of(folder, "broker")


def test_the_authority_may_sign_and_nothing_below_it_may(folder: Path) -> None:
    text = text_of(folder, "ca")
    assert "CA:TRUE, pathlen:0" in text
    assert "Certificate Sign" in text


@pytest.mark.skipif(os.name != "posix", reason="rights of files as POSIX has them")
def test_keys_may_be_read_by_their_owner_alone_and_nothing_is_left_over(folder: Path) -> None:
    made = {f"{name}.{end}" for name in ("ca", *NAMES) for end in ("key", "crt")}
    made |= {"ca.crl", "ca.index"}
    assert {file.name for file in folder.iterdir()} == made
    for file in folder.glob("*.key"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


@pytest.mark.parametrize(("name", "days"), [("ca", 3_650), ("broker", 400), ("FCT-12", 20)])
def test_a_certificate_is_valid_for_as_long_as_asked(folder: Path, name: str, days: int) -> None:
    start, end = dates(folder, name)
    assert end - start == timedelta(days=days)
    assert abs(start - datetime.now(UTC)) < timedelta(minutes=5)
    said = openssl(folder, "x509", "-in", f"{name}.crt", "-noout", "-enddate")
    assert f"notAfter={end:%b} {end.day:2} {end:%H:%M:%S %Y} GMT\n" == said


def test_a_date_after_2049_is_read_too(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.create(["localhost"], days=1, ca_days=36_500)
    assert dates(tmp_path, "ca").end.year > 2_100


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x03abc", b"\x30\x80", b"\x02\x01\x01"])
def test_what_is_no_certificate_is_said(der: bytes) -> None:
    with pytest.raises(ValueError, match="not an X"):
        validity(der)


def test_a_cut_certificate_is_no_certificate(folder: Path) -> None:
    der = ssl.PEM_cert_to_DER_cert((folder / "ca.crt").read_text("ascii"))
    for length in range(len(der)):
        with pytest.raises(ValueError, match="not an X"):
            validity(der[:length])


def test_a_renewed_certificate_has_the_key_and_the_names_of_the_old_one(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.create(["broker.example", "::1"], days=-1, ca_days=10)
    key = (tmp_path / "broker.key").read_bytes()
    assert dates(tmp_path, "broker").end < datetime.now(UTC)
    file = (tmp_path / "broker.crt").stat().st_ino
    said = command("renew", str(tmp_path), "broker", "yieldline-ui", "--days", "9")
    assert "Send the broker SIGHUP" in said
    assert (tmp_path / "broker.key").read_bytes() == key
    assert (tmp_path / "broker.crt").stat().st_ino == file, "a container holds the file itself"
    (replaced,) = tmp_path.glob("replaced/broker/*.crt")
    assert dates(replaced.parent, replaced.stem).end < datetime.now(UTC)
    assert "DNS:broker.example, IP Address:0:0:0:0:0:0:0:1\n" in text_of(tmp_path, "broker")
    for name in ("broker", "yieldline-ui"):
        assert dates(tmp_path, name).end > datetime.now(UTC) + timedelta(days=8)


def is_good(folder: Path, name: str, file: Path | None = None) -> bool:
    """Ask openssl, with the list of what is revoked."""
    place = str(file or folder / f"{name}.crt")
    words = ("verify", "-crl_check", "-CRLfile", "ca.crl", "-CAfile", "ca.crt", place)
    ended = subprocess.run(
        ["openssl", *words], cwd=folder, check=False, capture_output=True, text=True
    )
    assert (ended.returncode == 0) or "certificate revoked" in ended.stderr, ended.stderr
    return ended.returncode == 0


def test_what_is_revoked_is_on_the_list_with_all_it_replaced_and_its_name_is_free(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    authority.create(["broker.example"], days=9, ca_days=9)
    authority.issue(["FCT-1", "FCT-12"], 9)
    assert all(is_good(tmp_path, name) for name in ("FCT-1", "FCT-12", "broker"))
    authority.renew(["FCT-1"], 8)
    list_file = (tmp_path / "ca.crl").stat().st_ino
    assert "Send the broker SIGHUP" in command("revoke", str(tmp_path), "FCT-1", "yieldline-ui")
    assert (tmp_path / "ca.crl").stat().st_ino == list_file, "a container holds the file itself"
    old = sorted(tmp_path.glob("revoked/FCT-1-*/*.crt"))
    assert len(old) == 2
    assert not any(is_good(tmp_path, "FCT-1", file) for file in old)
    authority.issue(["FCT-1"], 9)
    assert is_good(tmp_path, "FCT-1")
    authority.revoke(["FCT-1"], 9)
    assert not any(is_good(tmp_path, "FCT-1", file) for file in tmp_path.glob("revoked/*/*.crt"))
    assert is_good(tmp_path, "FCT-12")
    assert len(list(tmp_path.glob("revoked/*/*.key"))) == 3


def test_nothing_is_revoked_while_what_it_replaced_cannot_be_read(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.create(["localhost"], days=9, ca_days=9)
    (tmp_path / "replaced").mkdir()
    (tmp_path / "replaced/yieldline-ui").write_text("", "ascii")
    with pytest.raises(SettingsError, match="yieldline-ui cannot be used: Not a directory"):
        authority.revoke(["yieldline-ui"], 9)
    assert is_good(tmp_path, "yieldline-ui")


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (lambda ca: ca.create(["h"], 1, 1), r"ca\.key is there already; nothing was made"),
        (lambda ca: ca.create(["a b"], 1, 1), r"'a b' is neither a host's name nor an address"),
        (lambda ca: ca.issue(["ICT-3", "FCT-12"], 1), r"FCT-12\.key is there already; nothing was"),
        (lambda ca: ca.issue(["M1/x"], 1), r"'M1/x' is not a machine_id"),
        (lambda ca: ca.issue(["#"], 1), r"'#' is not a machine_id"),
        (lambda ca: ca.issue(["yieldline-service"], 1), r"yieldline-service cannot be a machine's"),
        (lambda ca: ca.issue(["yieldline-service-0"], 1), r"yieldline-service-0 cannot be a mach"),
        (lambda ca: ca.issue(["ca"], 1), r"ca cannot be a machine's name"),
        (lambda ca: ca.renew(["ICT-3"], 1), r"holds no certificate of 'ICT-3' to renew"),
        (lambda ca: ca.revoke(["FCT-12", "ICT-3"], 1), r"no certificate of 'ICT-3' to revoke"),
        (lambda ca: ca.revoke(["FCT-12", "broker"], 1), r"broker cannot be revoked: no client"),
    ],
)
def test_a_mistake_changes_nothing(
    folder: Path, act: Callable[[Authority], None], sentence: str
) -> None:
    before = {file: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(SettingsError, match=sentence):
        act(Authority(folder))
    assert {file: file.read_bytes() for file in folder.iterdir()} == before


def test_a_folder_without_an_authority_is_one_sentence(tmp_path: Path) -> None:
    command = [YIELDLINE, "ca", "issue", str(tmp_path), "ICT-3"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    (sentence,) = ended.stderr.splitlines()
    assert re.search(r"holds no ca\.crt with its ca\.key.*yieldline ca new", sentence)


@pytest.mark.skipif(os.name != "posix", reason="rights of files as POSIX has them")
def test_a_key_of_another_user_is_one_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guide gives the broker's key to the container's user."""

    def refuse(source: Path, _: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(source))

    monkeypatch.setattr("broker.authority.shutil.copyfile", refuse)  # for root nothing is refused
    with pytest.raises(SettingsError) as caught:
        Authority(folder).renew(["broker"], 9)
    assert str(caught.value) == (
        f"{folder / 'broker.key'} cannot be used: Permission denied."
        " Run this as root (sudo), or as the user who may."
    )


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("", "ascii")
    with pytest.raises(SettingsError, match=r"secrets cannot be used: .*\. Check the folder and"):
        Authority(tmp_path / "secrets").create(["localhost"], days=1, ca_days=1)


def test_without_openssl_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match=r"openssl is not installed.*apt install"):
        Authority(tmp_path).create(["localhost"], days=1, ca_days=1)
    assert list(tmp_path.iterdir()) == []
