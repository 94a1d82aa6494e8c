"""What the plant sends: results kept until their receipt, repeats, bad ones, log lines; a PLC's."""

import contextlib
import random
import threading
from io import RawIOBase
from pathlib import Path

from tests.support.edge import line
from tests.support.keeper import Keeper, Key, key_of, message
from tests.support.raw_mqtt import Sender

AGENT_MACHINE, PLC_MACHINE = "AGENT-1", "PLC-1"
_PER_TURN = 12
_TURN_S = 0.05
_LINES_PER_TURN = 3
_LITTER = (b"this line is no record\n", line(0, attributes={"pad": "x" * 1_200_000}))
"""What an agent refuses: not understood, and larger than a message may be."""


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
    """A machine that forgets a result when the broker has confirmed it, as QoS 1 lets it."""

    def __init__(self, port: int) -> None:
        self.confirmed: set[Key] = set()
        """What is the broker's and ours to keep."""
        self._port = port
        self._number = 0
        self._waiting: list[tuple[str, bytes]] = []
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
        while self._waiting or not self._stop.wait(_TURN_S):
            with contextlib.suppress(OSError), Sender(self._port, "plc") as sender:
                self._send_on(sender)

    def _send_on(self, sender: Sender) -> None:
        """Send until told to stop; what has no PUBACK goes first, as on any new connection."""
        while self._waiting or not self._stop.wait(_TURN_S):
            if not self._waiting:
                numbers = range(self._number, self._number + _PER_TURN)
                self._waiting = [message(number, PLC_MACHINE) for number in numbers]
                self._number += _PER_TURN
            sender.send(self._waiting)
            self.confirmed.update(map(key_of, self._waiting))
            self._waiting = []


class AgentFloor:
    """A log that grows, with litter in it, and is rotated, for the real agent to read.

    Args:
        folder: For the log and the agent's settings.
        port: Of the broker.
        spool: Where the agent keeps what has no receipt.
        dice: Decides where there is litter.
    """

    def __init__(self, folder: Path, port: int, spool: Path, dice: random.Random) -> None:
        folder.mkdir()
        self.folder, self.config = folder, folder / "agent.toml"
        self.config.write_text(
            f"""
[agent]
poll_s = 0.05
spool_file = "{spool}"
[broker]
port = {port}
retry_delay_max_s = 0.5
[[source]]
machine_id = "{AGENT_MACHINE}"
line = "L1"
format = "jsonl"
path = "*.log*"
""",
            "utf-8",
        )
        self.line_count = self.litter_count = 0
        self.spool = spool
        self._dice = random.Random(dice.random())
        self._rotations = 0
        self._lock = threading.Lock()
        self._log = self._begin()
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
        self._log.close()

    def rotate(self) -> None:
        """Give the log another name and begin a new one, as logrotate does with `create`."""
        with self._lock:
            self._log.close()
            self._rotations += 1
            path = self.folder / "a.log"
            path.rename(f"{path}.{self._rotations}")
            self._log = self._begin()

    def _begin(self) -> RawIOBase:
        return (self.folder / "a.log").open("ab", buffering=0)

    def _run(self) -> None:
        while not self._stop.wait(_TURN_S):
            with self._lock:
                for _ in range(_LINES_PER_TURN):
                    self._log.write(line(self.line_count))
                    self.line_count += 1
                if (number := self._dice.random()) < 0.02:
                    self._log.write(_LITTER[number < 0.002])
                    self.litter_count += 1
