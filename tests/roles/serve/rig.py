"""A replica with its store and two markets in hand: one fed directly, one by the replica."""

from collections.abc import Callable
from dataclasses import replace

from swapstats.adapters.memory.hot_store import MemoryHotStore
from swapstats.core.market import Market
from swapstats.errors import SwapstatsError
from swapstats.model.effects import StatsUpdate
from swapstats.model.window import WindowSpec
from swapstats.ports.hot_store import HotHead
from swapstats.roles.serve.options import ReplicaOptions
from swapstats.roles.serve.replica import Replica
from swapstats.testing.manual_clock import ManualClock
from swapstats.testing.synthetic_updates import START_MS, SyntheticUpdates

SPEC = WindowSpec(5_000, (300_000, 3_600_000, 86_400_000))
OPTIONS = ReplicaOptions()


class Failing:
    """A hot store that fails when told, and counts what it was asked."""

    def __init__(self, store: MemoryHotStore) -> None:
        self.store = store
        self.fails: Callable[[int], SwapstatsError | None] = lambda _: None
        self.asked: list[int] = []

    def head(self, partition: int) -> HotHead | None:
        self.asked.append(partition)
        error = self.fails(partition)
        if error is not None:
            raise error
        return self.store.head(partition)

    def changes(self, partition: int, after_seq: int) -> StatsUpdate | None:
        return self.store.changes(partition, after_seq)

    def close(self) -> None:
        """Nothing to release."""


class Rig:
    """A store, a market that is fed directly, and a replica's market, on a clock of their own."""

    def __init__(self, partitions: int = 2) -> None:
        self.clock = ManualClock(wall=START_MS, monotonic=1_000)
        self.memory = MemoryHotStore()
        self.store = Failing(self.memory)
        self.direct = Market(SPEC, partitions, origin="one")
        self.market = Market(SPEC, partitions, origin="one")
        self.replica = Replica(self.store, partitions, self.take, self.clock)

    def take(self, update: StatsUpdate) -> None:
        self.market.apply(update)

    def put(self, update: StatsUpdate, lag_ms: int = 0) -> None:
        self.memory.put(update, self.clock.wall_ms(), lag_ms)
        self.direct.apply(update)

    def look(self) -> None:
        """Let the cadence pass, then look."""
        self.clock.advance(OPTIONS.look_ms)
        before = [place_of(self.market, part) for part in range(self.market.partitions)]
        moment = self.market.as_of_ms
        self.replica.look_round()
        for part, place in enumerate(before):
            assert place_of(self.market, part) >= place, "back in time"
        assert self.market.as_of_ms >= moment

    def expect_equal(self) -> None:
        assert known(self.market) == known(self.direct)
        for part in range(self.market.partitions):
            assert self.market.place(part) == self.direct.place(part)
        assert self.market.as_of_ms == self.direct.as_of_ms


def place_of(market: Market, partition: int) -> tuple[int, int, int, int]:
    place = market.place(partition)
    return place.epoch, place.seq, place.offset, place.t_ms


def known(market: Market) -> dict[str, tuple[str | None, list[list[int]]]]:
    return {
        market.key(at): (market.symbol(at), market.rows[at].tolist()) for at in range(len(market))
    }


def life(epoch: int, *, seed: int = 1, partitions: int = 2, after: int = 0) -> SyntheticUpdates:
    """The updates of owners of one epoch, `after` milliseconds later than the first ones."""
    return SyntheticUpdates(
        SPEC,
        tokens=60,
        partitions=partitions,
        seed=seed,
        epoch=epoch,
        wide=True,
        odd_keys=True,
        start_ms=START_MS + after,
    )


def wholes(source: SyntheticUpdates, offset: int = 0) -> list[StatsUpdate]:
    return [
        replace(update, whole=True, offset=update.offset + offset) for update in source.everything()
    ]
