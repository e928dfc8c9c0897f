"""What can be wrong with a provider of JSON-RPC, chosen by a seed or told by a script."""

from collections import Counter, deque
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

Fault = Literal["limit", "too_many", "unavailable", "hang", "drop", "cut", "garbage", "orphan"]
"""
limit: an error of JSON-RPC, -32005, although there was an answer.
too_many: HTTP 429.
unavailable: HTTP 5xx.
hang: no answer for a long time, then the connection ends.
drop: the connection ends before an answer.
cut: it ends in the middle of one.
garbage: an answer that is no JSON-RPC, as a gateway gives.
orphan: the answer of a branch that has left the canonical chain, where one is remembered.
"""
OF_REQUEST: Final[tuple[Fault, ...]] = (
    "too_many",
    "unavailable",
    "hang",
    "drop",
    "cut",
    "garbage",
)
"""Faults of a whole request; the others are of one call in it."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One state of a provider.

    Attributes:
        lag_blocks: how far it is behind its node: it knows of nothing later.
        shares: how likely each fault is, for each request or call.
        results_max: more logs than this in one answer are an error; None = no limit.
        range_blocks_max: more blocks than this in one range of logs are an error; None = no limit.
        batch_max: more calls than this in one request are an error; None = no limit.
        chain_id: what it says its chain is; None = the truth.
        forgets_orphans: as anvil does: blocks that left are unknown to it. Else it answers for
            them by their hash, as geth does.
    """

    lag_blocks: int = 0
    shares: tuple[tuple[Fault, float], ...] = ()
    results_max: int | None = None
    range_blocks_max: int | None = None
    batch_max: int | None = None
    chain_id: int | None = None
    forgets_orphans: bool = False


HONEST: Final = Provider()


class FaultPlan:
    """Decides which call meets which fault.

    Args:
        seed: of what is left to chance.

    Attributes:
        provider: present state; put another in its place at any time.
        counts: faults that happened, by kind.
    """

    def __init__(self, seed: int) -> None:
        self.provider = HONEST
        self.counts: Counter[str] = Counter()
        self._random = Random(seed)  # noqa: S311 - not for secrets
        self._script: deque[tuple[str, Fault]] = deque()

    def script(self, method: str, fault: Fault, times: int = 1) -> None:
        """Let the next calls of a method meet a fault, before anything is left to chance."""
        self._script.extend([(method, fault)] * times)

    def of_request(self, methods: list[str]) -> Fault | None:
        """Decide for a request with calls of these methods."""
        return self._decide(methods, OF_REQUEST)

    def of_call(self, method: str) -> Fault | None:
        """Decide for one call."""
        return self._decide([method], ("limit", "orphan"))

    def _decide(self, methods: list[str], kinds: tuple[Fault, ...]) -> Fault | None:
        for entry in self._script:
            method, fault = entry
            if method in methods and fault in kinds:
                self._script.remove(entry)
                return fault
        luck = self._random.random()
        for fault, share in self.provider.shares:
            if fault in kinds:
                if luck < share:
                    return fault
                luck -= share
        return None
