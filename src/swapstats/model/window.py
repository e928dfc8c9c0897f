"""What a window is: a step and a list of widths, and the few rules that follow from them.

At time T: `end = floor(T / step) * step + step`, and the window of width W covers
`end - W <= event_time < end`:

    ... |------|------|------|--T---|        one bucket = one step
        ^ end - W                   ^ end
"""

from dataclasses import dataclass

from swapstats.errors import SettingsError

HELD_STEPS_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """Step and window widths, all in milliseconds.

    Args:
        step_ms: bucket width.
        widths_ms: window widths, each a multiple of `step_ms`, in the order they are served.

    Raises:
        SettingsError: a width is not a positive multiple of the step, or is given twice.
    """

    step_ms: int
    widths_ms: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.step_ms <= 0:
            raise SettingsError(f"Expected a positive bucket step, was {self.step_ms} ms")
        if not self.widths_ms:
            raise SettingsError("Expected at least one window, was an empty list")
        if len(set(self.widths_ms)) != len(self.widths_ms):
            raise SettingsError(f"Expected each window once, was {self.names}")
        for width_ms in self.widths_ms:
            if width_ms <= 0 or width_ms % self.step_ms:
                raise SettingsError(
                    f"Expected windows that are multiples of the bucket step "
                    f"({format_span(self.step_ms)}), was {format_span(width_ms)}"
                )
            if width_ms // self.step_ms > HELD_STEPS_MAX:
                raise SettingsError(
                    f"Expected at most {HELD_STEPS_MAX} steps a window, was "
                    f"{width_ms // self.step_ms}: take a wider bucket step"
                )

    @property
    def widest_ms(self) -> int:
        """Width of the widest window in milliseconds."""
        return max(self.widths_ms)

    @property
    def names(self) -> tuple[str, ...]:
        """Window names as people write them, such as `5m`, in served order."""
        return tuple(format_span(width_ms) for width_ms in self.widths_ms)

    def end_ms(self, t_ms: int) -> int:
        """End (exclusive) of every window at time `t_ms`."""
        return t_ms // self.step_ms * self.step_ms + self.step_ms


def format_span(span_ms: int) -> str:
    """Write a span in the largest unit that divides it.

    >>> format_span(300_000), format_span(86_400_000), format_span(1_500)
    ('5m', '24h', '1500ms')
    """
    for unit, unit_ms in (("h", 3_600_000), ("m", 60_000), ("s", 1_000)):
        if span_ms and span_ms % unit_ms == 0:
            return f"{span_ms // unit_ms}{unit}"
    return f"{span_ms}ms"


def parse_span(text: str) -> int:
    """Read a span such as `5m`, `24h`, `90s`, `250ms`, `1h30m` or `7d` into milliseconds.

    Raises:
        SettingsError: the text is not a span.

    >>> parse_span("1h30m"), parse_span("250ms")
    (5400000, 250)
    """
    units = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
    rest = text.strip().lower()
    total = 0
    while rest:
        digits = 0
        while digits < len(rest) and rest[digits].isascii() and rest[digits].isdigit():
            digits += 1
        letters = digits
        while letters < len(rest) and rest[letters].isalpha():
            letters += 1
        if not 0 < digits <= 18 or rest[digits:letters] not in units:
            break
        total += int(rest[:digits]) * units[rest[digits:letters]]
        rest = rest[letters:]
    if rest or not text.strip():
        raise SettingsError(f"Expected a span such as 5m, 24h, 90s or 250ms, was {text!r}")
    return total
