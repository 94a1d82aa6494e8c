"""When a file is looked at again, and what its end means."""

import pytest

from edge_agent.looks import COLD_A_ROUND, FOLLOWED_S, Ending, Key, Moment, Seen, ending_of, in_turn
from edge_agent.tail import Signature

SEEN = Seen("a.log", "*.log", Signature(10, 1, "1:1"), since=0, tried=Ending.OPEN, has_rest=False)
MOMENT = Moment(quiet_s=0, age_s=0, is_final=False, is_zipped=False)


@pytest.mark.parametrize(
    ("moment", "ending"),
    [
        (MOMENT, Ending.OPEN),
        (MOMENT._replace(quiet_s=9.9, age_s=99), Ending.OPEN),
        (MOMENT._replace(quiet_s=10), Ending.QUIET),
        (MOMENT._replace(quiet_s=FOLLOWED_S - 1, age_s=80_000), Ending.QUIET),
        (MOMENT._replace(quiet_s=FOLLOWED_S), Ending.SILENT),
        (MOMENT._replace(quiet_s=10, age_s=86_400), Ending.SILENT),
        (MOMENT._replace(quiet_s=9, age_s=86_400), Ending.OPEN),
        (MOMENT._replace(is_final=True), Ending.FINAL),
        (MOMENT._replace(is_zipped=True, quiet_s=9.9, age_s=9.9), Ending.OPEN),
        (MOMENT._replace(is_zipped=True, quiet_s=10), Ending.FINAL),
        (MOMENT._replace(is_zipped=True, age_s=10), Ending.FINAL),
    ],
)
def test_silence_says_what_an_end_is(moment: Moment, ending: Ending) -> None:
    assert ending_of(moment, 10, None, None) is ending
    assert ending_of(moment, 10, SEEN, None) is ending


@pytest.mark.parametrize(
    ("successor_id", "successor_size", "quiet_s", "ending"),
    [
        (2, 1, 10, Ending.FINAL),
        (2, 1, 9, Ending.OPEN),
        (2, 0, 10, Ending.QUIET),
        (1, 1, 10, Ending.QUIET),
        (2, 0, FOLLOWED_S, Ending.FINAL),
    ],
    ids=["written on", "not quiet", "not written yet", "it is itself", "silent for an hour"],
)
def test_a_renamed_log_ends_when_its_writer_went_on_in_another(
    successor_id: int, successor_size: int, quiet_s: float, ending: Ending
) -> None:
    renamed = SEEN._replace(file_id=1, was_at="a.log")
    other = SEEN._replace(file_id=successor_id, signature=Signature(successor_size, 1, "1:2"))
    assert ending_of(MOMENT._replace(quiet_s=quiet_s), 10, renamed, other) is ending


@pytest.mark.parametrize(
    ("seen", "ending", "expected"),
    [
        (SEEN, Ending.FINAL, True),
        (SEEN._replace(has_rest=True), Ending.OPEN, True),
        (SEEN._replace(has_rest=True), Ending.QUIET, False),
        (SEEN._replace(has_rest=True, tried=Ending.QUIET), Ending.QUIET, True),
        (SEEN._replace(has_rest=True, tried=Ending.QUIET), Ending.SILENT, False),
        (SEEN._replace(has_rest=True, tried=Ending.SILENT), Ending.QUIET, True),
        (SEEN._replace(has_rest=True, tried=Ending.SILENT), Ending.FINAL, False),
        (SEEN._replace(tried=None), Ending.OPEN, False),
        (SEEN._replace(tried=None, is_damaged=True), Ending.FINAL, True),
    ],
)
def test_a_look_that_can_find_nothing_is_not_taken(
    seen: Seen, ending: Ending, *, expected: bool
) -> None:
    assert seen.has_nothing_new(ending) is expected


def test_of_old_files_some_are_looked_at_in_turn_and_of_others_all() -> None:
    keys: list[Key] = [("M1", f"{number}") for number in range(3 * COLD_A_ROUND)]
    seen = dict.fromkeys(keys, SEEN)
    hot, new = keys[7], ("M1", "new")
    seen[hot] = SEEN._replace(since=9_000)
    rounds = [in_turn([*keys, new], seen, number, now=9_001) for number in range(4)]
    assert all({hot, new} <= set(each) for each in rounds)
    assert all(len(each) <= COLD_A_ROUND + 2 for each in rounds)
    assert set().union(*rounds) == {*keys, new}
    assert in_turn(keys[:COLD_A_ROUND], seen, 1, now=9_001) == keys[:COLD_A_ROUND]


def test_a_share_that_comes_back_as_another_device_changes_no_file() -> None:
    seen = Signature(10, 1, "7:99")
    assert Signature(10, 1, "8:99").is_unchanged(seen)
    for other in (Signature(11, 1, "7:99"), Signature(10, 2, "7:99"), Signature(10, 1, "7:98")):
        assert not other.is_unchanged(seen)
    assert not seen.is_unchanged(None)
