"""What a backup says of itself, in a small file beside it: by this it is checked."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from broker.errors import SettingsError
from broker.files import put_in_place
from broker.messages import Timestamp

Progress: TypeAlias = Callable[[int, int], None]
"""Called with how much is done, and of how much."""
_CHUNK_BYTES: Final = 1 << 20
OWNER_ONLY: Final = 0o600
"""A backup holds all that the database holds, logins too."""


class Contents(NamedTuple):
    """What is in a database, or in a backup of one."""

    revision: str | None
    """Of the schema."""
    rows: dict[str, int]
    """By table."""
    server: str
    """The version of the database that wrote it."""


class Manifest(BaseModel):
    """What a backup holds. It is written last: a backup without one is not whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = Field(default=1, description="Of this file.")
    kind: Literal["sqlite", "postgresql"]
    taken_at: Timestamp
    yieldline: str = Field(description="The version that took it.")
    server: str = Field(description="The version of the database.")
    revision: str | None = Field(description="Of the schema.")
    size_bytes: int
    sha256: str
    rows: dict[str, int] = Field(description="How many, by table.")

    @property
    def row_count(self) -> int:
        """How many rows in all."""
        return sum(self.rows.values())

    @property
    def contents(self) -> Contents:
        """What is to be found in the file."""
        return Contents(self.revision, self.rows, self.server)


def manifest_file(backup: Path) -> Path:
    """Return where the manifest of a backup is."""
    return backup.with_name(f"{backup.name}.manifest.json")


def read_manifest(backup: Path) -> Manifest:
    """Return what a backup says of itself.

    Raises:
        SettingsError: It is not there, or not a manifest that this version reads.
    """
    file = manifest_file(backup)
    try:
        return Manifest.model_validate_json(file.read_bytes())
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be read ({error.strerror}). Every backup has one beside it; without it"
            " nobody knows whether the backup is whole."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "all of it"
        raise SettingsError(
            f"{file} is no manifest that this version reads ({place}: {first['msg']})."
            " Use the version that took the backup, or another backup."
        ) from error


def write_manifest(backup: Path, manifest: Manifest) -> None:
    """Write the manifest beside its backup, whole or not at all."""
    file = manifest_file(backup)
    part = file.with_name(f"{file.name}.part")
    part.write_text(manifest.model_dump_json(indent=2) + "\n", "utf-8")
    part.chmod(OWNER_ONLY)
    put_in_place(part, file)


def check_bytes(backup: Path, manifest: Manifest) -> None:
    """Read a backup and compare it with its manifest.

    Raises:
        SettingsError: It is missing, cut off or damaged.
    """
    try:
        size_bytes, digest = fingerprint(backup)
    except OSError as error:
        raise SettingsError(f"{backup} cannot be read: {error.strerror}.") from error
    if size_bytes != manifest.size_bytes:
        raise SettingsError(
            f"{backup} has {size_bytes:,} bytes, its manifest says {manifest.size_bytes:,}:"
            " it is cut off or another file. Use another backup."
        )
    if digest != manifest.sha256:
        raise SettingsError(
            f"{backup} is damaged: its SHA-256 is not that of its manifest. Use another backup."
        )


def fingerprint(file: Path) -> tuple[int, str]:
    """Return the size in bytes and the SHA-256 of a file."""
    digest, size_bytes = sha256(), 0
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK_BYTES):
            digest.update(chunk)
            size_bytes += len(chunk)
    return size_bytes, digest.hexdigest()


def check_contents(backup: Path, manifest: Manifest, found: Contents) -> None:
    """Compare what was found in a backup, or restored from it, with its manifest.

    Raises:
        SettingsError: A table has more or fewer rows, or the schema is another one.
    """
    if found.revision != manifest.revision:
        raise SettingsError(
            f"{backup} holds schema {found.revision}, its manifest says {manifest.revision}."
            " Use another backup."
        )
    for table in sorted(manifest.rows.keys() | found.rows.keys()):
        meant, counted = manifest.rows.get(table), found.rows.get(table)
        if meant != counted:
            raise SettingsError(
                f"{backup} holds {counted or 0:,} rows of {table}, its manifest says"
                f" {meant or 0:,}. Use another backup."
            )
