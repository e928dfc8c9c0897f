"""A log for a source, with kills at any moment, and what has to hold of what lies in it."""

import contextlib
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import msgspec
from tests.adapters.sources.evm.fake_chain import CHAIN_ID, FakeChain, FakeNode

from swapstats.adapters.sources.evm.options import EvmOptions, Provider
from swapstats.adapters.sources.evm.source import EvmSource
from swapstats.model.raw_event import PoolSwap
from swapstats.ports.source import SourceBatch
from swapstats.testing.manual_clock import ManualClock

Pair = tuple[str, int, int]
KILLS = ("before", "messages", "notes", "after")
"""What of a batch is written when the process dies: nothing, only its messages, its messages and
notes but not its position, all of it."""


class Enough(BaseException):
    """The test has seen enough; stops a source where it waits."""


class MemoryLog:
    """Messages, position and notes, as a log without transactions keeps them."""

    def __init__(self) -> None:
        self.messages: list[PoolSwap] = []
        self.position: str | None = None
        self.notes: dict[str, str] = {}

    def write(self, batch: SourceBatch, kill: str = "after") -> None:
        """Write a batch, or as much of it as comes before a kill."""
        if kill == "before":
            return
        self.messages += [
            msgspec.json.decode(batch.block.message(index), type=PoolSwap)
            for index in range(len(batch.block))
        ]
        if kill == "messages":
            return
        for key, text in batch.notes.items():
            if text is None:
                self.notes.pop(key, None)
            else:
                self.notes[key] = text
        if kill == "after":
            self.position = batch.position


def contributing(messages: list[PoolSwap]) -> dict[Pair, PoolSwap]:
    """Pairs that count, by the rules of the windows; every repetition has to say the same."""
    adds: dict[Pair, PoolSwap] = {}
    removals: dict[Pair, PoolSwap] = {}
    for swap in messages:
        pair = (swap.tx_hash, swap.log_index, swap.inclusion)
        side = removals if swap.removed else adds
        assert side.setdefault(pair, swap) == swap, "a repetition says something else"
    for pair, removal in removals.items():
        assert pair in adds, "a removal of what was never added"
        assert msgspec.structs.replace(removal, removed=False) == adds[pair]
    return {pair: swap for pair, swap in adds.items() if pair not in removals}


def check(log: MemoryLog, chain: FakeChain, first: int = 0, last: int | None = None) -> None:
    """Hold what contributes against the canonical chain: the same events, each once."""
    counting = [
        (swap.block_hash, swap.tx_hash, swap.log_index)
        for swap in contributing(log.messages).values()
    ]
    expected = [
        (block.hash, one["transactionHash"], int(one["logIndex"], 16))
        for block in chain.canonical()
        if block.number >= first and (last is None or block.number <= last)
        for one in block.logs
    ]
    assert sorted(counting) == sorted(expected)


def options(nodes: int = 1, **given: Any) -> EvmOptions:
    """Options for a fake chain; node n is at `http://node<n>/`."""
    values: dict[str, Any] = {
        "chain": "fake",
        "chain_id": CHAIN_ID,
        "providers": tuple(
            Provider(f"http://node{number}/secret-key", weight=nodes - number)
            for number in range(nodes)
        ),
        "start_block": 0,
        "poll_interval_ms": 1_000,
        "window_blocks_max": 1_000,
        "range_blocks_first": 4,
        "range_blocks_max": 64,
        "batch_calls_max": 5,
    }
    return EvmOptions(**(values | given))


def source_of(
    given: EvmOptions, nodes: list[FakeNode], on_wait: Callable[[], None], clock: ManualClock
) -> EvmSource:
    """A source of fake nodes; waiting takes no time, and calls `on_wait`."""

    async def sleep(seconds: float) -> None:
        clock.advance(int(seconds * 1_000))
        on_wait()

    by_host = {f"node{number}": node for number, node in enumerate(nodes)}
    return EvmSource(given, clock, connect=lambda provider: by_host[provider.host], sleep=sleep)


async def run(
    source: EvmSource, log: MemoryLog, kill_at: int | None = None, kill: str = "after"
) -> int:
    """Write what a source gives until it has waited enough, or until a kill at batch `kill_at`.

    Returns:
        Batches that were written whole.
    """
    written = 0
    batches = source.open(log.position, dict(log.notes))
    with contextlib.suppress(Enough):
        async with aclosing(batches):  # type: ignore[type-var]
            async for batch in batches:
                if written == kill_at:
                    log.write(batch, kill)
                    return written
                log.write(batch)
                written += 1
    return written
