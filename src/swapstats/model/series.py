"""The last buckets of one token: what a plot is drawn from."""

from dataclasses import dataclass

from swapstats.model.stats import WindowStats


@dataclass(frozen=True, slots=True)
class SeriesAnswer:
    """Buckets of one token.

    Attributes:
        as_of_ms: T the buckets hold for.
        end_ms: end (exclusive) of the newest bucket.
        step_ms: bucket width.
        points: (bucket start in ms, statistics), oldest first; empty buckets are left out.
    """

    as_of_ms: int
    end_ms: int
    step_ms: int
    points: list[tuple[int, WindowStats]]
