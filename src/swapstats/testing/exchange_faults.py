"""What goes wrong at a played exchange, and when: by the number of trades played, not by time."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

FaultKind = Literal["abort", "close", "stall", "doubled", "burst", "late", "refuse", "broken"]

FAULT_KINDS: Final[tuple[FaultKind, ...]] = (
    "abort", "close", "stall", "doubled", "burst", "late", "refuse", "broken",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExchangeFault:
    """One thing that goes wrong.

    Kinds, each for the next `span` trades:

    - `abort`: connections are cut without a word, and nobody gets a new one;
    - `close`: the same, with a goodbye;
    - `stall`: connections stay open and bring nothing;
    - `doubled`: every frame comes twice;
    - `burst`: frames are kept back and come all at once, in batches where the exchange has them;
    - `late`: history does not know the newest `span` trades yet;
    - `refuse`: history is refused for too many requests, with a time to come again;
    - `broken`: history answers with an error of the server.

    Attributes:
        kind: what.
        at: number of trades played before.
        span: for how many trades.
        market: the only market it is about (`stall`); empty = all.
    """

    kind: FaultKind
    at: int
    span: int
    market: str = ""


def seeded_faults(
    seed: int, kinds: Sequence[FaultKind], trades: int, count: int, span_max: int
) -> list[ExchangeFault]:
    """Choose faults by a seed, spread over a recording.

    Args:
        seed: the same seed chooses the same.
        kinds: what may happen.
        trades: length of the recording.
        count: how many faults.
        span_max: longest span, in trades.
    """
    chance = random.Random(seed)  # noqa: S311 - a repeatable choice, not a secret
    faults = [
        ExchangeFault(
            chance.choice(kinds),
            chance.randint(1, max(trades - 1, 1)),
            chance.randint(1, span_max),
        )
        for _ in range(count)
    ]
    return sorted(faults, key=lambda fault: fault.at)
