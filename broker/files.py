"""Reading a file that a person has named: what is wrong with it in one sentence."""

from pathlib import Path

from broker.errors import YieldlineError


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
