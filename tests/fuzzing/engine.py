"""One target under atheris, in a process of its own: python -m tests.fuzzing.engine NAME SECONDS.

Prints a line per find, among libFuzzer's own lines. Ends by itself after SECONDS; sooner when one
input takes longer than `SLOW_S` or fills the memory, which libFuzzer then keeps.
"""

import hashlib
import random
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

import atheris

from tests.fuzzing.finds import Finds
from tests.fuzzing.work import SLOW_S, folder

_OURS: Final = ["broker", "edge_agent", "service"]
_MEMORY_MB_MAX: Final = 2_048


def main() -> None:
    """Fuzz; does not return."""
    name, seconds = sys.argv[1:]
    with atheris.instrument_imports(include=_OURS):
        targets = import_module("tests.fuzzing.targets")
        target = targets.TARGETS[name]
        finds = Finds(name, target.check, folder("found", name))
        for seed in target.seeds:  # also imports what parsers import late
            finds(seed)
    arguments = [
        sys.argv[0],
        f"-max_total_time={seconds}",
        f"-timeout={SLOW_S}",
        f"-rss_limit_mb={_MEMORY_MB_MAX}",
        f"-max_len={targets.INPUT_BYTES_MAX}",
        f"-artifact_prefix={folder('found', name)}/",
        "-print_final_stats=1",
        str(folder("corpus", name)),
        str(_write(target.seeds, folder("seeds", name))),
    ]
    atheris.Setup(arguments, finds, custom_mutator=_mutator(target.pieces))
    atheris.Fuzz()


def _write(seeds: Sequence[bytes], into: Path) -> Path:
    for seed in seeds:
        (into / hashlib.blake2b(seed, digest_size=8).hexdigest()).write_bytes(seed)
    return into


def _mutator(pieces: Sequence[bytes]) -> Callable[[bytes, int, int], bytes]:
    def mutate(content: bytes, bytes_max: int, seed: int) -> bytes:
        """Put a piece in, or over what is there, or let libFuzzer do what it does."""
        chance = random.Random(seed)
        if chance.randrange(2):
            mutated: bytes = atheris.Mutate(content, bytes_max)
            return mutated
        piece = chance.choice(pieces)
        start = chance.randrange(len(content) + 1)
        end = start + chance.randrange(2) * len(piece)
        return (content[:start] + piece + content[end:])[:bytes_max]

    return mutate


if __name__ == "__main__":
    main()
