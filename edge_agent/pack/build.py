"""Build yieldline-agent.pyz for the Python and the machine that run this: `make agent`.

`python -m edge_agent.pack.build [--output FILE] [--installed]`. Standard library and pip only. The
same sources and lock make the same bytes, wherever they are built; `SOURCE_DATE_EPOCH` dates them.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from edge_agent.pack import bootstrap

ROOT: Final = Path(__file__).parents[2]
REQUIREMENTS: Final = ROOT / "requirements/agent.txt"
OUTPUT: Final = ROOT / "dist/yieldline-agent.pyz"
_OURS: Final = ("broker", "edge_agent")
_OF_THE_BUILDER: Final = ("RECORD", "direct_url.json")
"""Files of a package's metadata that say where and by what it was installed."""
_ZIP_EPOCH_S: Final = 315_532_800
"""1980-01-01: a zip knows nothing older."""
_RUNNABLE: Final = 0o755
_LEFT_OUT: Final = shutil.ignore_patterns("__pycache__", "*.pyc", "pack")

_as_requirement = re.compile(r"^([A-Za-z0-9._-]+)==[^ ]+( ;)?", re.MULTILINE).finditer


def build(output: Path, *, is_installed: bool = False) -> None:
    """Write the file.

    Args:
        output: Where; an older one is replaced.
        is_installed: Copy the packages that are installed here instead of downloading them.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="yieldline-pack-") as name:
        folder = Path(name)
        site = folder / bootstrap.SITE
        site.mkdir()
        (_copy_installed if is_installed else _download)(site)
        for file in _files(site):
            if file.name in _OF_THE_BUILDER and file.parent.suffix == ".dist-info":
                file.unlink()
        _add_ours(site)
        shutil.copy(bootstrap.__file__, folder / "__main__.py")
        facts = {"key": _hash(site), "abi": bootstrap.abi()}
        (folder / bootstrap.BUILD).write_text(json.dumps(facts), "utf-8")
        _pack(folder, output)


def _download(site: Path) -> None:
    """Install the hashed requirements, as wheels only."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--require-hashes", "--only-binary", ":all:", "--no-compile", "--target", str(site)]
    subprocess.run([*command, *options, "-r", str(REQUIREMENTS)], check=True)  # noqa: S603
    shutil.rmtree(site / "bin", ignore_errors=True)


def _copy_installed(site: Path) -> None:
    for found in _as_requirement(REQUIREMENTS.read_text("utf-8")):
        try:
            package = distribution(found[1])
        except PackageNotFoundError:
            if found[2]:  # it has a marker: another system needs it
                continue
            raise
        for file in package.files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), site / file)


def _add_ours(site: Path) -> None:
    """Copy our packages, with the metadata that says which release they are."""
    for package in _OURS:
        shutil.copytree(ROOT / package, site / package, ignore=_LEFT_OUT)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    metadata = site / f"{project['name']}-{project['version']}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    lines = ("Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {project['version']}")
    metadata.write_text("\n".join(lines) + "\n", "utf-8")


def _pack(folder: Path, output: Path) -> None:
    """Write what zipapp would, in one order, with one date and without the files' own modes."""
    made_s = max(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), _ZIP_EPOCH_S)
    date = time.gmtime(made_s)[:6]
    with output.open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            for path in _files(folder):
                member = zipfile.ZipInfo(path.relative_to(folder).as_posix(), date)
                member.compress_type = zipfile.ZIP_DEFLATED
                member.external_attr = (stat.S_IFREG | 0o644) << 16
                packed.writestr(member, path.read_bytes())
    output.chmod(_RUNNABLE)


def _files(folder: Path) -> list[Path]:
    """Return all files below, in an order that is the same everywhere."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(files, key=lambda path: path.relative_to(folder).as_posix())


def _hash(site: Path) -> str:
    """Return what names the unpacked folder: a hash of all it holds."""
    digest = hashlib.sha256()
    for file in _files(site):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(site).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:24]


def main() -> None:
    """Build it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument(
        "--installed", action="store_true", help="Copy the installed packages; needs no network."
    )
    chosen = parser.parse_args()
    build(chosen.output, is_installed=chosen.installed)
    size = chosen.output.stat().st_size
    print(f"{chosen.output}: {size / 1e6:.1f} MB, for {bootstrap.abi()}")  # noqa: T201


if __name__ == "__main__":
    main()
