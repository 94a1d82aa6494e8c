"""What is repeated when, with a clock of numbers."""

import random

from edge_agent.window import COUNT_MAX, Window


def window(*messages: int, now: float = 0) -> Window:
    made = Window(random.Random(7))
    made.sending(messages)
    made.confirmed(messages, now)
    return made


def repeat(under_way: Window, now: float) -> list[int]:
    due = under_way.due(now)
    under_way.sending(due)
    under_way.confirmed(due, now)
    return due


def test_nothing_is_repeated_before_seven_and_a_half_seconds() -> None:
    under_way = window(1, 2)
    assert under_way.due(7.4) == []
    assert 7.5 <= (under_way.next_due_at() or 0) <= 12.5


def test_while_nothing_is_receipted_only_the_oldest_is_repeated() -> None:
    under_way = window(*range(1, 501))
    assert under_way.room == 0
    assert {tuple(repeat(under_way, now)) for now in range(13, 3000, 5)} == {(1,), ()}


def test_the_waits_double_up_to_a_quarter_of_an_hour() -> None:
    under_way = window(1)
    now, gaps, last = 0.0, [], 0.0
    for _ in range(12):
        now = under_way.next_due_at() or 0
        gaps.append(now - last)
        last = now
        assert repeat(under_way, now) == [1]
    for n, gap in enumerate(gaps):
        low, high = (min(900, factor * 10 * 2**n) for factor in (0.75, 1.25))
        assert low - 1e-6 <= gap <= high + 1e-6


def test_after_a_silence_the_others_get_time_to_be_answered() -> None:
    under_way = window(1, 2, 3)
    assert repeat(under_way, 100) == [1]
    under_way.receipted([1], 101)
    assert under_way.due(101) == []
    assert under_way.due(101 + 12.5) == [2, 3]


def test_what_is_lost_among_receipts_is_repeated() -> None:
    under_way = window(1, 2, 3)
    under_way.receipted([1, 3], 1)
    assert under_way.due(13.6) == [2]


def test_what_the_broker_did_not_confirm_is_sent_again_at_once() -> None:
    under_way = window(1)
    under_way.sending([2, 3])
    under_way.reconnected(5)
    assert under_way.due(5) == [2, 3]


def test_after_a_reconnect_the_waiting_starts_anew() -> None:
    under_way = window(1)
    for now in (20, 60, 120, 240):
        repeat(under_way, now)
    under_way.reconnected(241)
    assert 241 + 7.5 <= (under_way.next_due_at() or 0) <= 241 + 12.5


def test_a_receipt_may_be_quicker_than_the_broker() -> None:
    under_way = Window()
    under_way.sending([1])
    under_way.receipted([1], 1)
    under_way.confirmed([1], 2)
    assert len(under_way) == 0
    assert under_way.room == COUNT_MAX
    assert under_way.next_due_at() is None
