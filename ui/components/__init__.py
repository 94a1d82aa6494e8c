"""Vue components that render what the server sends: one a page, and the shell around them.

Live pages take values and never fetch; history pages ask the HTTP API (ui/static/live/api.js). The
JavaScript they share is in ui/static/live.
"""

from pathlib import Path
from typing import Any, Final

from nicegui.element import Element
from nicegui.elements import aggrid, echart

_LIVE: Final = {"yieldline": str(Path(__file__).parents[1] / "static" / "live")}
_RULES: Final = {"yieldline-rules": str(Path(__file__).parents[1] / "static" / "rules")}
_ANALYTICS: Final = {"yieldline-analytics": str(Path(__file__).parents[1] / "static" / "analytics")}
_ALERTS: Final = {"yieldline-alerts": str(Path(__file__).parents[1] / "static" / "alerts")}
_REJECTS: Final = {"yieldline-rejects": str(Path(__file__).parents[1] / "static" / "rejects")}
_UNIT: Final = {"yieldline-unit": str(Path(__file__).parents[1] / "static" / "unit")}
_SYSTEM: Final = {"yieldline-system": str(Path(__file__).parents[1] / "static" / "system")}
_MACHINE: Final = {"yieldline-machine": str(Path(__file__).parents[1] / "static" / "machine")}
_FLOOR: Final = {"yieldline-floor": str(Path(__file__).parents[1] / "static" / "floor")}
_WALL: Final = {"yieldline-wall": str(Path(__file__).parents[1] / "static" / "wall")}
BUNDLED: Final = (aggrid, echart)
"""Importing them puts `nicegui-aggrid` and `nicegui-echart` in every page's import map; a browser
loads one when a component imports it, from this host."""


class _Component(Element):
    """An element whose properties are set once, when the page is built."""

    def __init__(self, **properties: Any) -> None:  # noqa: ANN401 - whatever JSON knows
        super().__init__()
        self._props.update(properties)


class Shell(_Component, component="shell.js", esm=_LIVE):
    """Rail, top bar and status line; its slot is the page."""


class Floor(_Component, component="floor.js", esm=_FLOOR):
    """The floor, from the frames of view `floor`."""


class MachinePage(_Component, component="machine.js", esm={**_ANALYTICS, **_MACHINE}):
    """One machine: live from the frames of its own view, its past from the HTTP API."""


class MachineKiosk(_Component, component="kiosk.js", esm={**_LIVE, **_ANALYTICS, **_MACHINE}):
    """One machine's last verdict alone, to be read from three metres."""


class UnitPage(_Component, component="unit.js", esm={**_ANALYTICS, **_UNIT}):
    """One unit's life and one of its runs."""


class UnitSearch(_Component, component="units.js"):
    """A barcode that is not known, or none yet: what is near."""


class ResultsPage(_Component, component="results.js"):
    """Exactly the runs that the filters choose."""


class AnalyticsPage(_Component, component="analytics.js", esm=_ANALYTICS):
    """Why did yield fall, and since when?"""


class RulesPage(_Component, component="rules.js", esm=_RULES):
    """Versions of the rulebook, and a draft on its way into force."""


class AlertsPage(_Component, component="alerts.js", esm=_ALERTS):
    """What rings, and what people do about it."""


class RejectsPage(_Component, component="rejects.js", esm=_REJECTS):
    """What was not understood, and sending it again."""


class SystemPage(_Component, component="system.js", esm=_SYSTEM):
    """Do the books balance, and is everything up?"""


class Wall(_Component, component="wall.js", esm={**_LIVE, **_WALL}):
    """One line, or all of them, for a screen on the wall; from the frames of view `floor`."""


class Sentence(_Component, component="sentence.js"):
    """Nothing to show: why, and what to do."""
