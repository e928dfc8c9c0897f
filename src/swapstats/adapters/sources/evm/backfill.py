"""Final blocks by ranges: for the past, and for what happened while nobody looked."""

import asyncio
from dataclasses import dataclass

from swapstats.adapters.sources.evm.follow import BEFORE_GENESIS, events
from swapstats.adapters.sources.evm.node import ChainNode
from swapstats.adapters.sources.evm.options import EvmOptions
from swapstats.adapters.sources.evm.pools import PoolBook
from swapstats.adapters.sources.evm.rpc_errors import RpcGarbage, RpcRefused, RpcTimeout
from swapstats.core.evm.chain import BeyondFinality, BlockRef
from swapstats.core.evm.chain_tracker import ChainTracker
from swapstats.core.evm.range_size import RangeSize
from swapstats.model.raw_event import PoolSwap


@dataclass(frozen=True, slots=True)
class Shared:
    """Our blocks up to `ancestor` are on the final chain; those above it are not."""

    ancestor: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """The swaps of all blocks up to and including `end`."""

    swaps: tuple[PoolSwap, ...]
    end: BlockRef


async def find_shared(node: ChainNode, tracker: ChainTracker) -> Shared | BeyondFinality:
    """Find the newest of our blocks that is on the node's chain, all of which is final.

    Raises:
        RpcError: there is no answer.
    """
    numbers = range(tracker.head.number, tracker.final.number - 1, -1)
    for header in await node.headers_at([number for number in numbers if number >= 0]):
        if header.hash == tracker.hash_at(header.number):
            return Shared(header.number)
        if header.number == tracker.final.number:
            return BeyondFinality(tracker.final, header.hash)
    return Shared(BEFORE_GENESIS.number)


async def read_stretch(
    node: ChainNode,
    tracker: ChainTracker,
    book: PoolBook,
    size: RangeSize,
    target: int,
    options: EvmOptions,
) -> Stretch | BeyondFinality:
    """Read the next range of blocks, none above `target`; changes nothing but `size`.

    Raises:
        RpcError: there is no answer, not even for a single block.
    """
    final, announced = tracker.final, tracker.announced
    while True:
        last = min(target, final.number + size.blocks)
        try:
            logs = await node.logs_between(final.number + 1, last)
        except (RpcRefused, RpcTimeout):
            if not size.refused(last - final.number):
                raise
            continue
        break
    size.answered(logs.logs)
    holding = {swap.block_number for swap in logs.swaps}
    asked = {announced.number} if announced is not None else set()
    numbers = sorted(holding | {last, max(final.number, 0)} | asked)
    headers = {header.number: header for header in await node.headers_at(numbers)}
    if final != BEFORE_GENESIS and headers[final.number].hash != final.hash:
        return BeyondFinality(final, headers[final.number].hash)
    if announced is not None and headers[announced.number].hash != announced.hash:
        return BeyondFinality(announced, headers[announced.number].hash)
    for swap in logs.swaps:
        if swap.block_hash != headers[swap.block_number].hash:
            raise RpcGarbage(
                f"Expected logs of block {headers[swap.block_number].hash} of {node.host}, "
                f"was one of {swap.block_hash}"
            )
    book.learn(logs.created)
    end = headers[last].ref
    tokens = await book.tokens_of(node, logs.swaps, end)
    times_ms = {number: header.time_ms for number, header in headers.items()}
    # In a thread: a full range takes tens of ms, and others wait for the loop.
    return Stretch(await asyncio.to_thread(events, logs.swaps, tokens, times_ms, options), end)
