"""The frame of every page: what stands in its head, and the shell that holds its content.

Everything comes from this host: the fonts are those of NiceGUI's package, the icons and styles are
ours. The shell draws the live parts itself, in the browser (ui/components/shell.js).
"""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from nicegui import app, ui

from broker.plant_sections import PlantSettings
from ui.components import Shell
from ui.feed import Feed
from ui.live_pages import caller_facts
from ui.ranges import plant_of, ranges_at

STATIC: Final = Path(__file__).parent / "static"
_URL: Final = "/assets"
_FIRST_STYLES: Final = ("tokens.css", "shell.css", "base.css")
"""What every page stands on; each page's own file comes after them."""

Control: TypeAlias = Literal["line", "range"]

# Set before the first paint, so that a light page never flashes dark. ui/static/live/theme.js does
# the same and goes on from there.
_THEME_SCRIPT: Final = """<script>(() => {
  const known = ["system", "dark", "light"];
  let kept = null;
  try { kept = localStorage.getItem("yieldline.theme"); } catch {}
  const asked = new URLSearchParams(location.search).get("theme");
  const choice = [asked, kept].find((each) => known.includes(each)) ?? "system";
  const dark = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.theme = choice === "system" ? dark : choice;
})();</script>"""


class Crumb(NamedTuple):
    """One step of the way to a page; the last has no address."""

    text: str
    href: str | None = None


def serve_files() -> None:
    """Serve the styles. Once a process, before the first page."""
    app.add_static_files(_URL, STATIC)


@contextlib.contextmanager
def frame(  # noqa: PLR0913 - most pages leave most of them out
    feed: Feed,
    title: str,
    *,
    active: str,
    view: str = "shell",
    crumbs: Sequence[Crumb] = (),
    controls: Sequence[Control] = (),
) -> Iterator[None]:
    """Build the frame around a page's content.

    Args:
        feed: Where the live values come from.
        title: In the top bar and the browser's tab.
        active: The rail's entry that is lit.
        view: What the browser gets frames of.
        crumbs: The way here, outermost first.
        controls: What the top bar offers to choose: the line, the time range.
    """
    plant = feed.state.settings.plant
    dress(title)
    shell = Shell(
        title=title,
        active=active,
        crumbs=[{"text": crumb.text, "href": crumb.href} for crumb in crumbs],
        view=view,
        frame=feed.frame(view),
        zone=plant.time_zone,
        rail=feed.rail,
        controls=list(controls),
        ranges=ranges_at(datetime.now(UTC), plant_of(plant)),
        patterns=scan_patterns(plant),
        lines=sorted({machine.line for machine in feed.model.machines.values()}),
        version=version("yieldline"),
        caller=caller_facts(),
    )
    with shell:
        yield


def scan_patterns(plant: PlantSettings) -> dict[str, Any]:
    """Return what the browser needs to tell scans apart (ui/static/live/scan/patterns.js)."""
    return {
        "prefix": plant.scan_prefix,
        "unit": list(plant.unit_barcodes),
        "golden": list(plant.golden_barcodes),
        "badge": list(plant.badge_barcodes),
    }


def dress(title: str) -> None:
    """Give a page its title, styles and icons; `frame` does it, a page without one calls it."""
    ui.page_title(f"{title} · Yieldline")
    ui.add_head_html(_head())
    ui.add_body_html(_icons())
    ui.query("html").props('lang="en"')
    if caller_facts()["isGuest"]:
        # What that means a page without a frame says by its style.
        ui.query("body").classes("guest")


def _head() -> str:
    links = [
        f'<link rel="stylesheet" href="{_URL}/{name}?{(STATIC / name).stat().st_mtime_ns}">'
        for name in _styles()
    ]
    return _THEME_SCRIPT + "".join(links)


def _styles() -> list[str]:
    return [
        *_FIRST_STYLES,
        *sorted(each.name for each in STATIC.glob("*.css") if each.name not in _FIRST_STYLES),
    ]


def _icons() -> str:
    return (STATIC / "icons.svg").read_text("utf-8")
