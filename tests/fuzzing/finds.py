"""What was found: the input is kept, and one sentence tells how to see it again."""

import hashlib
import os
import shlex
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.support.paths import ROOT

FOUND = "FOUND "
"""How the line of a find begins."""


class Finds:
    """A check whose failures are kept and told, so that it may be called on and on.

    Failures in one place are one find: its shortest input is kept, its first is told.
    """

    def __init__(self, target: str, check: Callable[[bytes], None], folder: Path) -> None:
        self._target, self._check, self._folder = target, check, folder
        self._sizes: dict[str, int] = {}

    def __call__(self, content: bytes) -> None:
        """Check; an interrupt alone comes through."""
        try:
            self._check(content)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a panic of Rust is no Exception
            self._keep(content, error)

    def _keep(self, content: bytes, error: BaseException) -> None:
        place = _place_of(error)
        name = f"crash-{hashlib.blake2b(place.encode(), digest_size=6).hexdigest()}"
        is_new = name not in self._sizes
        if is_new or len(content) < self._sizes[name]:
            (self._folder / name).write_bytes(content)
            self._sizes[name] = len(content)
        if is_new:
            sys.stdout.write(f"{tell(self._target, place, self._folder / name)}\n")
            sys.stdout.flush()


def tell(target: str, what: str, file: Path) -> str:
    """Return the sentence on a find: what, where its bytes are, how to see it again."""
    shown = os.path.relpath(file, ROOT) if file.is_relative_to(ROOT) else str(file)
    command = shlex.join([sys.executable, "-m", "tests.fuzzing", target, "--repeat", shown])
    return f"{FOUND}{target}: {what}. Its input is in {shown}; see it again with: {command}"


def _place_of(error: BaseException) -> str:
    """Return the exception's type, and the last line of ours that it came through."""
    ours = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(ROOT) and ".venv" not in frame.filename
    ]
    return f"{type(error).__name__} at {os.path.relpath(ours[-1].filename, ROOT)}:{ours[-1].lineno}"
