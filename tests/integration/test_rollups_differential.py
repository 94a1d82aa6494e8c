"""Random histories: whatever came, came again, came late or went, roll-ups equal a scan."""

import random
from datetime import timedelta
from typing import Any

import orjson
import pytest

from service.core.lookup import Rulebook
from service.rulebook import parse_rulebook
from service.store.queries import old_runs
from service.store.queries.old_runs import OldRuns, count_old_runs, horizon_us, old_portions
from service.store.retention import connect, forget
from service.store.times import microseconds
from tests.support.rollup_scan import assert_rolled_up, scan
from tests.support.stored import NOON, Stored, run_message

RULES = """
[[rule]]
id = "seal"
test_step = "s2"
procedure = "FCT"
comparator = "LOG"
required = true
"""


class History:
    """A plant that goes on from day to day, with everything that can happen to a message."""

    def __init__(self, stored: Stored, seed: int) -> None:
        self.dice = random.Random(seed)
        self.stored = stored
        self.rules = Rulebook(1, parse_rulebook(RULES, "rules.toml"))
        self.now = NOON
        self.sent: list[tuple[Any, str, bool]] = []
        self.number = 0

    def live_a_day(self) -> None:
        for _ in range(6):
            self.now += timedelta(hours=self.dice.choice([1, 3, 8]))
            if self.sent and self.dice.random() < 0.3:
                messages, machine_id, golden = self.dice.choice(self.sent)
                self._send(messages, machine_id, golden=golden)  # again: duplicates
            golden = self.dice.random() < 0.1
            messages = [self._message(golden=golden) for _ in range(self.dice.randint(1, 5))]
            machine_id = f"M{self.dice.randrange(2)}"
            if self.dice.random() < 0.4:
                self._send([orjson.dumps(messages)], machine_id, golden=golden)
            else:
                self._send(messages, machine_id, golden=golden)

    def _message(self, *, golden: bool) -> dict[str, Any]:
        """One run; some start in the same microsecond, some days ago, some before 1970."""
        self.number += 1
        ago = self.dice.choice([0, 0, 0, 0, 1, 30, 24 * 60 * self.dice.randrange(12)])
        if self.dice.random() < 0.03:
            ago += 60 * 24 * 365 * 60
        start = (self.now - NOON) / timedelta(minutes=1) - ago
        steps = [
            {
                "test_step": f"s{self.dice.randrange(3)}",
                "measured_value": self.dice.choice([1e-9, 0.5, 2.0, 1e6, None, "x", True]),
                "unit": self.dice.choice([None, "V", "mV"]),
                **self.dice.choice([{}, {"high": 1.0}]),
            }
            for _ in range(self.dice.randint(1, 4))
        ]
        message = run_message(
            f"{'GOLD' if golden else 'U'}{self.dice.randrange(9)}",
            procedure=self.dice.choice(["ICT", "FCT"]),
            minutes=start,
            steps=steps,
            fixture=self.dice.choice([None, "F1", "F2"]),
            operator=self.dice.choice([None, "ann", "bob"]),
        )
        return message | {"message_id": f"m{self.number}"}

    def _send(self, messages: Any, machine_id: str, *, golden: bool) -> None:  # noqa: ANN401
        self.sent.append((messages, machine_id, golden))
        line = "L1" if machine_id == "M0" else self.dice.choice(["L1", "L2"])
        self.stored.save(
            *messages,
            machine_id=machine_id,
            line=line,
            at=self.now,
            rules=self.rules,
            is_golden=golden,
        )

    def horizon(self, days: int) -> int:
        return horizon_us(microseconds(self.now), days)


def test_roll_ups_are_what_a_scan_gives_whatever_came_and_went(stored: Stored) -> None:
    history = History(stored, 11)
    driver = connect(stored.database)
    forgotten = 0
    for day in range(12):
        history.live_a_day()
        assert_rolled_up(stored.database)
        if day % 3 == 2:
            horizon = history.horizon(3)
            counted = count_old_runs(stored.database, horizon)
            gone = 0
            for portion in old_portions(stored.database, horizon):
                gone += forget(driver, portion, horizon) or 0
                assert_rolled_up(stored.database)
            assert counted.runs == gone
            assert count_old_runs(stored.database, horizon) == OldRuns(0, 0)
            forgotten += gone
    driver.close()
    assert forgotten > 100
    assert len(scan(stored.database).measured_runs) > 20


@pytest.mark.parametrize("seed", range(3))
def test_slots_that_are_too_large_for_a_transaction_go_in_several(
    stored: Stored, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(old_runs, "_RUNS_MAX", 2)
    monkeypatch.setattr(old_runs, "_MEASUREMENTS_MAX", 5)
    history = History(stored, seed)
    for _ in range(5):
        history.live_a_day()
    horizon = history.horizon(2)
    portions = list(old_portions(stored.database, horizon))
    assert any(not portion.slots for portion in portions), "none was cut"
    for portion in portions:
        assert stored.writer.forget(portion, horizon) == len(portion.run_ids)
    assert_rolled_up(stored.database)
