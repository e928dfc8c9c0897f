"""Two ways measured in turns, A B A B ..., so that a machine that slows down slows both."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Leg:
    """One timed run.

    Attributes:
        messages: how many were worked through.
        wall_s: elapsed seconds.
        cpu_s: seconds of processor time of all threads of the process.
    """

    messages: int
    wall_s: float
    cpu_s: float

    @property
    def rate(self) -> float:
        """Messages a second of elapsed time."""
        return self.messages / self.wall_s

    @property
    def cpu_rate(self) -> float:
        """Messages a second of processor time: what it would be without other processes."""
        return self.messages / self.cpu_s


@dataclass(frozen=True, slots=True)
class Pair:
    """A floor leg and the full leg right after it, over the same messages."""

    floor: Leg
    full: Leg

    @property
    def ratio(self) -> float:
        """Full rate over floor rate, elapsed time."""
        return self.full.rate / self.floor.rate

    @property
    def cpu_ratio(self) -> float:
        """The same by processor time."""
        return self.full.cpu_rate / self.floor.cpu_rate


def timed(work: Callable[[], int]) -> Leg:
    """Run work that returns how many messages it took, and time it."""
    cpu = time.process_time()
    wall = time.perf_counter()
    messages = work()
    return Leg(messages, time.perf_counter() - wall, time.process_time() - cpu)


def alternate(
    works: Iterable[tuple[Callable[[], int], Callable[[], int]]],
    on_pair: Callable[[Pair], None],
) -> list[Pair]:
    """Run (floor, full) works in turns.

    Args:
        works: one tuple a pair; made lazily, outside of the timed parts.
        on_pair: called after each pair.
    """
    pairs = []
    for floor, full in works:
        pair = Pair(timed(floor), timed(full))
        pairs.append(pair)
        on_pair(pair)
    return pairs
