"""The entries of the rail."""

from pathlib import Path

from ui import navigation
from ui.navigation import Entry, rail

STATIC = Path(navigation.__file__).parent / "static"
ENTRIES = [each for each in vars(navigation).values() if isinstance(each, Entry)]


def test_every_entry_has_a_place_of_its_own_and_an_icon() -> None:
    icons = (STATIC / "icons.svg").read_text("utf-8")
    assert sorted(each.place for each in ENTRIES) == list(range(1, len(ENTRIES) + 1))
    assert [each.icon for each in ENTRIES if f'id="i-{each.icon}"' not in icons] == []


def test_the_rail_shows_what_is_registered_by_place() -> None:
    shown = rail([navigation.API, navigation.UNITS, navigation.FLOOR])
    assert [each["word"] for each in shown] == ["Floor", "Units", "API"]
    assert shown[0]["href"] == "/"
