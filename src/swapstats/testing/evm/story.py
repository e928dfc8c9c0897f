"""A seeded life of the test market: blocks of trades, and reorgs of every depth.

What left the chain by a reorg comes back in part, in other blocks, after other trades: the same
transaction at the same place of a block may then have another amount. Branches that lost may win
again, shorter or not.
"""

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Final

from swapstats.testing.evm.chain import GAS_PRICE, BlockPlan, DevChain, ancestors, branch
from swapstats.testing.evm.market import TRADERS, Market
from swapstats.testing.evm.signing import Account
from swapstats.testing.evm.trades import random_trade

DEPTH_MAX: Final = 64
_TRADE_GAS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class StoryOptions:
    """How wild it is.

    Attributes:
        trades_max: most transactions in a block.
        empty_share: part of the blocks that are empty.
        depth_max: deepest reorg, in blocks that leave.
        again_share: how likely what left comes back when its trader's turn comes.
        reorg_share: how likely a step is a reorg.
        flip_share: how likely it lets a branch that left win again.
        block_seconds: a block comes one of these after its parent.
    """

    trades_max: int = 12
    empty_share: float = 0.1
    depth_max: int = DEPTH_MAX
    again_share: float = 0.7
    reorg_share: float = 0.15
    flip_share: float = 0.05
    block_seconds: tuple[int, ...] = (1, 2, 12, 12, 12, 13)


class MarketStory:
    """Makes blocks and reorgs, all of them decided by the seed.

    Args:
        seed: of everything random.
        chain: with `market` on it.
        market: what is traded.
        options: how wild it is.

    Attributes:
        counts: what happened, by kind.
        floor: height below which nothing leaves the chain; raise it as blocks become final.
    """

    def __init__(
        self, seed: int, chain: DevChain, market: Market, options: StoryOptions | None = None
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.floor = chain.blocks[market.ready].number
        self._random = Random(seed)  # noqa: S311 - not for secrets
        self._chain = chain
        self._market = market
        self._options = options or StoryOptions()
        self._nonces = {market.ready: dict(market.nonces)}
        self._signed: dict[bytes, tuple[str, int]] = {}
        self._tips: list[str] = []

    def grow(self, count: int = 1) -> None:
        """Make blocks upon the head."""
        head = self._chain.head
        plans = self._plans(head, count, [])
        self._note(head, plans, self._chain.grow(head, plans))
        self.counts["blocks"] += count

    def skip(self, seconds: int) -> None:
        """Make one empty block, so many seconds later."""
        head = self._chain.head
        plans = [BlockPlan((), seconds)]
        self._note(head, plans, self._chain.grow(head, plans))
        self.floor = self._chain.blocks[self._chain.head].number

    def reorg(self, depth: int | None = None, length: int | None = None) -> int:
        """Let blocks leave, and make others in their place.

        Args:
            depth: how many leave, as far as the floor allows; None = as luck has it.
            length: how many are made in their place, at least one; None = as luck has it.

        Returns:
            How many left.
        """
        blocks, tip = self._chain.blocks, self._chain.head
        room = blocks[tip].number - self.floor
        if room < 1:
            return 0
        wanted = self._random_depth() if depth is None else depth
        depth = min(wanted, room, self._options.depth_max)
        fork, left = tip, []
        for _ in range(depth):
            left.append(blocks[fork])
            fork = blocks[fork].parent
        if length is None:
            length = max(1, depth + self._random.choice((-1, 0, 1, 1, 1, 2)))
        dropped = [raw for block in reversed(left) for raw in block.transactions]
        plans = self._plans(fork, length, dropped)
        made = self._chain.grow(fork, plans)
        self._note(fork, plans, made)
        self._tips.append(tip)
        self.counts["reorgs"] += 1
        self.counts["deepest"] = max(self.counts["deepest"], depth)
        return depth

    def flip(self) -> int:
        """Let a branch that left win again, as it was.

        Returns:
            How many blocks left for it; 0 = there was no such branch.
        """
        blocks, tip = self._chain.blocks, self._chain.head
        mine = ancestors(blocks, tip)
        for candidate in reversed(self._tips[-4:]):
            other = branch(blocks, candidate, mine)
            if not other:
                continue
            depth = blocks[tip].number - blocks[other[0].parent].number
            if blocks[other[0].parent].number < self.floor or depth > self._options.depth_max:
                continue
            self._chain.switch(candidate)
            self._tips.append(tip)
            self.counts["flips"] += 1
            self.counts["flips to a shorter branch"] += (
                blocks[candidate].number < blocks[tip].number
            )
            self.counts["deepest"] = max(self.counts["deepest"], depth)
            return depth
        return 0

    def step(self) -> None:
        """Let one thing happen: mostly blocks, at times a reorg, at times a flip."""
        luck = self._random.random()
        if luck < self._options.reorg_share:
            self.reorg()
        elif luck < self._options.reorg_share + self._options.flip_share:
            self.flip()
        else:
            self.grow(self._random.choice((1, 1, 1, 2, 5)))

    def _random_depth(self) -> int:
        """Mostly one or two blocks, at times anything."""
        if self._random.random() < 0.8:
            return self._random.choice((1, 1, 1, 2, 2, 3))
        return self._random.randint(1, self._options.depth_max)

    def _plans(self, parent: str, count: int, dropped: list[bytes]) -> list[BlockPlan]:
        nonces = self._nonces_at(parent)
        waiting = {self._signed[raw]: raw for raw in dropped}
        plans = []
        for _ in range(count):
            size = self._random.randint(1, self._options.trades_max)
            if self._random.random() < self._options.empty_share:
                size = 0
            transactions = tuple(self._transaction(nonces, waiting) for _ in range(size))
            plans.append(BlockPlan(transactions, self._random.choice(self._options.block_seconds)))
        return plans

    def _transaction(self, nonces: dict[str, int], waiting: dict[tuple[str, int], bytes]) -> bytes:
        """A trader's next transaction: one that left, or a new one in its place."""
        trader: Account = self._random.choice(TRADERS)
        nonce = nonces[trader.address]
        nonces[trader.address] += 1
        left = waiting.get((trader.address, nonce))
        if left is not None and self._random.random() < self._options.again_share:
            self.counts["included again"] += 1
            return left
        trade = random_trade(self._random, self._market, trader.address)
        self.counts[trade.kind] += 1
        raw = trader.sign(
            chain_id=self._chain.chain_id,
            nonce=nonce,
            to=trade.to,
            data=trade.data,
            gas=_TRADE_GAS,
            gas_price=GAS_PRICE,
        )
        self._signed[raw] = (trader.address, nonce)
        return raw

    def _nonces_at(self, block: str) -> dict[str, int]:
        """How many transactions everybody had sent by a block; others' blocks hold none."""
        while block not in self._nonces:
            block = self._chain.blocks[block].parent
        return dict(self._nonces[block])

    def _note(self, parent: str, plans: list[BlockPlan], made: list[str]) -> None:
        """Remember what every trader had sent by each block."""
        nonces = self._nonces_at(parent)
        for plan, block in zip(plans, made, strict=True):
            for raw in plan.transactions:
                address, nonce = self._signed[raw]
                nonces[address] = nonce + 1
            self._nonces[block] = dict(nonces)
