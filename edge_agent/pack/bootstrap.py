"""What yieldline-agent.pyz starts with: unpack once, then run the agent from there.

Compiled packages cannot be imported from a zip. They go to a folder of the person's own cache that
is named by the build's hash: another build has another folder, and a half one is never seen. What
nobody runs from any more is deleted. Standard library only.
"""

import contextlib
import importlib
import json
import os
import shutil
import sys
import sysconfig
import tempfile
import time
import zipfile
import zlib
from pathlib import Path

BUILD = "build.json"
SITE = "site/"
IN_USE = "in-use"
"""Who runs from a folder has this file in it open, until the process ends."""
EXIT_USAGE = 2
_LEFT_AFTER_S = 86_400


def run(archive: Path) -> None:
    """Run the agent that is packed in `archive`."""
    try:
        with zipfile.ZipFile(archive) as packed:
            build = json.loads(packed.read(BUILD))
            check_python(build)
            target = cache_folder() / build["key"]
            site = unpacked(packed, target)
    except (OSError, ValueError) as error:
        print(f"{archive.name}: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_USAGE)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        print(f"{archive.name} is damaged ({error}). Copy it here once more.", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_USAGE)
    sys.path.insert(0, str(site))
    sys.argv[0] = "yieldline-agent"
    agent = importlib.import_module("edge_agent.__main__")
    remove_others(target)
    agent.main()


def abi() -> str:
    """Return what compiled packages fit: Python's release, system, processor and C library."""
    return str(sysconfig.get_config_var("EXT_SUFFIX"))


def check_python(build: "dict[str, str]") -> None:
    """Compare this Python with the one it was built by.

    Raises:
        ValueError: They differ; one sentence.
    """
    if build["abi"] != abi():
        raise ValueError(
            f"it was built for {build['abi']}, and {sys.executable} is {abi()}."
            " Start it with that Python, or build it on such a machine with `make agent`."
        )


def cache_folder() -> Path:
    """Return where to unpack: the service's own cache folder, else the person's."""
    for variable in ("CACHE_DIRECTORY", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        if os.environ.get(variable):
            return Path(os.environ[variable]) / "yieldline-agent"
    return Path.home() / ".cache" / "yieldline-agent"


def unpacked(packed: zipfile.ZipFile, target: Path) -> Path:
    """Return the folder with the packages; unpack it when it is not there.

    It is in use from then on, until this process ends.

    Raises:
        OSError: It cannot be written; one sentence.
    """
    if not _use(target):
        try:
            _unpack(packed, target)
        except OSError as error:
            raise OSError(
                f"{target.parent} cannot be written ({error.strerror or error})."
                " Set XDG_CACHE_HOME to a folder that can."
            ) from error
        _use(target)
    return target / SITE


def remove_others(target: Path) -> None:
    """Delete the folders of other builds that nobody uses, and what a power cut left of one.

    A folder that an earlier release made says nothing of its use, and stays.
    """
    with contextlib.suppress(OSError):
        for folder in list(target.parent.iterdir()):
            if folder.name.startswith((".new-", ".old-")):
                if time.time() - folder.stat().st_mtime > _LEFT_AFTER_S:
                    shutil.rmtree(folder, ignore_errors=True)
            elif folder != target and (folder / IN_USE).is_file():
                _remove(folder)


def _unpack(packed: zipfile.ZipFile, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
    try:
        packed.extractall(new, [name for name in packed.namelist() if name.startswith(SITE)])
        (new / IN_USE).touch()
        new.rename(target)
    except BaseException as error:
        shutil.rmtree(new, ignore_errors=True)
        was_slower = isinstance(error, OSError) and (target / SITE).is_dir()
        if not was_slower:  # than another start
            raise


def _use(folder: Path) -> bool:
    """Tell whether a folder is there; from then on it is in use, until this process ends."""
    if not (folder / SITE).is_dir():
        return False
    try:
        marker = os.open(folder / IN_USE, os.O_WRONLY | os.O_CREAT)
    except OSError:  # it is not ours to write, nor to delete
        return True
    if _share(marker, folder / IN_USE):
        return True
    os.close(marker)  # it was deleted meanwhile
    return False


def _remove(folder: Path) -> None:
    aside = folder.with_name(f".old-{folder.name}")
    try:
        _rename_unused(folder, aside)
    except OSError:
        return  # somebody runs from it, or was quicker
    shutil.rmtree(aside, ignore_errors=True)


if sys.platform == "win32":

    def _share(marker: int, file: Path) -> bool:
        """Do nothing: a folder with an open file cannot be renamed."""
        del marker, file
        return True

    def _rename_unused(folder: Path, aside: Path) -> None:
        folder.rename(aside)

else:
    import fcntl

    def _share(marker: int, file: Path) -> bool:
        """Lock an open file; tell whether it is still the one of that name."""
        with contextlib.suppress(OSError):  # a file system without locks: nobody deletes there
            fcntl.flock(marker, fcntl.LOCK_SH)
        return file.exists() and os.path.samestat(os.fstat(marker), file.stat())

    def _rename_unused(folder: Path, aside: Path) -> None:
        marker = os.open(folder / IN_USE, os.O_WRONLY)
        try:
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
            folder.rename(aside)
        finally:
            os.close(marker)


if __name__ == "__main__":
    run(Path(__file__).parent)
