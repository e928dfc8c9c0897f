"""Lines over time as SVG: a few panels below each other, readable in light and dark.

It knows nothing of what it draws. No script, no font, no file beside it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

WIDTH, PANEL, LEFT, RIGHT, TOP, BOTTOM = 880, 170, 64, 176, 28, 24
POINTS_MAX: Final = 400
"""More are thinned out: each point shown is the highest of those it stands for."""
COLOURS: Final = (
    "#2f81f7",
    "#d9730d",
    "#2da44e",
    "#bf3989",
    "#8250df",
    "#9a6700",
    "#57606a",
    "#cf222e",
)
_GRID: Final = "#8c959f"
_TICKS: Final = 4


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines that share an axis.

    Attributes:
        title: what is shown, with its unit.
        lines: name -> values, one for each time.
    """

    title: str
    lines: Mapping[str, Sequence[float]]


def plot(minutes: Sequence[float], panels: Sequence[Panel]) -> str:
    """Draw panels over one axis of time.

    Args:
        minutes: moments, ascending, two at least.
        panels: each line as long as `minutes`.

    Raises:
        ValueError: a line of another length, or fewer than two moments.
    """
    if len(minutes) < 2:
        raise ValueError(f"Expected two moments at least, was {len(minutes)}")
    for panel in panels:
        for name, values in panel.lines.items():
            if len(values) != len(minutes):
                raise ValueError(
                    f"Expected {len(minutes)} values of {name}, was {len(values)}: one a moment"
                )
    height = len(panels) * PANEL
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="system-ui, sans-serif" font-size="11" fill="{_GRID}">'
    )
    parts = [head]
    for number, panel in enumerate(panels):
        parts += _panel(minutes, panel, number * PANEL)
    return "\n".join([*parts, "</svg>", ""])


def nice_step(span: float) -> float:
    """Distance of ticks: 1, 2 or 5 times a power of ten, about `_TICKS` of them.

    >>> nice_step(4.0), nice_step(170.0), nice_step(0.0)
    (1.0, 50.0, 1.0)
    """
    if span <= 0:
        return 1.0
    least = span / _TICKS
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * step for step in (1, 2, 5, 10) if power * step >= least * 0.999)


def _panel(minutes: Sequence[float], panel: Panel, top: int) -> list[str]:
    highest = max((max(values) for values in panel.lines.values()), default=0.0)
    step = nice_step(highest)
    scale = max(step, step * math.ceil(highest / step - 1e-9))
    floor_y, tall = top + PANEL - BOTTOM, PANEL - TOP - BOTTOM
    wide = WIDTH - LEFT - RIGHT
    span = minutes[-1] - minutes[0] or 1.0

    def x_of(minute: float) -> float:
        return LEFT + wide * (minute - minutes[0]) / span

    def y_of(value: float) -> float:
        return floor_y - tall * value / scale

    parts = [f'<text x="{LEFT}" y="{top + 16}" font-weight="600">{escape(panel.title)}</text>']
    for tick in range(round(scale / step) + 1):
        y = y_of(tick * step)
        parts.append(
            f'<path d="M{LEFT} {y:.1f}H{LEFT + wide}" stroke="{_GRID}" stroke-opacity=".3"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick * step:,g}</text>'
        )
    every = nice_step(span)
    for tick in range(math.ceil(minutes[0] / every - 1e-9), int(minutes[-1] / every + 1e-9) + 1):
        x = x_of(tick * every)
        parts.append(
            f'<text x="{x:.1f}" y="{floor_y + 15}" text-anchor="middle">{tick * every:g} min</text>'
        )
    for number, (name, values) in enumerate(panel.lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        shown = _thinned(minutes, values)
        path = "L".join(f"{x_of(minute):.1f} {y_of(value):.1f}" for minute, value in shown)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(
            f'<text x="{LEFT + wide + 10}" y="{top + TOP + 12 + 15 * number}" fill="{colour}">'
            f"{escape(name)}</text>"
        )
    return parts


def _thinned(minutes: Sequence[float], values: Sequence[float]) -> list[tuple[float, float]]:
    """At most POINTS_MAX points; of a group the highest value stays, so that no peak is hidden."""
    size = math.ceil(len(values) / POINTS_MAX)
    groups = range(0, len(values), size)
    return [(minutes[first], max(values[first : first + size])) for first in groups]
