"""Who watches the live pages, and who is ready for a frame."""

import pytest

from ui import viewers
from ui.meter import Meter
from ui.viewers import Viewers


def test_a_viewer_gets_one_frame_for_each_that_its_browser_has_painted() -> None:
    meter = Meter()
    watching = Viewers(meter)
    watching.give_credit("a", "floor:", 7)
    assert watching.take_ready(7) == {("floor:", True): ["a"]}
    assert watching.take_ready(8) == {}, "it has not painted that one yet"
    watching.give_credit("a", "floor:", 8)
    assert watching.take_ready(9) == {("floor:", False): ["a"]}, "it missed one: the whole view"
    assert (meter.frames, meter.skipped) == (2, 1)


def test_who_has_painted_nothing_and_a_frame_that_adds_to_none_go_whole() -> None:
    watching = Viewers(Meter())
    watching.give_credit("new", "floor:", -1)
    watching.give_credit("old", "floor:", 7)
    assert watching.take_ready(-1) == {("floor:", False): ["new", "old"]}


def test_viewers_of_one_view_share_a_frame() -> None:
    watching = Viewers(Meter())
    for client_id, view in (("a", "floor:"), ("b", "machine:M1"), ("c", "floor:")):
        watching.give_credit(client_id, view, 1)
    assert watching.take_ready(1) == {("floor:", True): ["a", "c"], ("machine:M1", True): ["b"]}
    assert watching.views == {"floor:", "machine:M1"}


def test_closed_pages_are_forgotten() -> None:
    watching = Viewers(Meter())
    watching.give_credit("a", "floor:", 1)
    watching.give_credit("b", "machine:M1", 1)
    watching.keep_only({"a": object()})
    assert (len(watching), watching.views) == (1, {"floor:"})


def test_there_is_a_bound_and_who_is_in_stays_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewers, "VIEWERS_MAX", 2)
    watching = Viewers(Meter())
    assert [watching.give_credit(each, "floor:", 1) for each in "abca"] == [True, True, False, True]
