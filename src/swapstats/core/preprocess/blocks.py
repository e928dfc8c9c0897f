"""Blocks of one chain that can still change: which events they hold, and what was answered in them.

An event of a block is there as long as its highest inclusion is above its highest removal: however
often and in whatever order messages repeat, the state is the same.
"""

from bisect import insort
from typing import Any, Final

import msgspec

from swapstats.core.preprocess.limits import CLOCK_SLACK_MS
from swapstats.core.preprocess.refusal import Refusal
from swapstats.core.preprocess.rules import PriceRules
from swapstats.model.raw_event import PoolSwap


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What one whole token was worth as of a block.

    Attributes:
        price: USD, PRICE_PLACES places.
        depth: what the pool behind the price holds, in micro-dollars; 0 if there is no pool.
        source: as `price_source` of a swap.
    """

    price: int
    depth: int
    source: str


_UNSEEN: Final = (-1, -1, -1)


class Block:
    """One block.

    Args:
        number: its height.
        block_hash: its hash.
        event_ms: its time.
    """

    __slots__ = ("answers", "block_hash", "event_ms", "events", "number")

    def __init__(self, number: int, block_hash: str, event_ms: int) -> None:
        self.number = number
        self.block_hash = block_hash
        self.event_ms = event_ms
        self.events: dict[int, tuple[int, int, int]] = {}
        """Place in the block to the highest inclusion, the highest removal, and flags."""
        self.answers: dict[str, Answer | None] = {}
        """What was answered in this block: never asked twice."""

    def note(self, event: PoolSwap) -> int:
        """Note an inclusion or a removal.

        Returns:
            1 if the event is there now and was not, -1 if it is gone, 0 if nothing changed.
        """
        included, removed, flags = self.events.get(event.log_index, _UNSEEN)
        was = included > removed
        if event.removed:
            removed = max(removed, event.inclusion)
        else:
            included = max(included, event.inclusion)
        self.events[event.log_index] = (included, removed, flags)
        return (included > removed) - was

    def flags(self, log_index: int) -> int:
        """Flags an event was given when it first came."""
        return max(0, self.events[log_index][2])

    def is_judged(self, log_index: int) -> bool:
        """Whether an event was given its flags."""
        return self.events[log_index][2] >= 0

    def flag(self, log_index: int, flags: int) -> None:
        """Remember the flags of an event, for its duplicates and its removal."""
        included, removed, _ = self.events[log_index]
        self.events[log_index] = (included, removed, flags)


class Blocks:
    """The blocks of one chain within the horizon.

    Args:
        rules: how many, and for how long.
    """

    def __init__(self, rules: PriceRules) -> None:
        self._count_max = rules.horizon_blocks
        self._age_max_ms = rules.horizon_ms
        self._held: dict[str, Block] = {}
        self._order: list[tuple[int, str]] = []
        self._newest_ms = 0
        self.floor = -1
        """Height up to which blocks may have been forgotten."""
        self.floor_ms = 0
        """Newest time of a forgotten block."""

    def find(self, event: PoolSwap, append_ms: int) -> Block | Refusal:
        """Find the block of a swap; one never seen is new, if it is above the floor."""
        block = self._held.get(event.block_hash)
        if block is None:
            if event.block_number <= self.floor:
                return Refusal(
                    "past_horizon",
                    f"Expected a block above {self.floor}, or one that is remembered, was "
                    f"{event.block_number}: longer horizons remember more",
                )
            return self._add(event, append_ms)
        if block.number != event.block_number or block.event_ms != event.event_time:
            return Refusal(
                "bad_block",
                f"Expected block {block.block_hash} at height {block.number} and {block.event_ms} "
                f"ms, was at {event.block_number} and {event.event_time} ms",
            )
        return block

    def _add(self, event: PoolSwap, append_ms: int) -> Block:
        block = Block(event.block_number, event.block_hash, event.event_time)
        self._held[block.block_hash] = block
        insort(self._order, (block.number, block.block_hash))
        reached_ms = min(event.event_time, append_ms + CLOCK_SLACK_MS)
        self._newest_ms = max(self._newest_ms, reached_ms)
        while len(self._order) > self._count_max or self._is_aged(self._order[0][1]):
            _, oldest_hash = self._order.pop(0)
            oldest = self._held.pop(oldest_hash)
            self.floor = max(self.floor, oldest.number)
            self.floor_ms = max(self.floor_ms, min(oldest.event_ms, self._newest_ms))
            if oldest is block:
                break
        return block

    def _is_aged(self, block_hash: str) -> bool:
        return self._held[block_hash].event_ms < self._newest_ms - self._age_max_ms

    def pack(self) -> list[object]:
        """Turn into plain values."""
        held = [
            (
                block.number, block.block_hash, block.event_ms,
                [(index, *event) for index, event in sorted(block.events.items())],
                [
                    (name, answer and (str(answer.price), str(answer.depth), answer.source))
                    for name, answer in sorted(block.answers.items())
                ],
            )
            for block in self._held.values()
        ]  # fmt: skip
        return [self._newest_ms, self.floor, self.floor_ms, held]

    def unpack(self, packed: Any) -> None:
        """Take over what `pack` gave."""
        self._newest_ms, self.floor, self.floor_ms, held = packed
        for number, block_hash, event_ms, events, answers in held:
            block = Block(number, block_hash, event_ms)
            block.events = {
                index: (included, removed, flags) for index, included, removed, flags in events
            }
            for name, answer in answers:
                block.answers[name] = answer and Answer(int(answer[0]), int(answer[1]), answer[2])
            self._held[block_hash] = block
            self._order.append((number, block_hash))
        self._order.sort()
