"""`make release`: what people install, built twice from the commit alone, summed and signed.

`python -m tests.support.release KEY`. The Makefile's own targets build, in two exports of the
commit; what differs between them is no release. `ssh-keygen` signs; docs/releasing.md tells how
that is checked.
"""

import filecmp
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SIGNERS: Final = "docs/deploy/allowed_signers"
IDENTITY: Final = "yieldline"
NAMESPACE: Final = "yieldline-release"
SUMS: Final = "SHA256SUMS"
_TARGETS: Final = ("packages", "agent", "sbom")
_LOCK: Final = "requirements/all.txt"
EXIT_REFUSED: Final = 2


class Refused(Exception):  # noqa: N818 - it is what happened
    """There is no release; one sentence says why, and what to do."""


def release(root: Path, key: Path) -> Path:
    """Make the release of the commit that is checked out.

    Args:
        root: The clone; its environment is the one that runs this.
        key: The maintainer's key, as `ssh-keygen -Y sign -f` takes it.

    Returns:
        The folder with the files: `dist/yieldline-VERSION`; an older one is replaced.

    Raises:
        Refused: Before anything is built where that can be seen; nothing is left behind.
    """
    version = version_to_release(root)
    check_key(root, key)
    with tempfile.TemporaryDirectory(prefix="yieldline-release-") as name:
        first, second = (build(root, Path(name) / each) for each in ("first", "second"))
        compare(first, second)
        write_sums(first)
        sign(first, key)
        check_signature(first, root / SIGNERS)
        made = root / "dist" / f"yieldline-{version}"
        shutil.rmtree(made, ignore_errors=True)
        shutil.copytree(first, made)
    return made


def version_to_release(root: Path) -> str:
    """Return the version that the commit is.

    Raises:
        Refused: Files are not committed, or the CHANGELOG has no section of this version.
    """
    changed = _git(root, "status", "--porcelain").decode().splitlines()
    if changed:
        raise Refused(
            f"{len(changed)} files are not as committed, {changed[0][3:]!r} first."
            " Commit them or put them away: a release is what is in the commit."
        )
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    version = str(project["version"])
    changes = (root / "CHANGELOG.md").read_text("utf-8")
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changes, re.MULTILINE):
        raise Refused(
            f"CHANGELOG.md has no section `## [{version}] - DATE`. Give what is under [Unreleased]"
            " that title, or set another version in pyproject.toml."
        )
    return version


def check_key(root: Path, key: Path) -> None:
    """Look whether people would believe this key, before minutes are spent.

    Raises:
        Refused: It is not there, or the commit does not name it.
    """
    public = key if key.suffix == ".pub" else key.with_name(f"{key.name}.pub")
    if not (key.is_file() and public.is_file()):
        raise Refused(f"{key} and its public half are not both there. Name it: RELEASE_KEY=FILE.")
    kind, text = public.read_text("utf-8").split()[:2]
    if text not in (root / SIGNERS).read_text("utf-8").split():
        raise Refused(
            f"{SIGNERS} does not name this key, so nobody could check what it signs. Add and"
            f' commit: {IDENTITY} namespaces="{NAMESPACE}" {kind} {text}'
        )


def build(root: Path, folder: Path) -> Path:
    """Export the commit into a new folder and build there; return where the files are."""
    folder.mkdir()
    subprocess.run(["tar", "-x"], cwd=folder, input=_git(root, "archive", "HEAD"), check=True)
    committed_s = _git(root, "show", "--no-patch", "--format=%ct", "HEAD").decode().strip()
    inherited = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    installed = Path(sys.prefix)
    subprocess.run(
        ["make", f"--old-file={installed}/.installed", f"VENV={installed}", *_TARGETS],
        cwd=folder,
        env={**inherited, "SOURCE_DATE_EPOCH": committed_s},
        check=True,
    )
    made = folder / "dist"
    shutil.copy(folder / _LOCK, made / "requirements.txt")
    return made


def compare(first: Path, second: Path) -> None:
    """Hold two builds of the same commit against each other.

    Raises:
        Refused: A file differs, or is in one of them alone.
    """
    names = sorted({each.name for folder in (first, second) for each in folder.iterdir()})
    _, differing, missing = filecmp.cmpfiles(first, second, names, shallow=False)
    if differing or missing:
        raise Refused(
            f"two builds of one commit differ in {', '.join(differing + missing)}."
            " Nobody could build it again to compare: find what is not of the commit."
        )


def write_sums(folder: Path) -> None:
    """Write the SHA-256 of every file, as `sha256sum --check` reads it."""
    files = sorted(folder.iterdir())
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (folder / SUMS).write_text("".join(lines), "utf-8")


def sign(folder: Path, key: Path) -> None:
    """Write the signature of the sums beside them.

    Raises:
        Refused: With what ssh-keygen said.
    """
    _ssh_keygen(folder, "sign", "-f", str(key), SUMS)


def check_signature(folder: Path, signers: Path) -> None:
    """Check it as those will who install it.

    Raises:
        Refused: They would not believe it.
    """
    words = ("-f", str(signers), "-I", IDENTITY, "-s", f"{SUMS}.sig")
    _ssh_keygen(folder, "verify", *words, text=(folder / SUMS).read_text("utf-8"))


def _ssh_keygen(folder: Path, action: str, *words: str, text: str | None = None) -> None:
    command = ["ssh-keygen", "-Y", action, "-n", NAMESPACE, *words]
    done = subprocess.run(
        command, cwd=folder, input=text, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise Refused(f"ssh-keygen did not {action} {SUMS}: {done.stderr.strip()}")


def _git(root: Path, *words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=root, stdout=subprocess.PIPE, check=True).stdout


def main() -> None:
    """Make it from the command line."""
    try:
        made = release(ROOT, Path(sys.argv[1]).expanduser().absolute())
    except Refused as refused:
        print(f"Not released: {refused}", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_REFUSED)
    for file in sorted(made.iterdir()):
        print(file.relative_to(ROOT))  # noqa: T201


if __name__ == "__main__":
    main()
