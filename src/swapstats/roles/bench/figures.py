"""Figures a benchmark found: values with units, targets, verdicts, as text and as JSON.

It measures nothing. `machine.py` says where the figures were taken.
"""

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from swapstats.roles.bench.machine import Machine

PASS, MISS, NO_TARGET = "PASS", "MISS", ""
_TALL = 1_000.0


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, lowest and highest of repeated measurements.

    Attributes:
        median: the middle one (the mean of the two middle ones of an even number).
        low: the lowest.
        high: the highest.
    """

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> "Spread":
        """Summarise measurements; raises ValueError if there are none."""
        if not values:
            raise ValueError("Expected at least one measurement, was none")
        return Spread(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that was found.

    Attributes:
        name: what it is.
        value: the number; where it was measured repeatedly, the median.
        unit: of the value and the target.
        target: what it is held against; None = nothing.
        at_least: True if the value should reach the target, False if it must not exceed it.
        low: lowest measurement, None if measured once.
        high: highest measurement, None if measured once.
        note: what else to know; `computed` figures say so here.
    """

    name: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = True
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """PASS, MISS, or nothing where there is no target."""
        if self.target is None:
            return NO_TARGET
        good = self.value >= self.target if self.at_least else self.value <= self.target
        return PASS if good else MISS

    @staticmethod
    def spread(
        name: str,
        values: Sequence[float],
        unit: str,
        target: float | None = None,
        *,
        at_least: bool = True,
        note: str = "",
    ) -> "Figure":
        """Make a figure of repeated measurements: the median is held against the target."""
        found = Spread.of(values)
        return Figure(name, found.median, unit, target, at_least, found.low, found.high, note)

    def row(self) -> str:
        """Write the figure as one row of a Markdown table: name, value, spread, target, note."""
        spread = target = ""
        if self.low is not None and self.high is not None:
            spread = f"{_number(self.low)} to {_number(self.high)}"
        if self.target is not None:
            sign = ">=" if self.at_least else "<="
            target = f"{sign} {_number(self.target)}: {self.verdict}"
        return (
            f"| {self.name} | {_number(self.value)} {self.unit} | {spread} | {target} "
            f"| {self.note} |"
        )

    def line(self) -> str:
        """Write the figure as one line of text."""
        parts = [f"{self.name}: {_number(self.value)} {self.unit}".rstrip()]
        if self.low is not None and self.high is not None:
            parts.append(f"({_number(self.low)} to {_number(self.high)})")
        if self.target is not None:
            sign = ">=" if self.at_least else "<="
            parts.append(f"[target {sign} {_number(self.target)}: {self.verdict}]")
        if self.note:
            parts.append(f"- {self.note}")
        return " ".join(parts)


@dataclass(slots=True)
class Findings:
    """What one benchmark found, where and how.

    Attributes:
        title: name of the benchmark.
        machine: where.
        method: sentences that say what was done.
        figures: what was found, in order.
        day: when, local date.
    """

    title: str
    machine: Machine
    method: list[str] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    day: str = field(default_factory=lambda: time.strftime("%Y-%m-%d"))

    @property
    def missed(self) -> list[Figure]:
        """Figures that miss their target."""
        return [figure for figure in self.figures if figure.verdict == MISS]

    def text(self) -> str:
        """Write everything for people."""
        lines = [f"== {self.title}", self.machine.line(), *self.method, ""]
        return "\n".join([*lines, *(figure.line() for figure in self.figures)])

    def save(self, folder: Path) -> Path:
        """Write everything as JSON to `<folder>/bench-<title>.json`; returns the path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"bench-{self.title.replace(' ', '-')}.json"
        document = {
            "title": self.title,
            "day": self.day,
            "machine": asdict(self.machine),
            "method": self.method,
            "figures": [asdict(figure) | {"verdict": figure.verdict} for figure in self.figures],
        }
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        return path


def load_findings(path: Path) -> Findings:
    """Read back what `Findings.save` wrote."""
    document = json.loads(path.read_text(encoding="utf-8"))
    figures = []
    for row in document["figures"]:
        del row["verdict"]
        figures.append(Figure(**row))
    machine = Machine(**document["machine"])
    return Findings(document["title"], machine, document["method"], figures, document["day"])


def _number(value: float) -> str:
    """Write a number with as many digits as mean something.

    >>> _number(0.4512), _number(12.345), _number(1234567.8), _number(3)
    ('0.451', '12.3', '1,234,568', '3')
    """
    if value == int(value) or abs(value) >= _TALL:
        return f"{value:,.0f}"
    return f"{value:.3g}"
