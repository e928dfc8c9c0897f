"""The hot store within one process: what an embedded service or a test reads and writes.

It keeps the same promises as the one in Redis, fencing included, and nothing over a restart.
"""

import threading
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from swapstats.errors import Fenced, InvariantBroken, Transient
from swapstats.model.effects import StatsUpdate, TokenName
from swapstats.ports.hot_store import HotHead

_NEVER = -1


@dataclass(slots=True)
class _Tokens:
    """The tokens of a partition since the last whole update; arrays by token number."""

    newest: StatsUpdate
    head: HotHead
    whole_seq: int
    rows: NDArray[np.int64]
    changed: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    names: dict[int, TokenName] = field(default_factory=dict)


class MemoryHotStore:
    """Newest statistics in memory; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._partitions: dict[int, _Tokens] = {}

    def head(self, partition: int) -> HotHead | None:
        """Where a partition stands; None if nothing was ever put."""
        with self._lock:
            tokens = self._partitions.get(partition)
            return None if tokens is None else tokens.head

    def changes(self, partition: int, after_seq: int) -> StatsUpdate | None:
        """Read what changed after an update.

        Args:
            partition: the shard.
            after_seq: seq of the newest update the reader has; 0 = none.

        Returns:
            One update that brings a reader of `after_seq` to the newest state, with the names of
            all tokens in it; `whole` if it holds every token. None if there is nothing newer.
        """
        with self._lock:
            tokens = self._partitions.get(partition)
            if tokens is None or tokens.head.seq <= after_seq:
                return None
            whole = after_seq < tokens.whole_seq
            newest = tokens.newest
            numbers = np.flatnonzero(tokens.changed > (_NEVER if whole else after_seq))
            return StatsUpdate(
                partition=partition,
                epoch=newest.epoch,
                seq=newest.seq,
                offset=newest.offset,
                t_ms=newest.t_ms,
                end_ms=newest.end_ms,
                complete_since_ms=newest.complete_since_ms,
                names=tuple(tokens.names[number] for number in numbers.tolist()),
                token_ids=numbers.astype(np.int32),
                rows=tokens.rows[numbers],
                whole=whole,
            )

    def put(self, update: StatsUpdate, now_ms: int, lag_ms: int) -> None:
        """Take an update in, all of it or nothing.

        Args:
            update: updates of one partition come in order of seq; the first one of an epoch must
                be whole.
            now_ms: the writer's wall clock.
            lag_ms: how far the writer is behind the log.

        Raises:
            Fenced: a higher epoch wrote this partition; nothing was changed.
            Transient: the update is not whole and there is nothing it could build on.
            InvariantBroken: this update, or a newer one, was put before.
        """
        head = HotHead(update.epoch, update.seq, update.offset, update.t_ms, now_ms, lag_ms)
        with self._lock:
            tokens = self._partitions.get(update.partition)
            if tokens is not None:
                _expect_newer(tokens.head, update)
            if update.whole:
                tokens = _Tokens(update, head, update.seq, update.rows[:0])
                self._partitions[update.partition] = tokens
            elif tokens is None or tokens.head.epoch != update.epoch:
                raise Transient(
                    f"Expected a whole update of partition {update.partition}, was one of some "
                    "tokens: there is nothing it builds on; put a whole one"
                )
            tokens.newest, tokens.head = update, head
            _take(tokens, update)

    def close(self) -> None:
        """Release nothing: what is held goes with the object."""


def _expect_newer(head: HotHead, update: StatsUpdate) -> None:
    if update.epoch < head.epoch:
        raise Fenced(
            f"Expected to own partition {update.partition} under epoch {update.epoch}, was taken "
            f"over under epoch {head.epoch}: this instance must stop writing"
        )
    if update.epoch == head.epoch and update.seq <= head.seq:
        raise InvariantBroken(
            f"Expected an update of partition {update.partition} after seq {head.seq}, was "
            f"{update.seq}"
        )


def _take(tokens: _Tokens, update: StatsUpdate) -> None:
    named = np.array([name.token_id for name in update.names], dtype=np.int64)
    needed = int(max(update.token_ids.max(initial=_NEVER), named.max(initial=_NEVER))) + 1
    held = len(tokens.changed)
    if needed > held:
        # Doubling keeps the cost of growing linear in the number of tokens.
        more = max(needed, 2 * held) - held
        tokens.changed = np.append(tokens.changed, np.full(more, _NEVER, dtype=np.int64))
        blank = np.zeros((more, *update.rows.shape[1:]), dtype=np.int64)
        tokens.rows = np.concatenate((tokens.rows, blank))
    tokens.rows[update.token_ids] = update.rows
    tokens.changed[update.token_ids] = update.seq
    tokens.changed[named] = update.seq
    tokens.names.update((name.token_id, name) for name in update.names)
