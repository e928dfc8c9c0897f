"""What the pools of one chain held, block by block, as far as it can price anything.

Of each pool and block the last state counts. States of blocks that can still leave the chain are
kept, and the newest before them.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec.structs import astuple

from swapstats.core.preprocess.blocks import Block
from swapstats.core.preprocess.pool_view import REST, PoolView, TokenRanks
from swapstats.core.preprocess.rules import PriceRules
from swapstats.model.raw_event import PoolSwap


class Held(msgspec.Struct, frozen=True, gc=False):
    """What a pool held after the last swap of one block.

    Attributes:
        number: height of the block.
        block_hash: its hash.
        log_index: place of the swap within it.
        event_ms: time of the block.
        depth0: of the first token, smallest units, as text: few are ever asked for.
        depth1: of the second.
    """

    number: int
    block_hash: str
    log_index: int
    event_ms: int
    depth0: str
    depth1: str

    @property
    def place(self) -> tuple[int, str]:
        """Order of blocks."""
        return (self.number, self.block_hash)


class Pool:
    """One pool.

    Args:
        name: address or id.
        assets: what it trades, as named by `TokenRanks.asset`.
        places: decimals of both.
    """

    __slots__ = ("assets", "history", "name", "places")

    def __init__(self, name: str, assets: tuple[str, str], places: tuple[int, int]) -> None:
        self.name = name
        self.assets = assets
        self.places = places
        self.history: list[Held] = []

    def before(self, number: int, oldest_ms: int) -> Held | None:
        """Newest state from a block below `number` and not older than `oldest_ms`."""
        for held in reversed(self.history):
            if held.number < number:
                return held if held.event_ms >= oldest_ms else None
        return None


class PoolBook:
    """The pools of one chain.

    Args:
        rules: how many, and for how long.
        ranks: the chain's tokens.
    """

    def __init__(self, rules: PriceRules, ranks: TokenRanks) -> None:
        self._pools_max = rules.pools_max
        self._age_max_ms = rules.observation_ms
        self._ranks = ranks
        self._pools: OrderedDict[str, Pool] = OrderedDict()  # the one longest silent first
        self._by_asset: dict[str, dict[str, Pool]] = {}

    def __len__(self) -> int:
        return len(self._pools)

    def pricing(self, asset: str) -> Iterable[Pool]:
        """Pools in which `asset` trades against a listed token."""
        return self._by_asset.get(asset, _NONE).values()

    def observe(self, event: PoolSwap, view: PoolView, block: Block, floor: int) -> None:
        """Note what a swap's pool holds after it.

        Args:
            event: the swap.
            view: of its pool, which can price something.
            block: its block.
            floor: height up to which blocks cannot leave the chain any more.
        """
        if event.depth0 is None or event.depth1 is None:
            return
        pool = self._pools.get(event.pool)
        if pool is None:
            pool = self._open(event.pool, view)
        elif pool.assets != view.assets or pool.places != view.places:
            return  # not the pool of that name
        self._pools.move_to_end(event.pool)
        history = pool.history
        held = Held(
            block.number, block.block_hash, event.log_index, block.event_ms,
            event.depth0, event.depth1,
        )  # fmt: skip
        if not history or history[-1].number < block.number:
            history.append(held)
        else:
            _insert(history, held)
        while len(history) > 1 and history[1].number <= floor:
            del history[0]

    def take_back(self, event: PoolSwap) -> None:
        """Forget what the pool held after a swap that left the chain."""
        pool = self._pools.get(event.pool)
        if pool is None:
            return
        for place in range(len(pool.history) - 1, -1, -1):
            held = pool.history[place]
            if held.block_hash == event.block_hash:
                if held.log_index == event.log_index:
                    del pool.history[place]
                break
        if not pool.history:
            self._close(pool)

    def _open(self, name: str, view: PoolView) -> Pool:
        if len(self._pools) >= self._pools_max:
            self._close(next(iter(self._pools.values())))
        pool = self._pools[name] = Pool(name, view.assets, view.places)
        self._index(pool)
        return pool

    def _index(self, pool: Pool) -> None:
        for asset, counterpart in (pool.assets, reversed(pool.assets)):
            if self._ranks.group(counterpart) != REST:
                self._by_asset.setdefault(asset, {})[pool.name] = pool

    def _close(self, pool: Pool) -> None:
        del self._pools[pool.name]
        for asset in pool.assets:
            pools = self._by_asset.get(asset)
            if pools is not None and pools.pop(pool.name, None) is not None and not pools:
                del self._by_asset[asset]

    def forget_aged(self, floor_ms: int) -> None:
        """Drop pools that can price no block that may still come: none before `floor_ms`."""
        while self._pools:
            pool = next(iter(self._pools.values()))
            if not pool.history or pool.history[-1].event_ms >= floor_ms - self._age_max_ms:
                return
            self._close(pool)

    def pack(self) -> list[object]:
        """Turn into plain values."""
        return [
            (pool.name, pool.assets, pool.places, [astuple(held) for held in pool.history])
            for pool in self._pools.values()
        ]

    def unpack(self, packed: Any) -> None:
        """Take over what `pack` gave."""
        for name, (asset0, asset1), (places0, places1), history in packed:
            pool = Pool(name, (asset0, asset1), (places0, places1))
            pool.history = [Held(*held) for held in history]
            self._pools[name] = pool
            self._index(pool)


def _insert(history: list[Held], new: Held) -> None:
    """Put a state in its place; of one block the last counts."""
    place = len(history)
    while place and history[place - 1].place > new.place:
        place -= 1
    if place and history[place - 1].block_hash == new.block_hash:
        if history[place - 1].log_index < new.log_index:
            history[place - 1] = new
    else:
        history.insert(place, new)


_NONE: Mapping[str, Pool] = {}
