"""A sender that keeps each message until its receipt, as the agent does; and the judge of it.

Standard library and raw MQTT: it shares nothing with the programs it judges. What became of the
messages is read with plain SQL, past all queries of ours.
"""

import contextlib
import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

import psycopg

from tests.support.raw_mqtt import Heard, Listener, Sender
from tests.support.waiting import eventually_sync

Key = tuple[str, str]
"""(machine_id, message_id)"""
_REPEAT_S = 1.0
_WINDOW = 500
_TURN_S = 0.02
ANSWERS = ("factory/v1/+/+/result", "factory/v1/+/+/receipt", "factory/v1/+/+/rejected")


def message(number: int, machine_id: str | None = None, **fields: Any) -> tuple[str, bytes]:  # noqa: ANN401
    """Return topic and payload of one flat result; every third machine's fail."""
    body = {
        "barcode": f"SN-{number:06}",
        "product_id": "PROD-A",
        "test_step": "voltage_test",
        "measured_value": 70 + number % 300 / 10,
        "low": 80.0,
        "timestamp": datetime.now(UTC).isoformat(),
        "message_id": f"m-{number}",
        **fields,
    }
    machine_id = machine_id or f"M{number % 9}"
    return f"factory/v1/L1/{machine_id}/test", json.dumps(body).encode()


def key_of(sent: tuple[str, bytes]) -> Key:
    """Return whose message it is, and its id."""
    topic, payload = sent
    return topic.split("/")[-2], json.loads(payload)["message_id"]


class Keeper:
    """Sends from a thread of its own, and again whatever has no receipt, until `close`.

    Args:
        port: Of the broker, or of a proxy in front of it.
        name: Part of its client ids.
        per_second: How many new messages at most.
    """

    def __init__(self, port: int, name: str = "keeper", per_second: float = 500) -> None:
        self.sent: dict[Key, tuple[str, bytes]] = {}
        """Its own list: all that it was given."""
        self.heard: list[Heard] = []
        """Answers, in order of arrival, over all connections."""
        self.sent_count = 0
        """How often anything was published, repeats among it."""
        self._port, self._name, self._per_second = port, name, per_second
        self._waiting: list[Key] = []
        self._tried_at: dict[Key, float] = {}
        self._receipted: set[Key] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def give(self, *messages: tuple[str, bytes]) -> None:
        """Take messages to be delivered, each with a `message_id` of its own."""
        with self._lock:
            for each in messages:
                self.sent[key_of(each)] = each
                self._waiting.append(key_of(each))

    def send_again(self, keys: Iterable[Key]) -> None:
        """Send what may long have its receipt once more: a duplicate."""
        with self._lock:
            self._receipted.difference_update(keys := list(keys))
            self._waiting += keys

    @property
    def receipted(self) -> set[Key]:
        """What has its receipt."""
        with self._lock:
            return set(self._receipted)

    def wait_for_receipts(self, timeout_s: float = 30, count: int | None = None) -> None:
        """Wait until so many messages have their receipt; None: all of them."""
        eventually_sync(
            lambda: len(self.receipted) >= (len(self.sent) if count is None else count),
            timeout_s,
            saw=lambda: f"{len(self.receipted)} receipts of {len(self.sent)}",
        )

    def bodies(self, channel: str) -> list[dict[str, Any]]:
        """Return what was said on a channel."""
        return [json.loads(each.payload) for each in list(self.heard) if each.channel == channel]

    def close(self) -> None:
        """End the thread; what has no receipt is not sent any more."""
        self._stop.set()
        self._thread.join(15)
        assert not self._thread.is_alive(), "the sender hangs"

    # -- in the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        life = 0
        while not self._stop.is_set():
            life += 1
            with contextlib.suppress(OSError, AssertionError):
                self._one_connection(life)
            self._stop.wait(0.2)

    def _one_connection(self, life: int) -> None:
        with (
            Listener(self._port, f"{self._name}-ear-{life}", *ANSWERS) as ear,
            Sender(self._port, f"{self._name}-{life}", timeout_s=3) as sender,
        ):
            taken = 0
            self._tried_at.clear()  # what was under way is lost with the connection
            while not self._stop.is_set():
                new = ear.heard[taken:]
                taken += len(new)
                self._hear(new)
                assert ear.is_connected, "the broker closed the listener's connection"
                sender.send(self._due(), window=_WINDOW)
                self._stop.wait(_TURN_S)

    def _hear(self, new: list[Heard]) -> None:
        self.heard += new
        with self._lock:
            for each in new:
                if each.channel == "receipt":
                    machine_id = each.topic.split("/")[-2]
                    ids = json.loads(each.payload)["message_ids"]
                    mine = {(machine_id, one) for one in ids} & self.sent.keys()
                    self._receipted |= mine

    def _due(self) -> list[tuple[str, bytes]]:
        """Return what is new, at the pace, and what has waited too long for its receipt."""
        now = time.monotonic()
        with self._lock:
            new_max = max(1, int(self._per_second * _TURN_S))
            open_ones = [each for each in self._waiting if each not in self._receipted]
            self._waiting = open_ones
            new = [each for each in open_ones if each not in self._tried_at][:new_max]
            late = [each for each in open_ones if now - self._tried_at.get(each, now) > _REPEAT_S]
            due = [*new, *late][:_WINDOW]
            self._tried_at |= dict.fromkeys(due, now)
            self.sent_count += len(due)
            return [self.sent[each] for each in due]


class Books(NamedTuple):
    """What the database says became of a sender's messages."""

    received: int
    stored: int
    rejected: int
    duplicates: int


def query(database_url: str, sql: str) -> list[tuple[Any, ...]]:
    """Read past all code of ours."""
    if database_url.startswith("sqlite"):
        path = database_url.removeprefix("sqlite:///")
        with contextlib.closing(sqlite3.connect(path, timeout=10)) as connection:
            return connection.execute(sql).fetchall()
    with psycopg.connect(database_url) as session:
        return session.execute(sql.encode()).fetchall()


def stored(database_url: str) -> Counter[Key]:
    """Return how often each message is stored."""
    rows = query(
        database_url, "SELECT n.text, r.message_id FROM run r JOIN name n ON n.id = r.machine"
    )
    return Counter((machine_id, message_id) for machine_id, message_id in rows)


def books(database_url: str) -> Books:
    """Return the books of all machines together."""
    sums = ", ".join(f"coalesce(sum({name}), 0)" for name in Books._fields)
    (row,) = query(database_url, f"SELECT {sums} FROM machine")
    return Books(*map(int, row))


def assert_all_once(database_url: str, sent: Mapping[Key, object] | set[Key]) -> Books:
    """Assert that all of `sent` and nothing else is stored, once, and that the counts say so."""
    found = stored(database_url)
    missing, foreign = set(sent) - found.keys(), found.keys() - set(sent)
    doubled = {key: count for key, count in found.items() if count > 1}
    assert (missing, foreign, doubled) == (set(), set(), {})
    said = books(database_url)
    assert said.stored == len(sent)
    assert said.received == said.stored + said.rejected + said.duplicates
    hours = "SELECT sum(passed + failed + errors + unjudged) FROM run_hour"
    assert query(database_url, hours) == [(len(sent),)]
    return said


def until(predicate: Callable[[], object], timeout_s: float = 20) -> None:
    """Wait for a fact of the database, which may be away meanwhile."""

    def true() -> bool:
        with contextlib.suppress(psycopg.Error, sqlite3.Error):
            return bool(predicate())
        return False

    eventually_sync(true, timeout_s)
