"""A look at the head of a chain: everything that a step needs, from one node, before any of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from swapstats.adapters.sources.evm.node import ChainNode
from swapstats.adapters.sources.evm.options import EvmOptions
from swapstats.adapters.sources.evm.pools import PoolBook
from swapstats.adapters.sources.evm.rpc_errors import RpcGarbage
from swapstats.core.evm.chain import (
    Advance,
    BeyondFinality,
    Block,
    BlockRef,
    Header,
    Lagging,
    NeedParent,
)
from swapstats.core.evm.chain_tracker import ChainTracker
from swapstats.core.evm.logs import DecodedSwap, PoolTokens
from swapstats.core.evm.to_event import to_event
from swapstats.model.raw_event import PoolSwap

STEP_BLOCKS_MAX: Final = 64
"""Blocks that a step adds; a deeper reorg is taken whole."""
HEADERS_AT_ONCE: Final = 64
LATEST_BLOCKS: Final = 64
"""Where a chain names no final block, `latest` begins so many blocks below the head."""
BEFORE_GENESIS: Final = BlockRef(-1, "0x" + "0" * 64)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing to do; `behind` blocks behind what is known, if the node lags."""

    behind: int


@dataclass(frozen=True, slots=True)
class Far:
    """The newest final block is above our head: catch up by ranges first."""

    final: int


@dataclass(frozen=True, slots=True)
class Branch:
    """Blocks to add on top of `ancestor`, and which are final then.

    Attributes:
        ancestor: number of the newest block that stays.
        blocks: with their swaps, ascending.
        final: number of the newest final block.
        left: blocks that are known to be there beyond these.
    """

    ancestor: int
    blocks: tuple[Block, ...]
    final: int
    left: int


Found = Quiet | Far | Branch | BeyondFinality


async def find_start(node: ChainNode, options: EvmOptions) -> BlockRef:
    """Find the block after which to begin: a final one, and none above the start block.

    Raises:
        RpcError: there is no answer.
    """
    head = await node.head()
    finalized = await node.finalized() if options.confirmations is None else None
    final = head.number - LATEST_BLOCKS
    if options.confirmations is not None:
        final = head.number - options.confirmations
    elif finalized is not None:
        final = finalized.number
    if options.start_block is not None:
        final = min(final, options.start_block - 1)
    if final < 0:
        return BEFORE_GENESIS
    return (await node.headers_at([final]))[0].ref


async def look(
    node: ChainNode, tracker: ChainTracker, book: PoolBook, options: EvmOptions
) -> Found:
    """Look at the head and fetch what it takes to make it ours. Changes nothing.

    Raises:
        RpcError: there is no answer.
        Rejected: what the node says does not fit together.
    """
    head = await node.head()
    if head.hash == tracker.head.hash:
        return Quiet(0)  # the usual case costs one call
    finalized = await node.finalized() if options.confirmations is None else None
    final = _final_number(head, finalized, options)
    if final > tracker.head.number:
        return Far(final)
    left = head.number - tracker.head.number - STEP_BLOCKS_MAX
    if left > 0:
        head = (await node.headers_at([head.number - left]))[0]
    path = [head]
    while isinstance(decision := tracker.decide(path), NeedParent):
        path += await _ancestors(node, decision.parent, tracker.head.number)
    if isinstance(decision, BeyondFinality):
        return decision
    if not isinstance(decision, Advance):
        return Quiet(decision.blocks if isinstance(decision, Lagging) else 0)
    if finalized is not None:
        _check_finalized(finalized, decision, tracker)
    blocks = await _read(node, decision.fetch, book, options)
    tracker.check(decision.ancestor, blocks)
    return Branch(decision.ancestor, blocks, final, max(0, left))


def events(
    swaps: Sequence[DecodedSwap],
    tokens: Mapping[str, PoolTokens],
    times_ms: Mapping[int, int],
    options: EvmOptions,
) -> tuple[PoolSwap, ...]:
    """Make raw events of the swaps whose pools count, in order.

    Args:
        swaps: as decoded.
        tokens: by pool; others do not count.
        times_ms: time of each block, by number.
        options: of the chain; blocks before its start block do not count.
    """
    first = options.start_block or 0
    return tuple(
        to_event(swap, tokens[swap.pool], times_ms[swap.block_number], options.chain_id)
        for swap in swaps
        if swap.pool in tokens and swap.block_number >= first
    )


async def _read(
    node: ChainNode, headers: Sequence[Header], book: PoolBook, options: EvmOptions
) -> tuple[Block, ...]:
    """Read the swaps of blocks, by their hashes."""
    logs = await node.logs_of(headers)
    for found in logs:
        book.learn(found.created)
    swaps = [swap for found in logs for swap in found.swaps]
    tokens = await book.tokens_of(node, swaps, headers[-1].ref)
    return tuple(
        Block(header, events(found.swaps, tokens, {header.number: header.time_ms}, options))
        for header, found in zip(headers, logs, strict=True)
    )


async def _ancestors(node: ChainNode, parent: BlockRef, our_head: int) -> list[Header]:
    """Ask for a block by its hash, and for those below it, down to our head, by number.

    Those asked for by number count only if they are linked to the block above.
    """
    found = [await node.header_of(parent.hash)]
    lowest = max(our_head, parent.number - HEADERS_AT_ONCE)
    if parent.number - lowest > 1:
        for header in await node.headers_at(range(parent.number - 1, lowest, -1)):
            if header.hash != found[-1].parent_hash:
                break
            found.append(header)
    return found


def _final_number(head: Header, finalized: Header | None, options: EvmOptions) -> int:
    final = head.number - options.window_blocks_max
    if options.confirmations is not None:
        return max(final, head.number - options.confirmations)
    return final if finalized is None else max(final, min(finalized.number, head.number))


def _check_finalized(finalized: Header, advance: Advance, tracker: ChainTracker) -> None:
    """Check that what the node calls final is on the chain that it calls canonical."""
    hashes = {header.number: header.hash for header in advance.fetch}
    ours = tracker.hash_at(finalized.number) if finalized.number <= advance.ancestor else None
    expected = hashes.get(finalized.number, ours)
    if expected is not None and expected != finalized.hash:
        raise RpcGarbage(
            f"Expected the final block {finalized.number} to be {expected}, was {finalized.hash}"
        )
