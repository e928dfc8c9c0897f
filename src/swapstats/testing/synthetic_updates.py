"""Seeded updates without an engine: for tests and loads of whatever takes `StatsUpdate` values.

The numbers obey what every statistic obeys (buys <= trades, bought value <= value) but follow no
market. The same arguments give the same updates, whatever else runs.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from swapstats.model.effects import StatsUpdate, TokenName
from swapstats.model.stats import ROW_WORDS, WindowStats, to_row
from swapstats.model.window import WindowSpec

START_MS = 1_763_700_000_000
_ODD = (".", "..", "/", "a/b", " ", "[x]", '"q"', "%41", "ключ", "円", "\\", "a.b.c", "?", "#", "+")


class SyntheticUpdates:
    """A stream of updates over several partitions.

    Args:
        spec: step and windows.
        tokens: how many tokens there are.
        partitions: how many shards they are spread over, token i to shard i modulo partitions.
        seed: of the random numbers.
        epoch: ownership number of all shards.
        wide: draw USD from up to 100 bits and token amounts from up to 170 bits.
        odd_keys: put dots, slashes, blanks, quotes and the like into the keys.
        start_ms: T of the first update.
        step_ms: how far T goes on from one update of a shard to the next.
    """

    def __init__(
        self,
        spec: WindowSpec,
        *,
        tokens: int = 100,
        partitions: int = 1,
        seed: int = 1,
        epoch: int = 1,
        wide: bool = False,
        odd_keys: bool = False,
        start_ms: int = START_MS,
        step_ms: int = 100,
    ) -> None:
        self.spec = spec
        self.tokens = tokens
        self.partitions = partitions
        self._random = np.random.default_rng(seed)
        self._epoch = epoch
        self._wide = wide
        self._odd_keys = odd_keys
        self._start_ms = start_ms
        self._step_ms = step_ms
        self._count = [0] * partitions
        self._offset = [0] * partitions
        self._named: list[set[int]] = [set() for _ in range(partitions)]

    def key(self, token: int) -> str:
        """Key of token number `token`."""
        if self._odd_keys:
            return f"{_ODD[token % len(_ODD)]}{token:x}{_ODD[token // 7 % len(_ODD)]}"
        return f"1:0x{token:040x}"

    def symbol(self, token: int) -> str | None:
        """Symbol of token number `token`: every tenth has none, every 25th shares `SAME`."""
        if token % 10 == 9:
            return None
        return "SAME" if token % 25 == 0 else f"T{token}"

    def update(self, partition: int, changed: int) -> StatsUpdate:
        """Make the next update of a shard, with random rows for some of its tokens.

        Args:
            partition: the shard.
            changed: how many tokens change, at most as many as the shard has.
        """
        owned = (self.tokens - partition + self.partitions - 1) // self.partitions
        local = self._random.choice(owned, size=min(changed, owned), replace=False)
        return self.update_of(partition, np.sort(local).astype(np.int32))

    def update_of(self, partition: int, local: NDArray[np.int32]) -> StatsUpdate:
        """Make the next update of a shard for the tokens of these shard-local numbers."""
        self._count[partition] += 1
        self._offset[partition] += len(local) + 1
        t_ms = self._start_ms + self._step_ms * self._count[partition]
        fresh = [int(token_id) for token_id in local if token_id not in self._named[partition]]
        self._named[partition].update(fresh)
        names = []
        for token_id in fresh:
            token = token_id * self.partitions + partition
            names.append(TokenName(token_id, self.key(token), self.symbol(token)))
        return StatsUpdate(
            partition=partition,
            epoch=self._epoch,
            seq=(self._epoch << 32) + self._count[partition],
            offset=self._offset[partition],
            t_ms=t_ms,
            end_ms=self.spec.end_ms(t_ms),
            complete_since_ms=self._start_ms,
            names=tuple(names),
            token_ids=local,
            rows=self._wide_rows(len(local)) if self._wide else self._plain_rows(len(local)),
        )

    def stream(self, updates: int, changed: int) -> Iterator[StatsUpdate]:
        """Make updates of all shards in turn.

        Args:
            updates: how many in all.
            changed: tokens changed in each.
        """
        for number in range(updates):
            yield self.update(number % self.partitions, changed)

    def everything(self) -> Iterator[StatsUpdate]:
        """Make one update a shard that names every token and gives it numbers."""
        for partition in range(self.partitions):
            owned = (self.tokens - partition + self.partitions - 1) // self.partitions
            yield self.update_of(partition, np.arange(owned, dtype=np.int32))

    def _plain_rows(self, count: int) -> NDArray[np.int64]:
        shape = (count, len(self.spec.widths_ms))
        rows = np.zeros((*shape, ROW_WORDS), dtype=np.int64)
        draw = self._random.integers
        rows[..., 0] = draw(0, 10**15, shape)  # up to a billion dollars
        rows[..., 2] = draw(0, 10**18, shape)
        rows[..., 5] = draw(0, rows[..., 0] + 1)
        rows[..., 7] = draw(1, 100_000, shape)
        rows[..., 8] = draw(0, rows[..., 7] + 1)
        rows[..., 9] = draw(0, rows[..., 7] + 1)
        return rows

    def _wide_rows(self, count: int) -> NDArray[np.int64]:
        windows = len(self.spec.widths_ms)
        rows = np.zeros((count, windows, ROW_WORDS), dtype=np.int64)
        for place in np.ndindex(count, windows):
            vol_usd = self._integer(100)
            trades = 1 + self._integer(40)
            rows[place] = to_row(
                WindowStats(
                    vol_usd=vol_usd,
                    vol_token=self._integer(170),
                    trades=trades,
                    buy=self._integer(64) % (trades + 1),
                    buy_usd=self._integer(128) % (vol_usd + 1),
                    unpriced=self._integer(64) % (trades + 1),
                )
            )
        return rows

    def _integer(self, bits_max: int) -> int:
        bits = int(self._random.integers(0, bits_max + 1))
        return int.from_bytes(self._random.bytes(bits_max // 8 + 1), "little") % (1 << bits)
