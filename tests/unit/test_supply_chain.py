"""What we ship is known: locked by hash, listed in an SBOM, looked up among advisories."""

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import audit
from tests.support.processes import PYTHON

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements/all.txt").read_text("utf-8")


def locked(lock: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9.-]+==[^\s;]+)", lock, re.MULTILINE))


def package(name: str, *vulns: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "version": "1.0", "vulns": list(vulns)}


UNKNOWN = {"name": "ours", "skip_reason": "not found"}
HOLE = {"id": "CVE-2026-1", "fix_versions": ["1.1"], "aliases": [], "description": "…"}


@pytest.mark.parametrize(
    ("packages", "exit_code", "sentence"),
    [
        ([], 0, "Nobody answered about advisories: requirements/all.txt was not audited."),
        (
            [UNKNOWN],
            0,
            "Nobody answered about advisories: requirements/all.txt was not audited.",
        ),
        ([package("a")], 0, "No advisory against 1 packages of requirements/all.txt."),
        (
            [package("a"), UNKNOWN],
            0,
            "No advisory against 1 packages of requirements/all.txt; nothing is known of 1 others.",
        ),
        (
            [package("a"), package("b", HOLE), UNKNOWN],
            1,
            "requirements/all.txt: b 1.0 has CVE-2026-1. Use 1.1: make lock.",
        ),
        (
            [package("b", {**HOLE, "fix_versions": []})],
            1,
            "requirements/all.txt: b 1.0 has CVE-2026-1. There is no fixed version yet.",
        ),
    ],
)
def test_only_an_advisory_fails_the_check(
    packages: list[dict[str, Any]], exit_code: int, sentence: str
) -> None:
    assert audit.conclude(packages) == (exit_code, [sentence])


def test_who_is_never_answered_is_not_kept_waiting() -> None:
    assert audit.ask("requirements/all.txt", timeout_s=0.01) == []


def test_without_the_tool_nothing_is_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit.sys, "executable", str(tmp_path / "python"))
    assert audit.ask("requirements/all.txt") == []


def test_the_check_asks_about_advisories() -> None:
    assert "tests.support.audit" in recipe("check")


def recipe(target: str) -> str:
    """Return the lines of a target of the Makefile."""
    text = (ROOT / "Makefile").read_text("utf-8")
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", text, re.MULTILINE)
    assert found
    return found[1].replace("\\\n", " ")


def test_the_sbom_names_every_locked_package_with_its_hashes(tmp_path: Path) -> None:
    made = re.search(r"@\$\(BIN\)/(cyclonedx-py .+)", recipe("sbom"))
    assert made
    program, *words = shlex.split(made[1])
    file = tmp_path / "sbom.json"
    words[words.index("--output-file") + 1] = str(file)
    command = [Path(PYTHON).with_name(program), *words, "--no-validate"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    sbom = json.loads(file.read_text("utf-8"))
    assert (sbom["bomFormat"], sbom["metadata"]["component"]["name"]) == ("CycloneDX", "yieldline")
    assert {f"{each['name']}=={each['version']}" for each in sbom["components"]} == locked(LOCK)
    for each in sbom["components"]:
        assert each["externalReferences"][0]["hashes"], each["name"]


@pytest.mark.parametrize("name", ["agent", "all", "dev", "fuzz"])
def test_every_line_of_a_lock_has_its_hashes(name: str) -> None:
    text = (ROOT / f"requirements/{name}.txt").read_text("utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) == len(locked(text)) > 1
    assert [each for each in entries if "--hash=sha256:" not in each] == []
