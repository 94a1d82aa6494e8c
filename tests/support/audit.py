"""`make check`, its last step: are there advisories against a package that we ship?

Asks for each package of requirements/all.txt by pip-audit. Without a network, or where nobody
answers in time, that is said and is no failure: only a finding is one.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

_LOCK: Final = "requirements/all.txt"
_ASK_TIMEOUT_S: Final = 5
_TIMEOUT_S: Final = 20
_OPTIONS: Final = ("--require-hashes", "--disable-pip", "--no-deps", "--progress-spinner=off")


def ask(lock: str, timeout_s: float = _TIMEOUT_S) -> list[dict[str, Any]]:
    """Return what pip-audit says of each package of a lock; empty when it could not ask."""
    program = Path(sys.executable).with_name("pip-audit")
    command = [program, *_OPTIONS, f"--timeout={_ASK_TIMEOUT_S}", "--format=json", "-r", lock]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        said = json.loads(ended.stdout)
    except (OSError, subprocess.TimeoutExpired, json.JSONDecodeError):
        return []
    found: list[dict[str, Any]] = said["dependencies"]
    return found


def conclude(packages: Sequence[dict[str, Any]]) -> tuple[int, list[str]]:
    """Return the exit code of the check, and the sentences to show.

    Args:
        packages: As pip-audit has them: name, and either `skip_reason` (it knows nothing of the
            package) or `version` and `vulns`.
    """
    asked = [each for each in packages if "skip_reason" not in each]
    if not asked:
        return 0, [f"Nobody answered about advisories: {_LOCK} was not audited."]
    findings = [(each, trouble) for each in asked for trouble in each["vulns"]]
    if findings:
        return 1, [_sentence(package, trouble) for package, trouble in findings]
    unknown = len(packages) - len(asked)
    rest = f"; nothing is known of {unknown} others" if unknown else ""
    return 0, [f"No advisory against {len(asked)} packages of {_LOCK}{rest}."]


def _sentence(package: dict[str, Any], trouble: dict[str, Any]) -> str:
    versions = " or ".join(trouble["fix_versions"])
    remedy = f"Use {versions}: make lock." if versions else "There is no fixed version yet."
    return f"{_LOCK}: {package['name']} {package['version']} has {trouble['id']}. {remedy}"


def main() -> int:
    """Ask and say; returns the exit code."""
    exit_code, sentences = conclude(ask(_LOCK))
    print(*sentences, sep="\n")  # noqa: T201 - a command
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
