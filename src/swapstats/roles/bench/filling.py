"""Ways to fill a shard with millions of pairs, and what it holds then."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swapstats.core.shard import Shard
from swapstats.core.shard_memory import ShardMemory
from swapstats.errors import InvariantBroken, UsageError
from swapstats.roles.bench.made_swaps import (
    START_MS,
    Popularity,
    SteadyStream,
    cut_records,
    mix,
    write_messages,
)

DAY_MS = 86_400_000
_AT_ONCE = 50_000
BATCH_MESSAGES = 8_192
SEAL_ROUNDS = 400
"""Batches without anything for old buckets after which all of them are packed: 17,280 / 64, and
the 64 batches a bucket must be quiet for, and some more."""


def fill_steadily(
    shard: Shard,
    stream: SteadyStream,
    count: int,
    on_progress: Callable[[int], None],
    batch_messages: int = BATCH_MESSAGES,
) -> None:
    """Let the first `count` messages of a live stream happen, late and repeated ones with them."""
    for first in range(0, count, _AT_ONCE):
        end = min(count, first + _AT_ONCE)
        for batch in stream.records(first, end, shard.next_offset, batch_messages):
            shard.apply(batch, int(batch.append_ms[-1]))
        on_progress(end - first)


def fill_shuffled(
    shard: Shard, popularity: Popularity, count: int, on_progress: Callable[[int], None]
) -> None:
    """Fill a day with messages whose event times come in random order."""
    for numbers in _chunks(count):
        when = START_MS + (mix(numbers, 4) % np.uint64(DAY_MS - 10_000)).astype(np.int64)
        _apply(shard, numbers, popularity.tokens_of(numbers), when)
        on_progress(len(numbers))


def fill_by_token(
    shard: Shard, tokens: int, count: int, on_progress: Callable[[int], None]
) -> None:
    """Fill a day token by token, as a backfill does: each token's whole day, then the next one."""
    each = math.ceil(count / tokens)
    for numbers in _chunks(count):
        token, place = np.divmod(numbers, each)
        when = START_MS + place * (DAY_MS - 10_000) // each
        _apply(shard, numbers, token, when)
        on_progress(len(numbers))


def quiet_down(shard: Shard) -> None:
    """Let single messages of the newest moment come until every older bucket is packed."""
    newest_ms = max(shard.newest_ms, shard.t_ms)
    for round_number in range(SEAL_ROUNDS):
        number = np.array([9_000_000_000 + round_number], dtype=np.int64)
        _apply(shard, number, np.zeros(1, dtype=np.int64), np.array([newest_ms], dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Cost:
    """What a shard's memory comes to.

    Attributes:
        held: what it holds.
        pair_bytes: bytes a held pair, all of its sets, content check included.
        cell_bytes: bytes a held cell, all that is not sets or per token.
        bytes_per_pair: everything, by pair.
    """

    held: ShardMemory
    pair_bytes: float
    cell_bytes: float
    bytes_per_pair: float

    @staticmethod
    def of(shard: Shard) -> "Cost":
        """Measure a shard.

        Raises:
            UsageError: it holds nothing.
        """
        held = shard.memory()
        if not held.pairs or not held.cells:
            raise UsageError("Expected a shard that holds pairs and cells, was an empty one")
        return Cost(
            held=held,
            pair_bytes=held.sets_bytes / held.pairs,
            cell_bytes=held.cells_bytes / held.cells,
            bytes_per_pair=held.total_bytes / held.pairs,
        )


def expect_pairs(shard: Shard, pairs: int) -> None:
    """Check that a filling did what it says.

    Raises:
        InvariantBroken: the shard holds another number of pairs, or refused messages.
    """
    held = shard.memory().pairs
    if held != pairs or shard.counters["dead_letters"] or shard.counters["too_old"]:
        raise InvariantBroken(f"Expected {pairs} pairs, was {held}: {shard.counters}")


def _chunks(count: int) -> Iterator[NDArray[np.int64]]:
    for first in range(0, count, _AT_ONCE):
        yield np.arange(first, min(count, first + _AT_ONCE), dtype=np.int64)


def _apply(
    shard: Shard,
    numbers: NDArray[np.int64],
    tokens: NDArray[np.int64],
    event_ms: NDArray[np.int64],
) -> None:
    table = write_messages(numbers, tokens, event_ms)
    append_ms = np.full(len(numbers), START_MS + DAY_MS, dtype=np.int64)
    for batch in cut_records(table, append_ms, shard.next_offset, BATCH_MESSAGES):
        shard.apply(batch, 0)
