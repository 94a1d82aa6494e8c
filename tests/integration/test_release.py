"""A release is the commit, built the same twice, and believed for its signature alone."""

import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support import release
from tests.support.processes import PYTHON
from tests.support.release import Refused

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/releasing.md").read_text("utf-8")
PACKAGES = ("broker", "edge_agent", "service", "ui")
BUILT_FROM = (*PACKAGES, "pyproject.toml", "README.md", "LICENSE", ".gitignore", "rules.toml")
pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is missing")


def new_key(file: Path) -> Path:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", file]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return file


def signers_line(key: Path) -> str:
    public = key.with_name(f"{key.name}.pub").read_text("utf-8")
    return f'{release.IDENTITY} namespaces="{release.NAMESPACE}" {public}'


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_key(tmp_path_factory.mktemp("key") / "maintainer")


@pytest.fixture
def signed(tmp_path: Path, key: Path) -> Path:
    """The folder of a release; what is in its files does not matter to its signature."""
    folder = tmp_path / "release"
    folder.mkdir()
    (folder / "yieldline-1.0.whl").write_bytes(b"a wheel")
    (folder / "yieldline-agent.pyz").write_bytes(b"an agent")
    release.write_sums(folder)
    release.sign(folder, key)
    return folder


def check_as_told(folder: Path, signers: Path) -> subprocess.CompletedProcess[str]:
    """Run the block of the guide that checks a release."""
    block = re.search(r"<!-- The tests run this block. -->\n```sh\n(.*?)```", GUIDE, re.DOTALL)
    assert block
    return subprocess.run(
        ["sh", "-c", block[1]],
        cwd=folder,
        env={**os.environ, "ALLOWED_SIGNERS": str(signers)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def signers(tmp_path: Path, key: Path) -> Path:
    file = tmp_path / "allowed_signers"
    file.write_text(signers_line(key), "utf-8")
    return file


def test_a_release_that_is_as_it_was_signed_is_believed(signed: Path, signers: Path) -> None:
    done = check_as_told(signed, signers)
    assert done.returncode == 0, done.stderr
    assert 'Good "yieldline-release" signature for yieldline' in done.stdout
    assert done.stdout.splitlines()[1:] == ["yieldline-1.0.whl: OK", "yieldline-agent.pyz: OK"]


def test_who_took_one_file_only_checks_that_one(signed: Path, signers: Path) -> None:
    (signed / "yieldline-1.0.whl").unlink()
    done = check_as_told(signed, signers)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == ["yieldline-agent.pyz: OK"]


def test_a_changed_byte_in_a_file_is_refused(signed: Path, signers: Path) -> None:
    (signed / "yieldline-1.0.whl").write_bytes(b"a wheeL")
    done = check_as_told(signed, signers)
    assert done.returncode != 0
    assert "yieldline-1.0.whl: FAILED" in done.stdout


def test_a_changed_byte_in_the_sums_is_refused_before_any_file_is_looked_at(
    signed: Path, signers: Path
) -> None:
    (signed / "yieldline-1.0.whl").write_bytes(b"a wheeL")
    release.write_sums(signed)
    done = check_as_told(signed, signers)
    assert done.returncode != 0
    assert "OK" not in done.stdout
    with pytest.raises(Refused, match="ssh-keygen did not verify SHA256SUMS"):
        release.check_signature(signed, signers)


def test_anothers_signature_is_refused(signed: Path, signers: Path, tmp_path: Path) -> None:
    (signed / "SHA256SUMS.sig").unlink()
    release.sign(signed, new_key(tmp_path / "another"))
    done = check_as_told(signed, signers)
    assert done.returncode != 0
    assert "OK" not in done.stdout


def test_the_maintainers_signature_of_something_else_is_refused(
    signed: Path, signers: Path, key: Path
) -> None:
    (signed / "SHA256SUMS.sig").unlink()
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-f", key, "SHA256SUMS"]
    subprocess.run(command, cwd=signed, check=True, capture_output=True)
    done = check_as_told(signed, signers)
    assert done.returncode != 0
    assert "OK" not in done.stdout


def test_the_projects_own_list_of_signers_believes_only_keys_for_releases() -> None:
    lines = (ROOT / release.SIGNERS).read_text("utf-8").splitlines()
    for line in lines:
        assert line.startswith(("#", f'{release.IDENTITY} namespaces="{release.NAMESPACE}" ')), line


# -- what is no release ----------------------------------------------------------------------------


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    command = ["git", *who, "-c", "commit.gpgsign=false", *words]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path: Path, key: Path) -> Path:
    folder = tmp_path / "clone"
    (folder / release.SIGNERS).parent.mkdir(parents=True)
    (folder / release.SIGNERS).write_text(signers_line(key), "utf-8")
    (folder / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n', "utf-8")
    changes = "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-11-25\n"
    (folder / "CHANGELOG.md").write_text(changes, "utf-8")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


def test_a_commit_with_its_section_in_the_changelog_is_a_version(clone: Path) -> None:
    assert release.version_to_release(clone) == "1.2.0"


@pytest.mark.parametrize("name", ["CHANGELOG.md", "new.py"])
def test_files_that_are_not_committed_are_refused(clone: Path, name: str, key: Path) -> None:
    with (clone / name).open("a", encoding="utf-8") as file:
        file.write("\n")
    with pytest.raises(Refused, match=f"1 files are not as committed, '{name}' first"):
        release.release(clone, key)


def test_a_version_without_its_section_is_refused(clone: Path, key: Path) -> None:
    (clone / "CHANGELOG.md").write_text("## [Unreleased]\n\n## [1.1.0] - 2026-11-01\n", "utf-8")
    git(clone, "commit", "--quiet", "--all", "--message", "no section")
    with pytest.raises(Refused, match=r"CHANGELOG.md has no section `## \[1.2.0\] - DATE`"):
        release.release(clone, key)


def test_a_key_that_nobody_would_believe_is_refused_with_the_line_to_add(
    clone: Path, tmp_path: Path
) -> None:
    other = new_key(tmp_path / "other")
    with pytest.raises(Refused) as refused:
        release.release(clone, other)
    line = str(refused.value).partition("Add and commit: ")[2]
    assert signers_line(other).startswith(f"{line} ")


def test_a_key_that_is_not_there_is_refused(clone: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="RELEASE_KEY=FILE"):
        release.release(clone, tmp_path / "none")


@pytest.mark.parametrize("change", ["content", "name"])
def test_two_builds_that_differ_are_no_release(tmp_path: Path, change: str) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        (folder / "a.whl").write_bytes(b"same")
    release.compare(first, second)
    (second / ("a.whl" if change == "content" else "b.whl")).write_bytes(b"diff")
    with pytest.raises(Refused, match=r"differ in [ab]\.whl\."):
        release.compare(first, second)


# -- what is built ---------------------------------------------------------------------------------


def packages_of(folder: Path, umask: int) -> Path:
    """Build what pip installs as `make packages` does, from a copy of what is tracked here."""
    folder.mkdir()
    tracked = subprocess.check_output(["git", "ls-files", *BUILT_FROM], cwd=ROOT, text=True)
    for name in tracked.splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
        (folder / name).chmod(0o666 & ~umask)
    command = [PYTHON, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", "dist"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1795645884"}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return folder / "dist"


def test_the_packages_are_the_same_bytes_wherever_they_are_built_and_hold_every_file(
    tmp_path: Path,
) -> None:
    first, second = packages_of(tmp_path / "a", 0o022), packages_of(tmp_path / "elsewhere", 0o077)
    release.compare(first, second)
    (wheel,), (sources,) = first.glob("*.whl"), first.glob("*.tar.gz")
    tracked = subprocess.check_output(["git", "ls-files", *PACKAGES], cwd=ROOT, text=True)
    with zipfile.ZipFile(wheel) as packed:
        assert set(tracked.splitlines()) <= set(packed.namelist())
        packed.extractall(tmp_path / "installed")
    ask = "from service.sample_rules import sample_rules; print(sample_rules().read_text('utf-8'))"
    sample = subprocess.check_output([PYTHON, "-c", ask], cwd=tmp_path / "installed", text=True)
    assert sample.strip() == (ROOT / "rules.toml").read_text("utf-8").strip()
    with tarfile.open(sources) as packed_sources:
        names = {name.partition("/")[2] for name in packed_sources.getnames()}
        assert {*tracked.splitlines(), "rules.toml"} <= names  # a wheel is made of it, too
