"""Files: reading one that a person has named, and giving one its name that we have written."""

import contextlib
import os
import tomllib
from pathlib import Path
from typing import Any

from broker.errors import SettingsError, YieldlineError


def read_text(file: Path, kind: type[YieldlineError], name: str | None = None) -> str:
    """Return a file's text, line ends as they are.

    Args:
        file: UTF-8.
        kind: Of which kind the error is.
        name: How the sentence calls the file; default its path.

    Raises:
        YieldlineError: Of that kind: the file cannot be read, or is no text.
    """
    try:
        return file.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise kind(f"{name or file} {trouble_of(error)}") from error


def read_table(file: Path) -> dict[str, Any]:
    """Return what a file of settings in TOML holds; Windows' byte order mark may stand before it.

    Raises:
        FileNotFoundError: There is none; what to do about that depends on who has named it.
        SettingsError: It cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} {trouble_of(error)}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} cannot be read as TOML: {error}.") from error


def make_private(file: Path) -> None:
    """Make an empty file that its owner alone may read, where there is none and one can be made."""
    with contextlib.suppress(OSError):  # whoever writes to it says what is wrong
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def put_in_place(part: Path, file: Path) -> None:
    """Give a written file its name, so that it survives a power cut whole or not at all."""
    with part.open("rb") as written:
        os.fsync(written.fileno())
    part.replace(file)
    if os.name == "posix":
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def trouble_of(error: OSError | UnicodeDecodeError) -> str:
    """Return why a file cannot be read and what to do, to stand behind its name."""
    if isinstance(error, UnicodeDecodeError):
        return f"is not UTF-8 text (byte {error.start}). Save it as UTF-8."
    if isinstance(error, FileNotFoundError):
        return "does not exist. Check the path."
    if isinstance(error, IsADirectoryError):
        return "is a folder. Name the file in it."
    if isinstance(error, PermissionError):
        return "may not be read by this user. Give the user the right, or use another file."
    return f"cannot be read: {error.strerror or error}. Check it, or use another file."
