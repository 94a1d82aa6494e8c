"""Which files a path or glob names, and which folders cannot be looked into. Opens no file.

`glob` cannot tell an empty folder from a share that is away; here the second is said.
"""

import fnmatch
import os
import re
from pathlib import Path, PurePath
from typing import Final, NamedTuple

_is_magic = re.compile(r"[*?[]").search
_DEEP: Final = "**"


class Listing(NamedTuple):
    """What a path or glob names now."""

    paths: list[str]
    """Files, sorted; links count as what they lead to."""
    unreachable: dict[str, str]
    """Folders that could not be listed, and why: nothing is known of what is below."""

    def may_hide(self, path: str) -> bool:
        """Tell whether `path` is below a folder that could not be listed."""
        return any(Path(folder) in Path(path).parents for folder in self.unreachable)


def list_files(pattern: str) -> Listing:
    """Return the files that match a path or glob; `**` is any number of folders.

    Names that start with a dot match only patterns that do. Folders that are links are entered
    where the pattern names them, not by `**`, which would never end.
    """
    base, parts = split(Path(pattern))
    walk = _Walk(str(base))
    walk.match(str(base), parts)
    return Listing(sorted(walk.found), walk.unreachable)


def split(pattern: PurePath) -> tuple[PurePath, tuple[str, ...]]:
    r"""Return the folder that a pattern starts from, and its parts from there on, at least one.

    A drive, a Windows share (`\\server\share`) and the `?` of `\\?\C:` are never a glob.
    """
    names = pattern.parts[1:] if pattern.anchor else pattern.parts
    plain = next((at for at, name in enumerate(names) if _is_magic(name)), len(names) - 1)
    return type(pattern)(pattern.anchor, *names[:plain]), names[plain:]


class _Walk:
    """One walk through the folders; each is listed once. Text is quicker than Path here."""

    def __init__(self, base: str) -> None:
        self._base = base
        self.found: set[str] = set()
        self.unreachable: dict[str, str] = {}
        self._listed: dict[str, list[os.DirEntry[str]]] = {}

    def match(self, folder: str, parts: tuple[str, ...]) -> None:
        first, rest = parts[0], parts[1:]
        if first == _DEEP:
            self.match(folder, rest or ("*",))
            for entry in self._entries(folder):
                if not entry.name.startswith(".") and self._is_folder(entry, links=False):
                    self.match(entry.path, parts)
        elif not _is_magic(first):
            self._match_name(folder, os.path.join(folder, first), rest)  # noqa: PTH118
        else:
            for entry in self._entries(folder):
                if _matches(entry.name, first):
                    self._take(entry, rest)

    def _match_name(self, folder: str, path: str, rest: tuple[str, ...]) -> None:
        if rest:
            self.match(path, rest)
            return
        try:
            os.lstat(path)
        except FileNotFoundError:
            self._entries(folder)  # is it only the file that is missing?
        except OSError as error:
            self._note(folder, error)
        else:
            self.found.add(path)

    def _take(self, entry: "os.DirEntry[str]", rest: tuple[str, ...]) -> None:
        is_folder = self._is_folder(entry, links=True)
        if is_folder and rest:
            self.match(entry.path, rest)
        elif not is_folder and not rest:
            self.found.add(entry.path)

    def _entries(self, folder: str) -> "list[os.DirEntry[str]]":
        if folder not in self._listed:
            try:
                with os.scandir(folder) as entries:
                    self._listed[folder] = list(entries)
            except OSError as error:
                self._listed[folder] = []
                self._note(folder, error)
        return self._listed[folder]

    def _note(self, folder: str, error: OSError) -> None:
        is_missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        if folder == self._base or not is_missing:  # others may come and go
            self.unreachable[folder] = error.strerror or str(error)

    @staticmethod
    def _is_folder(entry: "os.DirEntry[str]", *, links: bool) -> bool:
        try:
            return entry.is_dir(follow_symlinks=links)
        except OSError:
            return False


def _matches(name: str, part: str) -> bool:
    return fnmatch.fnmatch(name, part) and (not name.startswith(".") or part.startswith("."))
