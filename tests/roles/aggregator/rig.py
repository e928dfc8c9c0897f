"""An aggregator on real embedded stores, with the clock and the moment of each step in hand."""

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from swapstats.adapters.embedded.checkpoints import EmbeddedCheckpointStore
from swapstats.adapters.embedded.dead_letters import EmbeddedDeadLetterStore
from swapstats.adapters.embedded.log import EmbeddedSwapLog
from swapstats.core.decode import choose_partitions
from swapstats.core.hash_key import HashKey
from swapstats.core.recount import Recount
from swapstats.core.shard_config import ShardConfig
from swapstats.model.effects import DeadLetter, Effects, StatsUpdate
from swapstats.model.record import MessageBlock
from swapstats.model.stats import WindowStats, from_row
from swapstats.model.window import WindowSpec
from swapstats.roles.aggregator.options import AggregatorOptions
from swapstats.roles.aggregator.run import Aggregator
from swapstats.roles.archiver import Archiver
from swapstats.testing.manual_clock import ManualClock
from swapstats.wiring.embedded import embedded_aggregator

START_MS = 1_704_412_800_000
SPEC = WindowSpec(1_000, (5_000, 60_000))
KEY = HashKey.of(b"sixteen bytes ok")


def swap(number: int, event_ms: int, token: str = "BTC", **fields: Any) -> bytes:
    """One add; `fields` replace or add others."""
    message = {
        "schema_version": 1,
        "event_id": f"x:{token}:{number}",
        "token_address": token,
        "side": "buy" if number % 2 else "sell",
        "amount_token": str(number + 1),
        "amount_usd": "1.5",
        "event_time": event_ms,
    }
    return json.dumps(message | fields).encode()


class Watched:
    """A FanOut and an observer that keep everything they are told."""

    def __init__(self) -> None:
        self.published: list[StatsUpdate] = []
        self.lags_ms: list[int] = []
        self.snapshots: list[int] = []
        self.counted: dict[str, int] = {}

    def publish(self, update: StatsUpdate) -> None:
        self.published.append(update)

    def applied(self, partition: int, effects: Effects, took_ms: float) -> None:
        for name, count in effects.counters.items():
            self.counted[name] = self.counted.get(name, 0) + count

    def position(self, partition: int, next_offset: int, end_offset: int, lag_ms: int) -> None:
        self.lags_ms.append(lag_ms)

    def snapshot(self, partition: int, stall_ms: float, took_ms: float, size_bytes: int) -> None:
        self.snapshots.append(partition)

    def tokens(self, count: int) -> None:
        self.token_count = count


class CountedLetters:
    """Passes letters on to a real store and remembers each call."""

    def __init__(self, store: EmbeddedDeadLetterStore) -> None:
        self.store = store
        self.put_calls: list[list[int]] = []

    def put(self, letters: Sequence[DeadLetter]) -> None:
        self.put_calls.append([letter.offset for letter in letters])
        self.store.put(letters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


class Rig:
    """A directory of stores and the aggregator of one life of a process."""

    def __init__(self, path: Path, partition_count: int = 1, faults: Any = None) -> None:
        self.path = path
        self.clock = ManualClock(START_MS)
        self.config = ShardConfig(0, SPEC, KEY)
        self.log = EmbeddedSwapLog(path / "log.db", partition_count)
        self.checkpoints = EmbeddedCheckpointStore(path / "checkpoints.db", faults=faults)
        self.letters = CountedLetters(EmbeddedDeadLetterStore(path / "dead-letters.db"))
        self._lives = contextlib.ExitStack()

    def append(self, *messages: bytes, position: dict[str, str] | None = None) -> None:
        """Append messages now, by token key."""
        block = MessageBlock.of(list(messages))
        now_ms = self.clock.wall_ms()
        partitions = choose_partitions(block, KEY, self.log.partition_count, now_ms)
        self.log.append(block, partitions, now_ms, position or {})

    def aggregator(
        self,
        now_ms: Callable[[], int] | None = None,
        config: ShardConfig | None = None,
        archiver: Archiver | None = None,
        **options: Any,
    ) -> tuple[Aggregator, Watched]:
        """Make the aggregator of a new life; not restored yet."""
        watched = Watched()
        chosen = AggregatorOptions(**options)
        shaped = replace(config or self.config, event_clock=chosen.event_clock)
        made = embedded_aggregator(
            lambda partition: replace(shaped, partition=partition),
            self.log,
            self.checkpoints,
            self.letters,
            watched,
            watched,
            now_ms or self.clock.wall_ms,
            chosen,
            archiver=archiver,
        )
        self._lives.callback(made.close)
        return made, watched

    def living(self, **options: Any) -> tuple[Aggregator, Watched]:
        """Make an aggregator and bring it to the end of the log."""
        made, watched = self.aggregator(**options)
        made.restore()
        drain(made)
        return made, watched

    def recounted(self, t_ms: int) -> dict[str, tuple[WindowStats, ...]]:
        """What the log says of every partition at T."""
        found: dict[str, tuple[WindowStats, ...]] = {}
        for partition in range(self.log.partition_count):
            recount = Recount(SPEC, 120_000, "apply", self.config.max_ahead_ms, "wall", t_ms)
            offset = self.log.start_offsets()[partition]
            while batch := self.log.read(partition, offset, 1 << 20):
                for row in range(len(batch)):
                    recount.feed(batch.message(row), int(batch.append_ms[row]))
                offset = batch.next_offset
            windows = recount.windows()
            found |= {key: tuple(stats.values()) for key, stats in windows.items()}
        return found

    def close(self) -> None:
        self._lives.close()
        self.letters.store.close()
        self.checkpoints.close()
        self.log.close()


def drain(aggregator: Aggregator) -> int:
    """Poll to the end of the log; returns the records taken."""
    taken = 0
    while not aggregator.caught_up():
        taken += aggregator.turn()
    aggregator.turn()
    return taken


def held(aggregator: Aggregator) -> dict[str, tuple[WindowStats, ...]]:
    """Every token with trades, over all shards."""
    found: dict[str, tuple[WindowStats, ...]] = {}
    for shard in aggregator.shards.values():
        found |= shard.live_tokens()
    return found


def shown(updates: list[StatsUpdate]) -> dict[str, tuple[WindowStats, ...]]:
    """What a reader who took these updates, in order, would show; silent tokens left out."""
    names: dict[tuple[int, int], str] = {}
    rows: dict[str, tuple[WindowStats, ...]] = {}
    for update in updates:
        names |= {(update.partition, name.token_id): name.key for name in update.names}
        for token_id, row in zip(update.token_ids.tolist(), update.rows, strict=True):
            rows[names[update.partition, token_id]] = tuple(from_row(window) for window in row)
    return {key: stats for key, stats in rows.items() if any(window.trades for window in stats)}
