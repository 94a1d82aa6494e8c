"""Where the fuzzer works, what it bounds, and what its lines say."""

import re
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.paths import ROOT

SLOW_S: Final = 10
"""An input that takes longer is a find; most take a thousandth."""

_LINE = re.compile(r"#(\d+)\t.*cov: (\d+) ft: (\d+)")
_KEPT = re.compile(r"Test unit written to (\S+)")
_KINDS = {
    "timeout": f"it took longer than {SLOW_S} s",
    "oom": "it filled the memory",
    "crash": "it ended the process",
}


class Figures(NamedTuple):
    """How far a target came."""

    executions: int = 0
    coverage: int = 0
    """Branches of our code that were taken."""
    features: int = 0
    """The same, with how often."""


def folder(kind: str, target: str) -> Path:
    """Return a folder that is there: of the `corpus`, the `seeds` or what was `found`."""
    path = ROOT / "build/fuzz" / kind / target
    path.mkdir(parents=True, exist_ok=True)
    return path


def read_figures(line: str, before: Figures) -> Figures:
    """Return what a line of libFuzzer says, or what was known before."""
    found = _LINE.match(line)
    return Figures(*map(int, found.groups())) if found else before


def read_end(line: str) -> tuple[str, Path] | None:
    """Return why libFuzzer gave up, in words, and the file of the input, where a line says so."""
    found = _KEPT.search(line)
    if found is None:
        return None
    file = Path(found[1])
    kind = file.name.partition("-")[0]
    return (_KINDS[kind], file) if kind in _KINDS else None
