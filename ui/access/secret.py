"""The secret that signs logins: 32 random bytes in a file that only we may read."""

import contextlib
import os
import secrets
from pathlib import Path

from broker.errors import SettingsError
from ui.access.sessions import SECRET_BYTES

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


def read_secret(file: Path) -> bytes:
    """Return the secret of a file; where there is none yet, make it.

    Web apps that share the load share the file, so that a login holds with each of them.

    Raises:
        SettingsError: It can be neither read nor made, or is too short to be one.
    """
    try:
        return _checked(file, file.read_bytes())
    except FileNotFoundError:
        return _make(file)
    except OSError as error:
        raise _trouble(file, error) from error


def _make(file: Path) -> bytes:
    """Make it elsewhere and link it here: of two processes that do so one wins, and both read."""
    beside = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(beside, _NEW, 0o600), "wb") as stream:
            stream.write(secrets.token_bytes(SECRET_BYTES))
        with contextlib.suppress(FileExistsError):
            os.link(beside, file)
        beside.unlink()
        return _checked(file, file.read_bytes())
    except OSError as error:
        raise _trouble(file, error) from error


def _checked(file: Path, secret: bytes) -> bytes:
    if len(secret) < SECRET_BYTES:
        raise SettingsError(
            f"http.secret_file {str(file)!r} holds {len(secret)} bytes, and {SECRET_BYTES} random"
            " ones are needed. Delete it to have it made."
        )
    return secret


def _trouble(file: Path, error: OSError) -> SettingsError:
    return SettingsError(
        f"http.secret_file {str(file)!r} can be neither read nor made ({error.strerror})."
        " It signs logins. Name another place, or give us the right to this one."
    )
