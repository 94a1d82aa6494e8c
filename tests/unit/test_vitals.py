"""When it is certain that somebody uses our client id, and how long messages wait."""

import pytest

from service.vitals import Backlog, Thefts


def test_once_may_be_a_node_that_died_and_twice_is_certain_if_our_queue_went_with_it() -> None:
    thefts = Thefts()
    assert not thefts.are_certain(0, 1, is_session_gone=True)
    thefts.note(0, 1)
    assert not thefts.are_certain(1, 1, is_session_gone=True)
    thefts.note(30, 1)
    assert not thefts.are_certain(31, 1, is_session_gone=False)
    assert thefts.are_certain(31, 1, is_session_gone=True)
    assert not thefts.are_certain(61, 1, is_session_gone=True)


def test_what_was_long_ago_hides_nothing_of_the_last_minute() -> None:
    thefts = Thefts()
    for at in (0, 100, 110):
        thefts.note(at, 1)
    assert thefts.are_certain(111, 1, is_session_gone=True)
    assert not thefts.are_certain(111, 1, is_session_gone=False)


@pytest.mark.parametrize(("third_at", "are_certain"), [(59, True), (61, False)])
def test_three_times_are_certain_within_a_minute(third_at: float, are_certain: bool) -> None:  # noqa: FBT001
    thefts = Thefts()
    for at in (0, 30, third_at):
        thefts.note(at, 1)
    assert thefts.are_certain(third_at, 1, is_session_gone=False) is are_certain


def test_a_number_that_was_not_ours_in_between_may_have_been_a_twins() -> None:
    thefts = Thefts()
    for at in range(3):
        thefts.note(at, 1)
    assert not thefts.are_certain(3, 2, is_session_gone=True)
    thefts.note(3, 2)
    assert not thefts.are_certain(3, 2, is_session_gone=False)


def test_a_backlog_is_as_old_as_the_first_glance_at_what_is_not_acknowledged() -> None:
    backlog = Backlog()
    assert backlog.age_s(0, 0, now=0.0) == 0.0
    assert backlog.age_s(0, 10, now=2.0) == 0.0  # they came since the last glance
    assert backlog.age_s(4, 6, now=4.0) == 2.0
    assert backlog.age_s(10, 5, now=6.0) == 0.0  # the ten are done; five came since
    assert backlog.age_s(12, 3, now=8.0) == 2.0
    assert backlog.age_s(15, 0, now=10.0) == 0.0


def test_a_backlog_under_steady_traffic_is_no_older_than_what_waits() -> None:
    backlog = Backlog()
    for second in range(100):  # 10 a second, each acknowledged within half a second
        assert backlog.age_s(second * 10, 5, now=float(second)) == 0.0
