"""Fuzz every parser for a while, one process after the other; exit 1 when something was found."""

import argparse
import faulthandler
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tests.fuzzing.finds import FOUND, tell
from tests.fuzzing.targets import TARGETS
from tests.fuzzing.work import SLOW_S, Figures, read_end, read_figures
from tests.support.paths import ROOT

_EXAMPLES = """examples:
  make fuzz                                every target for 60 s
  make fuzz SECONDS=600 TARGET="i3070 spea"
  python -m tests.fuzzing --seconds 600 i3070 spea
  python -m tests.fuzzing i3070 --repeat build/fuzz/found/i3070/crash-5d2a

The inputs that reached something new stay in build/fuzz/corpus; the next run goes on from them.
"""


class Done(NamedTuple):
    """What came of one target."""

    figures: Figures
    find_count: int
    last_line: str
    """What its process said last: why it ended, where it should not have."""


def main(arguments: list[str] | None = None) -> int:
    """Return 0 when nothing was found, 1 when something was, 2 when it could not be tried."""
    asked = _read(arguments)
    if asked.repeat:
        return _repeat(asked.targets[0], asked.repeat)
    if find_spec("atheris") is None:
        _say("atheris is not installed, and without it nothing is fuzzed. Run: make fuzz")
        return 2
    done = [_fuzz(name, asked.seconds) for name in asked.targets]
    executions = sum(each.figures.executions for each in done)
    found = sum(each.find_count for each in done)
    _say(
        f"{len(done)} targets, {executions:,} executions, {found} found."
        + (" Mend each, and make its input a test." if found else "")
    )
    return 1 if found else 0


def _read(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzzing",
        description="Feed every parser made-up input, guided by what of it was reached.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    known = ", ".join(TARGETS)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"which of {known}; else all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--repeat", type=Path, metavar="FILE", help="check this one input again")
    asked = parser.parse_args(arguments)
    for name in asked.targets:
        if name not in TARGETS:
            parser.error(f"{name!r} is not a target. Use one of {known}.")
    if asked.seconds < 1:
        parser.error("--seconds must be 1 or more.")
    if asked.repeat and len(asked.targets) != 1:
        parser.error("--repeat needs the one target that the input is of.")
    asked.targets = asked.targets or list(TARGETS)
    return asked


def _repeat(name: str, file: Path) -> int:
    """Check one input, and show where it breaks; one that hangs is ended, with its stack."""
    faulthandler.dump_traceback_later(SLOW_S, exit=True, file=sys.__stderr__)
    try:
        TARGETS[name].check(file.read_bytes())
    except BaseException:  # noqa: BLE001 - a panic of Rust is no Exception
        traceback.print_exc()
        return 1
    finally:
        faulthandler.cancel_dump_traceback_later()
    _say(f"{name}: nothing is wrong with {file}.")
    return 0


def _fuzz(name: str, seconds: int) -> Done:
    """Let a process fuzz one target; pass on what it finds and say how far it came."""
    command = [sys.executable, "-m", "tests.fuzzing.engine", name, str(seconds)]
    began = time.monotonic()
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        done = follow(name, process.stdout)
    if process.returncode and not done.find_count:
        raise SystemExit(f"{name}: the fuzzer ended with {process.returncode}: {done.last_line}")
    figures = done.figures
    _say(
        f"{name:<20} {time.monotonic() - began:5.0f} s {figures.executions:>10,} executions"
        f" {figures.coverage:>6,} branches {figures.features:>7,} features"
        f" {done.find_count:>3} found"
    )
    return done


def follow(name: str, lines: Iterable[str]) -> Done:
    """Read what the process of a target prints; pass finds on, with how to see them again."""
    figures, find_count, last_line = Figures(), 0, ""
    for line in lines:
        figures = read_figures(line, figures)
        last_line = line.strip() or last_line
        end = read_end(line)
        find = tell(name, *end) if end else line.strip()
        if find.startswith(FOUND):
            find_count += 1
            _say(find)
    return Done(figures, find_count, last_line)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
