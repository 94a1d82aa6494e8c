"""Do random harm to a plant under traffic for a while; then the books must balance.

Example: python -m tests.chaos --seed 7 --seconds 30 --database postgres
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tests.chaos.faults import EVERYWHERE, ON_POSTGRES, TO_THE_BROKER
from tests.chaos.plant import Plant
from tests.chaos.traffic import AGENT_MACHINE
from tests.support.keeper import Key, books, query, stored
from tests.support.waiting import eventually_sync

_SETTLE_S = 120.0
_AGENT_SQL = (
    "SELECT u.barcode FROM run r JOIN name n ON n.id = r.machine JOIN unit u ON u.id = r.unit_id"
    f" WHERE n.text = '{AGENT_MACHINE}'"
)
_REJECTED_SQL = "SELECT n.text, j.message_id FROM rejection j JOIN name n ON n.id = j.machine"


class Verdict(NamedTuple):
    """What the senders' lists say of the database."""

    missing: int
    doubled: int
    foreign: int
    unbalanced: int

    @property
    def difference(self) -> int:
        """0: nothing is lost, and nothing counted twice."""
        return sum(map(abs, self))


def main() -> int:
    """Return 0 when the books balance and nobody fell over by himself, else 1."""
    asked = _arguments()
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10_000)
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="yieldline-chaos-") as folder:
        plant = Plant(Path(folder), asked.database, dice)
        try:
            done = _harm(plant, asked.seconds)
            _say(f"seed {seed}, {asked.database}, {asked.seconds:g} s, {_broker_of(plant)}")
            _say("faults: " + ", ".join(f"{name} {count}" for name, count in sorted(done.items())))
            settled = _settle(plant)
            verdict = _judge(plant)
        finally:
            plant.close()
    for finding in [*plant.findings, *settled]:
        _say(f"FOUND: {finding}")
    _say(f"difference {verdict.difference}   {verdict._asdict()}")
    return 1 if verdict.difference or plant.findings or settled else 0


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
    stop = threading.Event()
    nurse = threading.Thread(target=_nurse, args=(plant, stop), name="nurse", daemon=True)
    nurse.start()
    faults = EVERYWHERE
    faults += () if plant.server is None else ON_POSTGRES
    faults += () if plant.spares_broker else TO_THE_BROKER
    done: Counter[str] = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        fault = plant.dice.choice(faults)
        fault(plant)
        done[fault.__name__] += 1
        time.sleep(plant.dice.uniform(0, 1.5))
    stop.set()
    nurse.join(30)
    return done


def _nurse(plant: Plant, stop: threading.Event) -> None:
    """Start again what has died, as `yieldline up` or a container's host does."""
    while not stop.wait(0.2):
        plant.keep_up()


def _settle(plant: Plant) -> list[str]:
    """Let all of it arrive and every program end in good order; return what goes wrong."""
    plant.floor.stop_new()
    plant.agent_floor.stop_new()
    if plant.plc:
        plant.plc.stop_new()
    plant.keep_up()
    wrong: list[str] = []
    try:
        plant.floor.wait_for_receipts(_SETTLE_S)
        lines = plant.agent_floor.line_count
        eventually_sync(lambda: len(query(plant.url, _AGENT_SQL)) >= lines, _SETTLE_S)
        confirmed = plant.plc.confirmed if plant.plc else set()
        eventually_sync(lambda: stored(plant.url).keys() >= confirmed, _SETTLE_S)
    except AssertionError as error:
        wrong.append(f"not all arrived: {error}")
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


def _judge(plant: Plant) -> Verdict:
    """Print the books, and compare with the senders' own lists."""
    floor, lines = plant.floor, plant.agent_floor.line_count
    good = floor.good | (plant.plc.confirmed if plant.plc else set())
    found = stored(plant.url)
    runs: Counter[Key] = Counter({key: n for key, n in found.items() if key[0] != AGENT_MACHINE})
    barcodes = Counter(barcode for (barcode,) in query(plant.url, _AGENT_SQL))
    rejected = {(machine, name) for machine, name in query(plant.url, _REJECTED_SQL)}
    said = books(plant.url)
    wanted = {f"S{number}" for number in range(lines)}
    _say(f"sent {len(good) + len(floor.bad)} and {lines} lines; repeats: {floor.repeat_count}")
    _say(f"stored {said.stored}, rejected {len(rejected)}, duplicates {said.duplicates}")
    return Verdict(
        len(good - runs.keys()) + len(floor.bad - rejected) + len(wanted - barcodes.keys()),
        sum(n - 1 for n in runs.values()) + sum(n - 1 for n in barcodes.values()),
        len(runs.keys() - good) + len(rejected - floor.bad) + len(barcodes.keys() - wanted),
        abs(said.received - said.stored - said.rejected - said.duplicates)
        + abs(said.stored - len(good) - lines),
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
