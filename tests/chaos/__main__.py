"""Do random harm to a plant under traffic for a while; then the books must balance.

Example: python -m tests.chaos --seed 7 --seconds 30 --database postgres
"""

import argparse
import contextlib
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.books import agent_lines, judge
from tests.chaos.faults import faults_for
from tests.chaos.plant import Plant
from tests.support.keeper import stored
from tests.support.waiting import eventually_sync

_SETTLE_S = 120.0


def main() -> int:
    """Return 0 when the books balance and nobody fell over by himself, else 1."""
    asked = _arguments()
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10_000)
    dice = random.Random(seed)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # it ends what it has started
    with tempfile.TemporaryDirectory(prefix="yieldline-chaos-") as folder:
        plant = Plant(Path(folder), asked.database, dice)
        try:
            with _nursed(plant):
                done = _harm(plant, asked.seconds)
                _say(f"seed {seed}, {asked.database}, {asked.seconds:g} s, {_broker_of(plant)}")
                _say("faults: " + ", ".join(f"{name} {n}" for name, n in sorted(done.items())))
                wrong = _let_all_arrive(plant)
            wrong += _end(plant)
            found = judge(plant)
        finally:
            plant.close()
    for finding in [*plant.findings, *wrong]:
        _say(f"FOUND: {finding}")
    _say(found.counts)
    _say(f"difference {found.verdict.difference}   {found.verdict._asdict()}")
    return 1 if found.verdict.difference or plant.findings or wrong else 0


def _broker_of(plant: Plant) -> str:
    kept = "with" if plant.has_persistence else "without"
    return "broker spared, with a PLC" if plant.spares_broker else f"broker {kept} persistence"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description="Random faults under traffic; then the books: exit 1 when they differ.",
        epilog="Example: python -m tests.chaos --seed 7 --seconds 30 --database postgres",
    )
    parser.add_argument("--seed", type=int, help="same seed, same order of faults; else by chance")
    parser.add_argument("--seconds", type=float, default=30, help="how long there are faults")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="postgres")
    return parser.parse_args()


def _harm(plant: Plant, seconds: float) -> Counter[str]:
    """Do one fault after the other, with a breath in between; return how often each."""
    faults = faults_for(plant)
    done: Counter[str] = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        fault = plant.dice.choice(faults)
        fault(plant)
        done[fault.__name__] += 1
        time.sleep(plant.dice.uniform(0, 0.7))
    return done


@contextlib.contextmanager
def _nursed(plant: Plant) -> Iterator[None]:
    """Start again what has died, as `yieldline up` or a container's host does."""
    stop = threading.Event()

    def keep_up() -> None:
        while not stop.wait(0.2):
            plant.keep_up()

    nurse = threading.Thread(target=keep_up, name="nurse", daemon=True)
    nurse.start()
    try:
        yield
    finally:
        stop.set()
        nurse.join(30)
        plant.keep_up()


def _let_all_arrive(plant: Plant) -> list[str]:
    """Send nothing new, and wait until all that was sent is stored; return what goes wrong."""
    plant.floor.stop_new()
    plant.agent_floor.stop_new()
    if plant.plc:
        plant.plc.stop_new()
    try:
        plant.floor.wait_for_receipts(_SETTLE_S)
        lines = plant.agent_floor.line_count
        eventually_sync(lambda: len(agent_lines(plant.url)) >= lines, _SETTLE_S)
        confirmed = plant.plc.confirmed if plant.plc else set()
        eventually_sync(lambda: stored(plant.url).keys() >= confirmed, _SETTLE_S)
    except AssertionError as error:
        return [f"not all arrived: {error}"]
    return []


def _end(plant: Plant) -> list[str]:
    """End every program in good order; return what goes wrong."""
    wrong: list[str] = []
    plant.floor.close()
    if code := plant.agent.stop():
        wrong.append(f"agent ended with {code}: {plant.agent.output[-1500:]}")
    for service in plant.services:
        service.wait_until("connected", timeout_s=_SETTLE_S)  # it may just have been started
        if code := service.process.stop():
            wrong.append(f"service ended with {code}: {service.process.output[-1500:]}")
        if "Traceback" in service.process.output:
            wrong.append(f"a trace: {service.process.output[-3000:]}")
    return wrong


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
