"""What a browser may look at live, by name: the floor, a line, a machine. Pure: no I/O."""

from typing import Final

SHELL: Final = "shell"
"""The status line alone, which every other view has, too."""
FLOOR: Final = "floor"
_OF_LINE: Final = f"{FLOOR}/"
_OF_MACHINE: Final = "machine:"


def floor_view(line: str = "") -> str:
    """Return the name of the floor's view: `floor`, or `floor/L1` for who looks at one line."""
    return f"{_OF_LINE}{line}" if line else FLOOR


def machine_view(machine_id: str) -> str:
    """Return the name of a machine's view."""
    return f"{_OF_MACHINE}{machine_id}"


def is_view(name: str) -> bool:
    """Tell whether there is such a view; what it is of need not exist."""
    return name in {SHELL, FLOOR} or name.startswith((_OF_LINE, _OF_MACHINE))


def line_of(view: str) -> str | None:
    """Return the line that a floor's view is of, '' is the plant; None: it is none of the floor."""
    if view == FLOOR:
        return ""
    return view.removeprefix(_OF_LINE) if view.startswith(_OF_LINE) else None


def machine_and_step(view: str) -> tuple[str, str]:
    """Return what a machine's view, such as `machine:FCT-12/vbat`, is of; empty: it is of none.

    The step is what the page's live chart shows. A machine_id has no slash.
    """
    if not view.startswith(_OF_MACHINE):
        return "", ""
    machine_id, _, step = view.removeprefix(_OF_MACHINE).partition("/")
    return machine_id, step
