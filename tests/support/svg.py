"""Drawings as SVG text, legible on a light and on a dark page."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final
from xml.sax.saxutils import escape

_STYLE: Final = """\
  <style>
    svg { font: 13px system-ui, sans-serif; --back: #ffffff; --ink: #1f2328; --soft: #d0d7de;
      --bar: #3572b0; --bad: #c62828; }
    @media (prefers-color-scheme: dark) {
      svg { --back: #0d1117; --ink: #e6edf3; --soft: #3d444d; --bar: #6ea8dc; --bad: #ff7b72; }
    }
    .back { fill: var(--back); }
    text { fill: var(--ink); }
    text.bad { fill: var(--bad); }
    text.head { font-weight: 600; }
    line, polyline { stroke: var(--ink); fill: none; }
    .soft { stroke: var(--soft); }
    .dashed { stroke-dasharray: 5 4; }
    .limit { stroke: var(--bad); stroke-width: 2; }
    .series { stroke: var(--bar); stroke-width: 2; }
    .thick { stroke-width: 5; }
    .bar, .point { fill: var(--bar); }
    .dot { fill: var(--ink); }
    .ring { fill: none; stroke: var(--bad); stroke-width: 2.5; }
  </style>"""


class Drawing:
    """One picture; x to the right, y down, in pixels."""

    def __init__(self, width: int, height: int, title: str) -> None:
        size = f'width="{width}" height="{height}"'
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"  <title>{escape(title)}</title>",
            _STYLE,
            f'  <rect class="back" {size}/>',
        ]
        self.text(16, 24, title, style="head")

    def text(
        self, x: float, y: float, words: str, *, anchor: str = "start", style: str = ""
    ) -> None:
        """Write words on the line y: from x, around it (`middle`), or up to it (`end`)."""
        kind = f' class="{style}"' if style else ""
        self._parts.append(
            f'  <text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def line(self, x: Sequence[float], y: Sequence[float], style: str = "soft") -> None:
        """Draw a line through two points or more."""
        places = " ".join(f"{one:.1f},{other:.1f}" for one, other in zip(x, y, strict=True))
        self._parts.append(f'  <polyline class="{style}" points="{places}"/>')

    def bar(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        """Fill the rectangle between two x and two y, the lower first."""
        self._parts.append(
            f'  <rect class="bar" x="{x[0]:.1f}" y="{y[0]:.1f}" width="{x[1] - x[0]:.1f}"'
            f' height="{y[1] - y[0]:.1f}"/>'
        )

    def circles(
        self, places: Iterable[tuple[float, float]], radius: float = 4, style: str = "point"
    ) -> None:
        """Draw a circle around each place."""
        self._parts += [
            f'  <circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>'
            for x, y in places
        ]

    def render(self) -> str:
        """Return the file's text."""
        return "\n".join([*self._parts, "</svg>"]) + "\n"


def scale(values: tuple[float, float], pixels: tuple[float, float]) -> Callable[[float], float]:
    """Return what turns a value into its place: a straight line through both pairs."""
    first, last = values
    start, end = pixels
    return lambda value: start + (value - first) / (last - first) * (end - start)
