"""What the plant sends: results kept until their receipt, repeats, bad ones, log lines; a PLC's."""

import random
import threading
from pathlib import Path

from tests.support.edge import line
from tests.support.keeper import Keeper, Key, key_of, message
from tests.support.raw_mqtt import Sender

AGENT_MACHINE, PLC_MACHINE = "AGENT-1", "PLC-1"
_PER_TURN = 12
_TURN_S = 0.05
_LINES_PER_TURN = 3


class Floor:
    """Two senders that keep their copies, and now and then send what has long its receipt."""

    def __init__(self, port: int, dice: random.Random) -> None:
        self.good: set[Key] = set()
        self.bad: set[Key] = set()
        """They are to be rejected."""
        self._dice = random.Random(dice.random())
        self.keepers = [Keeper(port, f"keeper-{number}") for number in range(2)]
        self._number = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="floor", daemon=True)
        self._thread.start()

    @property
    def repeat_count(self) -> int:
        """How often anything was sent again."""
        return sum(keeper.sent_count - len(keeper.sent) for keeper in self.keepers)

    def stop_new(self) -> None:
        """Give nothing new; what has no receipt is sent again all the same."""
        self._stop.set()
        self._thread.join(10)

    def wait_for_receipts(self, timeout_s: float) -> None:
        """Wait until every message has its receipt."""
        for keeper in self.keepers:
            keeper.wait_for_receipts(timeout_s)

    def close(self) -> None:
        """End the threads."""
        self.stop_new()
        for keeper in self.keepers:
            keeper.close()

    def _run(self) -> None:
        while not self._stop.wait(_TURN_S):
            for _ in range(_PER_TURN):
                self._give_one()
            keeper = self._dice.choice(self.keepers)
            if receipted := sorted(keeper.receipted):
                keeper.send_again([self._dice.choice(receipted)])

    def _give_one(self) -> None:
        self._number += 1
        machine_id = f"M{self._number % 9}"
        key = (machine_id, f"m-{self._number}")
        is_bad = self._dice.random() < 0.01
        fields = {"barcode": ""} if is_bad else {}
        (self.bad if is_bad else self.good).add(key)
        keeper = self.keepers[self._number % 9 % len(self.keepers)]
        keeper.give(message(self._number, machine_id, **fields))


class Plc:
    """A machine that sends each result once, and forgets it when the broker has confirmed it."""

    def __init__(self, port: int) -> None:
        self.confirmed: set[Key] = set()
        """What is the broker's and ours to keep."""
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="plc", daemon=True)
        self._thread.start()

    def stop_new(self) -> None:
        """Send no more."""
        self._stop.set()
        self._thread.join(30)

    def close(self) -> None:
        """End the thread."""
        self.stop_new()

    def _run(self) -> None:
        with Sender(self._port, "plc") as sender:
            number = 0
            while not self._stop.wait(_TURN_S):
                some = [message(number + each, PLC_MACHINE) for each in range(_PER_TURN)]
                number += len(some)
                sender.send(some)
                self.confirmed.update(map(key_of, some))


class AgentFloor:
    """A log that grows, for the real agent to read."""

    def __init__(self, folder: Path, port: int) -> None:
        folder.mkdir()
        self.folder, self.config = folder, folder / "agent.toml"
        self.config.write_text(
            f"""
[agent]
poll_s = 0.05
[broker]
port = {port}
retry_delay_max_s = 0.5
[[source]]
machine_id = "{AGENT_MACHINE}"
line = "L1"
format = "jsonl"
path = "*.log"
""",
            "utf-8",
        )
        self.line_count = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tester", daemon=True)
        self._thread.start()

    def stop_new(self) -> None:
        """Write no more."""
        self._stop.set()
        self._thread.join(10)

    def close(self) -> None:
        """End the thread."""
        self.stop_new()

    def _run(self) -> None:
        with (self.folder / "a.log").open("ab", buffering=0) as log:
            while not self._stop.wait(_TURN_S):
                for _ in range(_LINES_PER_TURN):
                    log.write(line(self.line_count))
                    self.line_count += 1
