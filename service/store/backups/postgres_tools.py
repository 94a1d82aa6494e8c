"""PostgreSQL's own pg_dump and pg_restore: found, started without a secret in their arguments."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from broker.errors import SettingsError, StoreUnavailable
from service.store.database import Database

_PLACES: Final = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
)


def find_tool(name: str, server_major: int) -> Path:
    """Return the oldest `pg_dump` or `pg_restore` that knows a server of this version.

    A newer one than needed writes what an older server may not take back.

    Raises:
        SettingsError: There is none.
    """
    found = sorted(
        (major, path) for path in _candidates(name) if (major := _major_of(path)) >= server_major
    )
    if not found:
        raise SettingsError(
            f"{name} of PostgreSQL {server_major} or newer is not on PATH. Install PostgreSQL's"
            f" client tools, on Debian or Ubuntu: apt install postgresql-client-{server_major}."
        )
    return found[0][1]


def _candidates(name: str) -> Iterator[Path]:
    if on_path := shutil.which(name):
        yield Path(on_path)
    for pattern in _PLACES:
        root, _, below = pattern[1:].partition("/")
        for folder in Path(f"/{root}").glob(below):
            if (folder / name).exists():
                yield folder / name


def _major_of(tool: Path) -> int:
    """Return the version of a tool; 0 where it does not say."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run(  # noqa: S603 - a tool that was found, and no shell
            [tool, "--version"], capture_output=True, text=True, timeout=10, check=True
        ).stdout
        if number := re.search(r"\) (\d+)", said):
            return int(number[1])
    return 0


class Tool:
    """A tool at work."""

    def __init__(self, name: str, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout
        assert child.stderr
        self._name = name
        self._child = child
        self.output: IO[bytes] = child.stdout
        self.words: IO[bytes] = child.stderr

    def finish(self, said: str = "") -> None:
        """Wait for its end.

        Raises:
            StoreUnavailable: It failed.
        """
        said = said or self.words.read().decode(errors="replace")
        if self._child.wait() != 0:
            lines = [line for line in said.splitlines() if "error:" in line] or [said]
            raise StoreUnavailable(f"{self._name} failed: {lines[0].strip()[:500]}")


@contextlib.contextmanager
def running(tool: Path, words: Sequence[str], database: Database | None = None) -> Iterator[Tool]:
    """Run a tool, and end it with the block, however that ends.

    Args:
        tool: Which.
        words: Its arguments.
        database: Where it is to connect to; None: nowhere.
    """
    environment = {**os.environ, "LC_ALL": "C"}
    command = [str(tool), *words]
    if database is not None:
        parts: dict[str, Any] = conninfo_to_dict(database.conninfo())
        if password := parts.pop("password", None):
            environment["PGPASSWORD"] = str(password)  # arguments are read by everybody
        command += ["--no-password", f"--dbname={make_conninfo(**parts)}"]
    with subprocess.Popen(  # noqa: S603 - likewise
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as child:
        try:
            yield Tool(tool.name, child)
        finally:
            child.kill()
