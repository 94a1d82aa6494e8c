"""What a browser may look at live, by name."""

import pytest

from ui.views import floor_view, is_view, line_of, machine_and_step, machine_view


def test_the_floor_and_each_of_its_lines_is_a_view() -> None:
    assert line_of(floor_view()) == ""
    assert line_of(floor_view("L1")) == "L1"
    assert line_of(machine_view("FCT-12")) is None
    assert line_of("shell") is None


def test_a_machines_view_may_name_the_step_of_its_chart() -> None:
    assert machine_and_step(machine_view("FCT-12")) == ("FCT-12", "")
    assert machine_and_step(f"{machine_view('FCT-12')}/vbat/2") == ("FCT-12", "vbat/2")
    assert machine_and_step(floor_view("L1")) == ("", "")


@pytest.mark.parametrize("name", ["", "floors", "machine", "None"])
def test_nothing_else_is_one(name: str) -> None:
    assert not is_view(name)
    assert all(map(is_view, ("shell", floor_view(), floor_view("L1"), machine_view("M"))))
