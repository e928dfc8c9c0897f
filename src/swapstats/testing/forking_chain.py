"""A chain that forks, and comes back, as a collector reports it: seeded, for tests.

A reorg is told as removals in reverse order, then additions with a risen inclusion. Transactions
of a branch that lost come again in the one that won, some with other amounts, as real nodes do.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Final

from msgspec.structs import replace

from swapstats.model.raw_event import ExchangeTrade, PoolSwap, RawEvent
from swapstats.testing.raw_events import (
    BLOCK_MS,
    COIN,
    DAI,
    FIRST_MS,
    USDC,
    USDT,
    WBTC,
    WETH,
    address,
    block_hash,
    exchange_trade,
    pool_swap,
    whole,
)

X, Y, Z = (address(number) for number in range(3))
_DOLLARS: Final = {
    USDC: 1,
    USDT: 1,
    DAI: 1,
    WETH: 2_000,
    COIN: 2_000,
    WBTC: 40_000,
    X: 3,
    Y: 50,
    Z: 7,
}
_POOLS: Final = (
    (WETH, USDC), (WETH, USDT), (COIN, USDC), (USDT, USDC), (DAI, USDC), (DAI, USDT), (WBTC, WETH),
    (WBTC, USDC), (X, WETH), (X, WBTC), (X, Y), (Y, USDC), (Z, Y), (Z, X), (Y, WETH),
)  # fmt: skip
_SALTS: Final = 1 << 30


@dataclass(frozen=True)
class ToldBlock:
    """One block of the tree, and its swaps as of no inclusion."""

    number: int
    hash: str
    swaps: tuple[PoolSwap, ...]


@dataclass
class ForkingChain:
    """The chain, and everything a collector said about it.

    Args:
        random: decides everything.
        has_trades: whether trades of an exchange lie between the blocks.

    Attributes:
        canonical: blocks of the present chain, from the first on.
        log: what was said, in order.
    """

    random: Random
    has_trades: bool = False
    canonical: list[ToldBlock] = field(default_factory=list)
    log: list[RawEvent] = field(default_factory=list)
    _orphans: list[list[ToldBlock]] = field(default_factory=list)
    _inclusions: dict[tuple[str, int], int] = field(default_factory=dict)
    _lost: list[PoolSwap] = field(default_factory=list)
    _parents: dict[str, str] = field(default_factory=dict)
    _branches: int = 0
    _trades: int = 0
    _traded: int = 0

    def grow(self, blocks: int) -> None:
        """Add new blocks."""
        for _ in range(blocks):
            block = self._new_block(len(self.canonical))
            if self.has_trades:
                self._trade_until(block.number)
            self._include(block)

    def reorg(self, depth: int, blocks: int) -> None:
        """Drop blocks from the end and add others."""
        self._drop(min(depth, len(self.canonical)))
        self._branches += 1
        self.grow(blocks)

    def flip_back(self) -> None:
        """Return to a branch that was left, if its parent is still part of the chain."""
        fitting = [
            branch
            for branch in self._orphans
            if branch[0].number <= len(self.canonical)
            and self._parents.get(branch[0].hash) == self._tip(branch[0].number)
        ]
        if fitting:
            branch = self.random.choice(fitting)
            self._drop(len(self.canonical) - branch[0].number)
            for block in branch:
                self._include(block)

    def canonical_log(self) -> list[RawEvent]:
        """What a collector would have said that saw the present chain only."""
        swaps: list[RawEvent] = [
            replace(swap, inclusion=self._inclusions[swap.tx_hash, swap.log_index])
            for block in self.canonical
            for swap in block.swaps
        ]
        trades: list[RawEvent] = [e for e in self.log if isinstance(e, ExchangeTrade)]
        return sorted(trades + swaps, key=lambda event: event.event_time)

    def _tip(self, height: int) -> str:
        return self.canonical[height - 1].hash if height else ""

    def _drop(self, count: int) -> None:
        gone = self.canonical[len(self.canonical) - count :]
        del self.canonical[len(self.canonical) - count :]
        if gone:
            self._orphans.append(gone)
        for block in reversed(gone):
            for swap in reversed(block.swaps):
                inclusion = self._inclusions[swap.tx_hash, swap.log_index]
                self.log.append(replace(swap, inclusion=inclusion, removed=True))
                self._lost.append(swap)

    def _include(self, block: ToldBlock) -> None:
        self.canonical.append(block)
        for swap in block.swaps:
            name = swap.tx_hash, swap.log_index
            self._inclusions[name] = self._inclusions.get(name, -1) + 1
            self.log.append(replace(swap, inclusion=self._inclusions[name]))

    def _new_block(self, number: int) -> ToldBlock:
        random = self.random
        name = block_hash(number, self._branches * _SALTS + random.randrange(_SALTS))
        self._parents[name] = self._tip(number)
        swaps: list[PoolSwap] = []
        present = {(s.tx_hash, s.log_index) for block in self.canonical for s in block.swaps}
        for log_index in range(random.choice((0, 1, 1, 2, 4))):
            again = [
                swap for swap in self._lost
                if swap.log_index == log_index and (swap.tx_hash, log_index) not in present
            ]  # fmt: skip
            if again and random.random() < 0.7:
                swap = random.choice(again)
                if random.random() < 0.5:
                    swap = self._swap(number, log_index, swap.tx_hash)
            else:
                swap = self._swap(number, log_index, f"0x{random.getrandbits(240):064x}")
            present.add((swap.tx_hash, log_index))
            swaps.append(
                replace(
                    swap, block_number=number + 18_000_000, block_hash=name,
                    event_time=FIRST_MS + number * BLOCK_MS,
                )
            )  # fmt: skip
        return ToldBlock(number, name, tuple(swaps))

    def _swap(self, number: int, log_index: int, tx_hash: str) -> PoolSwap:
        random = self.random
        token, quote = random.choice(_POOLS)
        value = random.choice((20_000, 150_000, 900_000, 5_000_000))
        slip = random.choice((97, 99, 100, 100, 100, 101, 104))
        depths = (
            whole(token, value) // _DOLLARS[token] + random.randrange(1_000),
            whole(quote, value) * slip // 100 // _DOLLARS[quote] + random.randrange(1_000),
        )
        size = random.choice((1, 40, 999))
        bought = whole(token, size) // _DOLLARS[token] + random.randrange(99)
        paid = whole(quote, size) // _DOLLARS[quote] + random.randrange(99)
        amounts = (-bought, paid) if random.random() < 0.5 else (bought, -paid)
        if random.random() < 0.03:
            amounts = (0, paid)
        return pool_swap(
            token, quote, amounts, depths if random.random() < 0.95 else None, block=number,
            log_index=log_index, tx_hash=tx_hash, trader=address(random.randrange(4)),
        )  # fmt: skip

    def _trade_until(self, number: int) -> None:
        """Trades of the seconds before a block, each second once."""
        random = self.random
        for at in range(self._traded, number):
            for offset in sorted(random.sample(range(1, 12), 2)):
                self._trades += 1
                base, quote, price = random.choice(
                    (("USDC", "USD", random.choice(("0.9", "0.999", "1.001"))),
                     ("USDT", "USDC", random.choice(("0.95", "1", "1.0004"))),
                     ("ETH", "USDT", str(1_990 + random.randrange(20))),
                     ("BTC", "USDC", str(40_000 + random.randrange(99))),
                     ("SOL", "ETH", "0.05"), ("PEPE", "BTC", "0.00000001"))
                )  # fmt: skip
                self.log.append(
                    exchange_trade(
                        base, quote, price, str(1 + random.randrange(50)),
                        trade_id=str(self._trades),
                        event_time=FIRST_MS + at * BLOCK_MS + offset * 1_000,
                    )
                )  # fmt: skip
        self._traded = max(self._traded, number)


def told_again(random: Random, log: list[RawEvent]) -> list[RawEvent]:
    """Repeat stretches of a log, as a collector does that was killed before it noted its place."""
    told: list[RawEvent] = []
    for place, event in enumerate(log):
        told.append(event)
        if random.random() < 0.1:
            told += log[max(0, place - random.randrange(12)) : place + 1]
    return told


def cut(random: Random, log: list[RawEvent]) -> list[list[RawEvent]]:
    """Cut a log into batches of any size."""
    batches: list[list[RawEvent]] = []
    place = 0
    while place < len(log):
        size = random.choice((1, 2, 5, 17, 60))
        batches.append(log[place : place + size])
        place += size
    return batches
