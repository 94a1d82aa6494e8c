"""Long work beside work that is in a hurry."""

import pytest

from service.store import turns
from service.store.turns import in_turns


class _Clock:
    """A time that passes only in work and in rests."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        self.rests = 0
        monkeypatch.setattr(turns.time, "perf_counter", lambda: self.now_s)
        monkeypatch.setattr(turns.time, "sleep", self._rest)

    def _rest(self, seconds: float) -> None:
        self.now_s += seconds
        self.rests += 1


def test_long_work_rests_after_each_turn_and_misses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, done = _Clock(monkeypatch), []
    for item in in_turns(range(10)):
        clock.now_s += 0.0002  # three are more than a turn
        done.append(item)
    assert done == list(range(10))
    assert clock.rests == 3


def test_short_work_goes_without_a_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock(monkeypatch)
    assert list(in_turns("AB")) == ["A", "B"]
    assert clock.rests == 0
