"""A plant's certificate authority in a folder, for trying: made and used by the `openssl` command.

Each name has two files, NAME.key and NAME.crt: `ca`, `broker`, and whoever shows the broker who it
is, by the common name. Keys are of the curve P-256, and may be read by their owner alone. `ca.crl`
is the list of revoked certificates, made from `ca.index`, which is in openssl's own form.
"""

import contextlib
import ipaddress
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from broker.errors import SettingsError
from broker.topics import ID_PATTERN

PROGRAMS: Final = ("yieldline-service", "yieldline-ui", "yieldline-ingest")
"""Names of our own programs in docs/deploy/mosquitto.acl, which no machine may have."""
_OURS: Final = "yieldline-"  # of our programs and of the services' client ids
_CA, _BROKER, _DATABASE = "ca", "broker", "postgres"
_SERVERS: Final = (_BROKER, _DATABASE)
_FILES_UMASK: Final = 0o077 if os.name == "posix" else -1
_is_host_name = re.compile(r"(?!-)[A-Za-z0-9.-]{1,253}").fullmatch
_is_id = re.compile(ID_PATTERN).fullmatch

_CONFIGURATION: Final = """\
[req]
distinguished_name = subject
prompt = no
[subject]
CN = {name}
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[list]
database = index
default_md = sha256
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@contextlib.contextmanager
def _said_in_a_sentence() -> Iterator[None]:
    """Say which file this user cannot use: in a plant each container's user has its own."""
    try:
        yield
    except OSError as error:
        remedy = (
            "Run this as root (sudo), or as the user who may"
            if isinstance(error, PermissionError)
            else "Check the folder and its disk"
        )
        raise SettingsError(
            f"{error.filename or 'A file'} cannot be used: {error.strerror or error}. {remedy}."
        ) from error


