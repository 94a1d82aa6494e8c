"""When it is certain that somebody uses our client id, and how crashes make a service careful."""

import pytest

from service.vitals import Thefts


def test_once_is_certain_only_if_our_queue_went_with_it() -> None:
    thefts = Thefts()
    assert not thefts.are_certain(0, 1, is_session_gone=True)
    thefts.note(0, 1)
    assert not thefts.are_certain(1, 1, is_session_gone=False)
    assert thefts.are_certain(1, 1, is_session_gone=True)


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
