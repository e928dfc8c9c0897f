"""How long the log keeps records: by age and size, never what a checkpoint still needs."""

from dataclasses import dataclass

from swapstats.errors import SettingsError
from swapstats.model.window import WindowSpec, format_span
from swapstats.ports.swap_log import SwapLog

MARGIN_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Retention:
    """The bounds of the log.

    Attributes:
        age_ms: records older than this are dropped.
        bytes_max: oldest records beyond this size are dropped; 0 = no bound.
    """

    age_ms: int
    bytes_max: int


def shortest_age_ms(spec: WindowSpec, max_ahead_ms: int) -> int:
    """Shortest retention from which all windows can be rebuilt."""
    return spec.widest_ms + max_ahead_ms + MARGIN_MS


def expect_long_enough(retention: Retention, spec: WindowSpec, max_ahead_ms: int) -> None:
    """Refuse a retention from which the windows could not be rebuilt.

    Raises:
        SettingsError: shorter than the widest window + `max_ahead` + 1 h.
    """
    shortest = shortest_age_ms(spec, max_ahead_ms)
    if retention.age_ms < shortest:
        raise SettingsError(
            f"Expected a log retention of at least {format_span(shortest)} (widest window + "
            f"max_ahead + 1h), was {format_span(retention.age_ms)}"
        )


def trim(log: SwapLog, retention: Retention, now_ms: int, safe_offsets: list[int]) -> int:
    """Drop what is too old or too much; returns the number of records dropped."""
    return log.trim(now_ms - retention.age_ms, retention.bytes_max, safe_offsets)