class Authority:
    """The authority in `folder`. Nothing that is there is written over, but by `renew`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    @_said_in_a_sentence()
    def create(
        self, hosts: Sequence[str], days: int, ca_days: int, *, database: Sequence[str] = ()
    ) -> None:
        """Make the authority, and certificates for the broker, the database and our own programs.

        Args:
            hosts: Names and addresses under which the broker is reached, at least one.
            days: How long the certificates are valid.
            ca_days: How long the authority's own is.
            database: Names and addresses under which PostgreSQL is reached; none: no certificate.

        Raises:
            SettingsError: A host is none, a file is there already, or openssl is missing or failed;
                here and below also: a file or folder cannot be used.
        """
        servers = {_BROKER: _subject_names(hosts)}
        if database:
            servers[_DATABASE] = _subject_names(database)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._refuse_to_overwrite(_CA, *servers, *PROGRAMS)
        with _workshop(self._folder, "Yieldline CA") as workshop:
            _make_key(workshop)
            words = ("-x509", "-days", str(ca_days), "-extensions", _CA, "-out", "crt")
            _openssl(workshop, "req", "-new", "-config", "conf", "-key", "key", *words)
            self._keep(workshop, _CA)
            self._list(workshop, (), ca_days)
        for name, names in servers.items():
            self._issue(name, f"extendedKeyUsage = serverAuth\nsubjectAltName = {names}", days)
        for name in PROGRAMS:
            self._issue(name, "extendedKeyUsage = clientAuth", days)

    @_said_in_a_sentence()
    def issue(self, machine_ids: Sequence[str], days: int) -> None:
        """Make a certificate for each machine, valid for `days`.

        Raises:
            SettingsError: A name cannot be a machine's, a file is there already, or there is no
                authority here.
        """
        for name in machine_ids:
            if not _is_id(name):
                raise SettingsError(
                    f"{name!r} is not a machine_id: letters, digits, '.', '_' and '-', up to 64."
                )
            if name in (_CA, *_SERVERS) or name.startswith(_OURS):
                raise SettingsError(f"{name} cannot be a machine's name: it is one of our own.")
        self._refuse_to_overwrite(*machine_ids)
        for name in machine_ids:
            self._issue(name, "extendedKeyUsage = clientAuth", days)

    @_said_in_a_sentence()
    def renew(self, names: Sequence[str], days: int) -> None:
        """Make certificates anew for keys that are there; each that is replaced is kept.

        Args:
            names: Of machines, our own programs, `broker` or `postgres`.
            days: How long they are valid.

        Raises:
            SettingsError: One of them has no key and certificate here.
        """
        for name in names:
            if name == _CA or not all(each.exists() for each in self._files(name)):
                raise SettingsError(
                    f"{self._folder} holds no certificate of {name!r} to renew."
                    " Make one: `yieldline ca issue`."
                )
        for name in names:
            self._issue(name, self._purpose(name), days, is_new=False)

    @_said_in_a_sentence()
    def revoke(self, names: Sequence[str], days: int) -> None:
        """Put certificates on the list, and those that they replaced: a broker asks `ca.crl`.

        Their files go to the folder `revoked`, so that the names are free for new ones.

        Args:
            names: Of machines and our own programs.
            days: How long the list is good: with an older one a broker lets nobody in.

        Raises:
            SettingsError: One of them has no certificate here, or is a server's, which nobody
                looks up.
        """
        for name in names:
            if name in (_CA, *_SERVERS):
                raise SettingsError(
                    f"{name} cannot be revoked: no client asks for a list. Make another authority:"
                    " `yieldline ca new`, in another folder."
                )
            if not self._files(name)[1].exists():
                raise SettingsError(f"{self._folder} holds no certificate of {name!r} to revoke.")
        files = [file for name in names for file in self._certificates(name)]
        with _workshop(self._folder, "Yieldline CA") as workshop:
            self._list(workshop, files, days)
        for name in names:
            place = self._folder / "revoked" / f"{name}-{_serial(self._files(name)[1])}"
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            for file in (*self._certificates(name), self._files(name)[0]):
                if file.exists():  # of a machine that made its own key there is none
                    file.replace(place / file.name)

    def _certificates(self, name: str) -> list[Path]:
        """Return the certificates of a name, those that were replaced first."""
        replaced: list[Path] = []
        with contextlib.suppress(FileNotFoundError):  # a glob would also pass over what it may not
            replaced = sorted((self._folder / "replaced" / name).iterdir())
        return [*replaced, self._files(name)[1]]

    def _list(self, workshop: Path, revoked: Sequence[Path], days: int) -> None:
        """Add certificates to the list, and make it anew."""
        index, found = self._folder / "ca.index", workshop / "index"
        found.write_bytes(index.read_bytes() if index.exists() else b"")
        ca_key, ca = self._files(_CA)
        words = ("-config", "conf", "-name", "list", "-keyfile", str(ca_key), "-cert", str(ca))
        known = found.read_text("ascii")
        for file in revoked:
            if f"\t{_serial(file)}\t" not in known:  # we may have died before it was moved away
                _openssl(workshop, "ca", *words, "-revoke", str(file))
        _openssl(workshop, "ca", *words, "-gencrl", "-crldays", str(days), "-out", "crl")
        found.replace(index)
        _write_over(self._folder / "ca.crl", (workshop / "crl").read_bytes())

    def _purpose(self, name: str) -> str:
        """Return what a certificate is for, with the names that stand in it."""
        if name not in _SERVERS:
            return "extendedKeyUsage = clientAuth"
        words = ("-noout", "-ext", "subjectAltName", "-in", f"{name}.crt")
        _, *lines = _openssl(self._folder, "x509", *words).splitlines()
        names = lines[0].strip().replace("IP Address:", "IP:")
        return f"extendedKeyUsage = serverAuth\nsubjectAltName = {names}"

    def _issue(self, name: str, purpose: str, days: int, *, is_new: bool = True) -> None:
        ca_key, ca = self._files(_CA)
        if not (ca_key.exists() and ca.exists()):
            raise SettingsError(
                f"{self._folder} holds no ca.crt with its ca.key. Make them: `yieldline ca new`."
            )
        with _workshop(self._folder, name, purpose) as workshop:
            if is_new:
                _make_key(workshop)
            else:
                shutil.copyfile(self._files(name)[0], workshop / "key")
            _openssl(workshop, "req", "-new", "-config", "conf", "-key", "key", "-out", "csr")
            serial = f"0x{secrets.token_hex(16)}"
            words = ("-days", str(days), "-set_serial", serial, "-extfile", "conf")
            signer = ("-CA", str(ca), "-CAkey", str(ca_key))
            ends = ("-extensions", "leaf", "-in", "csr", "-out", "crt")
            _openssl(workshop, "x509", "-req", *words, *signer, *ends)
            self._keep(workshop, name, with_key=is_new)

    def _keep(self, workshop: Path, name: str, *, with_key: bool = True) -> None:
        """Move what was made to its place, the key first: a certificate alone is of no use."""
        key, certificate = self._files(name)
        if with_key:
            (workshop / "key").replace(key)
        else:  # it is good until its own end, and must be found when it is to be revoked
            replaced = self._folder / "replaced" / name
            replaced.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.copyfile(certificate, replaced / f"{_serial(certificate)}.crt")
        if name in _SERVERS and not with_key:
            _write_over(certificate, (workshop / "crt").read_bytes())
            return
        (workshop / "crt").chmod(0o644)
        (workshop / "crt").replace(certificate)

    def _files(self, name: str) -> tuple[Path, Path]:
        return self._folder / f"{name}.key", self._folder / f"{name}.crt"

    def _refuse_to_overwrite(self, *names: str) -> None:
        for name in names:
            for file in self._files(name):
                if file.exists():
                    raise SettingsError(
                        f"{file} is there already; nothing was made. Take another folder or name,"
                        " or `yieldline ca renew`."
                    )


@contextlib.contextmanager
def _workshop(beside: Path, name: str, purpose: str = "") -> Iterator[Path]:
    """Make a folder beside the results, so that they can be moved in one step."""
    with tempfile.TemporaryDirectory(dir=beside, prefix=".making-") as folder:
        configuration = _CONFIGURATION.format(name=name) + purpose + "\n"
        (Path(folder) / "conf").write_text(configuration, "utf-8")
        yield Path(folder)


def _write_over(file: Path, content: bytes) -> None:
    """Write a public file in its place: a container goes on with the very file it was given."""
    file.write_bytes(content)
    file.chmod(0o644)


def _make_key(workshop: Path) -> None:
    curve = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    _openssl(workshop, "genpkey", *curve, "-out", "key")


def _serial(certificate: Path) -> str:
    """Return the number of a certificate as openssl writes it: hexadecimal."""
    said = _openssl(certificate.parent, "x509", "-noout", "-serial", "-in", certificate.name)
    return said.strip().removeprefix("serial=")


def _subject_names(hosts: Sequence[str]) -> str:
    """Return hosts as a certificate has them: `DNS:broker.example, IP:10.0.4.2`."""
    found = []
    for host in hosts:
        try:
            found.append(f"IP:{ipaddress.ip_address(host)}")
        except ValueError:
            if not _is_host_name(host):
                raise SettingsError(f"{host!r} is neither a host's name nor an address.") from None
            found.append(f"DNS:{host}")
    return ", ".join(found)


def _openssl(folder: Path, *words: str) -> str:
    """Run the command in a folder; what it writes may be read by its owner alone."""
    program = shutil.which("openssl")
    if program is None:
        raise SettingsError(
            "openssl is not installed: it makes the keys and certificates. Install it"
            " (Debian, Ubuntu: apt install openssl), or make them elsewhere."
        )
    ended = subprocess.run(  # noqa: S603 - no shell; what stands in words is ours or checked
        [program, *words],
        cwd=folder,
        umask=_FILES_UMASK,
        check=False,
        capture_output=True,
        text=True,
    )
    if ended.returncode:
        reason = ended.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise SettingsError(f"openssl {words[0]} failed in {folder}: {reason[0]}.")
    return ended.stdout
