"""What yieldline-agent.pyz starts with: unpack once, then run the agent from there.

Compiled packages cannot be imported from a zip. They go to a folder of the person's own cache that
is named by the build's hash: another build has another folder, and a half one is never seen.
Standard library only.
"""

import importlib
import json
import os
import shutil
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

BUILD = "build.json"
SITE = "site/"
EXIT_USAGE = 2


def run(archive: Path) -> None:
    """Run the agent that is packed in `archive`."""
    try:
        with zipfile.ZipFile(archive) as packed:
            build = json.loads(packed.read(BUILD))
            check_python(build)
            site = unpacked(packed, cache_folder() / build["key"])
    except (OSError, ValueError) as error:
        print(f"{archive.name}: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_USAGE)
    sys.path.insert(0, str(site))
    sys.argv[0] = "yieldline-agent"
    importlib.import_module("edge_agent.__main__").main()


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

    Raises:
        OSError: It cannot be written; one sentence.
    """
    if (target / SITE).is_dir():
        return target / SITE
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
        packed.extractall(new, [name for name in packed.namelist() if name.startswith(SITE)])
        try:
            new.rename(target)
        except OSError:  # another start was quicker
            shutil.rmtree(new)
            if not (target / SITE).is_dir():
                raise
    except OSError as error:
        raise OSError(
            f"{target.parent} cannot be written ({error.strerror or error})."
            " Set XDG_CACHE_HOME to a folder that can."
        ) from error
    return target / SITE


if __name__ == "__main__":
    run(Path(__file__).parent)
