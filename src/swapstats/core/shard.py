"""The state machine of one log partition: batches in, effects out.

It has no clock, does no I/O and knows no randomness: time and records are passed in, and what
must happen outside is returned as a value. The life of a batch is `apply`, read top to bottom:

    decode -> advance T -> sort out -> look up pairs -> settle fates -> add to windows

Next: `core.windows` for what it holds, `roles.aggregator.run` for the loop that drives this.
"""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.columns import Columns
from swapstats.core.decode import decode
from swapstats.core.kernels import fate as fates
from swapstats.core.late_duplicates import recognise
from swapstats.core.shard_config import ShardConfig, expect_fit
from swapstats.core.shard_memory import ShardMemory
from swapstats.core.snapshot import SnapshotDraft
from swapstats.core.sorted_rows import sort_out
from swapstats.core.token_table import TokenTable, decode_names
from swapstats.core.windows import Windows
from swapstats.errors import InvariantBroken
from swapstats.model.checkpoint import (
    CHECKPOINT_FORMAT,
    Checkpoint,
    CheckpointHeader,
)
from swapstats.model.effects import (
    COUNTER_NAMES,
    ArchiveRows,
    DeadLetter,
    Effects,
    StatsUpdate,
    TokenName,
)
from swapstats.model.record import RecordBatch
from swapstats.model.stats import WindowStats, from_row

_NO_ROWS: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
_NO_ARCHIVE = ArchiveRows(_NO_ROWS, np.zeros(0, dtype=np.int8), _NO_ROWS)
_CONFLICT_DETAIL = (
    "Expected the token, side, amounts and event_time of the earlier message with this event_id "
    "and inclusion, was another content"
)


class Shard:
    """The state of one partition.

    Attributes:
        config: what shapes it.
        epoch: ownership number.
        next_offset: the state holds exactly the records before it.
        newest_ms: newest event_time of a well-formed add; 0 = none.
        complete_since_ms: from when on it saw the whole stream; 0 = nothing seen.
        revision: number of the last snapshot.
        counters: totals by COUNTER_NAMES.
        reasons: dead letters by reason.
        tokens: the tokens known.
        windows: buckets and sums.
    """

    def __init__(self, config: ShardConfig, epoch: int, next_offset: int = 0) -> None:
        self.config = config
        self.epoch = epoch
        self.next_offset = next_offset
        self.newest_ms = 0
        self.complete_since_ms = 0
        self.revision = 0
        self.counters = dict.fromkeys(COUNTER_NAMES, 0)
        self.reasons: dict[str, int] = {}
        self.tokens = TokenTable()
        self.windows = Windows(config.spec)
        self._full = True
        self._change = 0
        self._new_names: dict[int, TokenName] = {}
        self._tokens_max = config.tokens_max

    @property
    def t_ms(self) -> int:
        """T; 0 = no moment yet."""
        return self.windows.t_ms

    def memory(self) -> ShardMemory:
        """Count what is held and what it takes."""
        return ShardMemory.of(self.windows, self.tokens)

    def read(self, batch: RecordBatch) -> Columns:
        """Decode records, for who wants to know what is in them before `apply`."""
        return decode(batch, self.config.key, self.config.max_ahead_ms)

    def apply(
        self,
        batch: RecordBatch,
        now_ms: int,
        columns: Columns | None = None,
        known: NDArray[np.bool_] | None = None,
    ) -> Effects:
        """Take the next records of the partition.

        Args:
            batch: records from `next_offset` on.
            now_ms: the wall clock; under the event clock a lower bound of T, 0 for none.
            columns: what `read` made of them; None = read them now.
            known: bool[n], duplicates by a memory longer than the windows: they count as such where
                the windows' own sets, which alone decide over sums, are gone.

        Returns:
            What changed and what must be carried out.

        Raises:
            InvariantBroken: the batch begins below `next_offset` or is of another partition.
        """
        self._expect(batch)
        windows = self.windows
        windows.begin()
        columns = self.read(batch) if columns is None else columns
        if self.complete_since_ms == 0:
            self.complete_since_ms = self._first_moment(batch, columns)
        windows.advance(now_ms)
        sorted_rows = sort_out(columns, self.config, windows.min_bucket, self.newest_ms)
        self.newest_ms = sorted_rows.newest_ms
        outcome = np.zeros(len(batch), dtype=np.uint8)
        opened = windows.decide(sorted_rows, columns, outcome)
        fate, counts, t_ms = self._settle(columns, outcome, sorted_rows.late)
        contributes = (fate == fates.APPLIED) | (fate == fates.REMOVED)
        seen = np.flatnonzero((fate >= fates.APPLIED) & (fate <= fates.CANCELLED))
        tokens, names = self.tokens.intern(seen.astype(np.int32), columns, batch.buffer)
        windows.make_room(self.tokens.count)
        windows.contribute(opened, sorted_rows, columns, tokens, fate)
        windows.advance(t_ms)
        windows.seal_quiet()
        left_out = known is not None and recognise(known, fate, counts)
        self.next_offset = batch.next_offset
        self._new_names.update((name.token_id, name) for name in names)
        if self.tokens.count > self._tokens_max:
            update = self._forget_silent()
        else:
            update = self._update(names, windows.changed())
        return Effects(
            update=update,
            archive=self._archive(fate, contributes, left_out=left_out),
            dead_letters=self._dead_letters(batch, columns, fate),
            counters=self._count(counts),
        )

    def tick(self, now_ms: int) -> Effects:
        """Let time pass without records.

        Args:
            now_ms: the wall clock, or under the event clock the newest event_time of all shards.
        """
        self.windows.begin()
        self.windows.advance(now_ms)
        self.windows.seal_quiet()
        return Effects(update=self._update((), self.windows.changed()), archive=_NO_ARCHIVE)

    def accept_gap(self, next_offset: int, now_ms: int) -> None:
        """Go on at a later offset: what lies between is lost and will be said to be.

        Args:
            next_offset: first offset the log still holds.
            now_ms: moment from which the stream is whole again.
        """
        self.next_offset = next_offset
        self.complete_since_ms = now_ms

    def whole(self) -> StatsUpdate:
        """Everything the shard knows, as one update: for a reader that starts now."""
        numbers = np.arange(self.tokens.count, dtype=np.int32)
        return self._update(self.tokens.names(), numbers, whole=True)

    def stats(self, key: str) -> tuple[WindowStats, ...] | None:
        """Statistics of one token in every window; None if it was never seen."""
        number = self.tokens.number(key)
        if number is None:
            return None
        return tuple(from_row(row) for row in self.windows.rolling[number])

    def live_tokens(self) -> dict[str, tuple[WindowStats, ...]]:
        """Statistics of every token that has trades in some window."""
        return {
            self.tokens.keys[number]: tuple(from_row(row) for row in self.windows.rolling[number])
            for number in self.windows.live_tokens(self.tokens.count)
        }

    def series(self, key: str, span_ms: int) -> list[tuple[int, WindowStats]]:
        """Buckets of one token within the last `span_ms`: see `Windows.series`."""
        number = self.tokens.number(key)
        return [] if number is None else self.windows.series(number, span_ms)

    def snapshot(self, *, everything: bool = False) -> SnapshotDraft:
        """Take what changed since the last snapshot, by reference.

        Cost: a record per changed bucket; `SnapshotDraft.encode` does the copying. Hold the draft
        no longer than needed: what it refers to is kept as it is meanwhile.

        Args:
            everything: True after a snapshot that did not reach the store: what it held is not
                known as changed any more.
        """
        self.revision += 1
        full = self._full or everything
        draft = SnapshotDraft(
            header=self._header(),
            buckets=self.windows.freeze(everything=full),
            names=self.tokens.names()
            if everything
            else tuple(self._new_names[number] for number in sorted(self._new_names)),
            full=full,
        )
        self._full = False
        self._new_names.clear()
        return draft

    @staticmethod
    def restore(config: ShardConfig, checkpoint: Checkpoint, epoch: int) -> "Shard":
        """Rebuild a shard from a checkpoint; it goes on from `next_offset`.

        Raises:
            KeyMismatch: made with another hash key.
            SettingsMismatch: made with another step, clock or narrower windows.
            StoreCorrupt: the blobs are not what was written.
        """
        header = checkpoint.header
        expect_fit(config, header)
        shard = Shard(config, epoch, header.next_offset)
        shard.newest_ms = header.newest_ms
        shard.complete_since_ms = header.complete_since_ms
        shard.revision = header.revision
        shard.counters.update(header.counters)
        shard.reasons.update(header.reasons)
        shard._full = False
        for blob in checkpoint.tokens:
            shard.tokens.load(decode_names(blob), config.key)
        windows = shard.windows
        windows.make_room(shard.tokens.count)
        windows.begin()
        windows.advance(header.t_ms)
        windows.put_back(checkpoint.buckets)
        return shard

    def _expect(self, batch: RecordBatch) -> None:
        if batch.partition != self.config.partition:
            raise InvariantBroken(
                f"Expected records of partition {self.config.partition}, was {batch.partition}"
            )
        if len(batch) == 0 or int(batch.offsets[0]) < self.next_offset:
            first = int(batch.offsets[0]) if len(batch) else None
            raise InvariantBroken(f"Expected records from {self.next_offset} on, was {first}")

    def _first_moment(self, batch: RecordBatch, columns: Columns) -> int:
        if not self.config.event_clock:
            return int(batch.append_ms[0])
        accepted = np.flatnonzero(columns.accepted)
        return int(columns.event_ms[accepted[0]]) if len(accepted) else 0

    def _settle(
        self, columns: Columns, outcome: NDArray[np.uint8], late: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], int]:
        """Give every message its fate; returns fates, counts and the new T."""
        fate = np.empty(len(outcome), dtype=np.uint8)
        counts = np.zeros(fates.FATE_COUNT + 1, dtype=np.int64)
        t_ms = fates.settle(
            columns.accepted,
            columns.event_ms,
            columns.removed,
            outcome,
            late,
            self.config.refuses_late,
            self.config.spec.step_ms,
            self.config.spec.widest_ms,
            self.config.event_clock,
            self.t_ms,
            fate,
            counts,
        )
        return fate, counts, t_ms

    def _archive(
        self, fate: NDArray[np.uint8], contributes: NDArray[np.bool_], *, left_out: bool
    ) -> ArchiveRows:
        index = np.flatnonzero(contributes).astype(np.int32)
        sign = np.where(fate[index] == fates.REMOVED, -1, 1).astype(np.int8)
        apart = fate == fates.TOO_OLD
        if self.config.late == "divert":
            apart |= fate == fates.LATE_REFUSED
        late_index = np.flatnonzero(apart).astype(np.int32)
        return ArchiveRows(index, sign, late_index, left_out)

    def _dead_letters(
        self, batch: RecordBatch, columns: Columns, fate: NDArray[np.uint8]
    ) -> tuple[DeadLetter, ...]:
        found = dict(columns.refusals)
        for row in np.flatnonzero(fate == fates.CONFLICT).tolist():
            found[row] = ("conflict", _CONFLICT_DETAIL)
        for reason, _ in found.values():
            self.reasons[reason] = self.reasons.get(reason, 0) + 1
        return tuple(
            DeadLetter(
                partition=batch.partition,
                offset=int(batch.offsets[row]),
                append_ms=int(batch.append_ms[row]),
                reason=found[row][0],
                detail=found[row][1],
                message=batch.message(row),
            )
            for row in sorted(found)
        )

    def _count(self, counts: NDArray[np.int64]) -> dict[str, int]:
        """Add up fates into the totals and return this batch's part."""
        found = counts.tolist()
        part = {
            "ingested": sum(found[: fates.FATE_COUNT]),
            "applied": found[fates.APPLIED],
            "duplicates": found[fates.DUPLICATE],
            "removed": found[fates.REMOVED],
            "cancelled": found[fates.CANCELLED],
            "too_old": found[fates.TOO_OLD],
            "late": found[fates.LATE],
            "late_refused": found[fates.LATE_REFUSED],
            "dead_letters": found[fates.DEAD] + found[fates.CONFLICT],
        }
        for name, value in part.items():
            self.counters[name] += value
        return part

    def _forget_silent(self) -> StatsUpdate:
        """Forget the tokens that no window can count; the rest get new numbers.

        Cost: every cell held, once per `tokens_max / 8` new tokens at the most. If too few are
        silent the bound gives way: a sum is never refused for want of room.
        """
        windows = self.windows
        kept = np.flatnonzero(windows.held_tokens(self.tokens.count))
        if len(kept) < self.tokens.count:
            windows.keep_tokens(kept)
            tokens = TokenTable()
            keys, symbols = self.tokens.keys, self.tokens.symbols
            tokens.load(
                [TokenName(i, keys[old], symbols[old]) for i, old in enumerate(kept.tolist())],
                self.config.key,
            )
            self.tokens = tokens
            windows.make_room(tokens.count)
        self._tokens_max = max(self.config.tokens_max, len(kept) + self.config.tokens_max // 8)
        self._new_names = {name.token_id: name for name in self.tokens.names()}
        self._full = True
        return self.whole()

    def _update(
        self, names: tuple[TokenName, ...], numbers: NDArray[np.int32], *, whole: bool = False
    ) -> StatsUpdate:
        self._change += 1
        return StatsUpdate(
            partition=self.config.partition,
            epoch=self.epoch,
            seq=(self.epoch << 32) + self._change,
            offset=self.next_offset,
            t_ms=self.windows.t_ms,
            end_ms=self.windows.end_ms,
            complete_since_ms=self.complete_since_ms,
            names=names,
            token_ids=numbers,
            rows=self.windows.rolling[numbers],
            whole=whole,
        )

    def _header(self) -> CheckpointHeader:
        spec = self.config.spec
        return CheckpointHeader(
            format=CHECKPOINT_FORMAT,
            shard=self.config.partition,
            epoch=self.epoch,
            revision=self.revision,
            t_ms=self.t_ms,
            newest_ms=self.newest_ms,
            complete_since_ms=self.complete_since_ms,
            next_offset=self.next_offset,
            min_bucket=self.windows.min_bucket,
            token_count=self.tokens.count,
            step_ms=spec.step_ms,
            widths_ms=spec.widths_ms,
            key_id=self.config.key.key_id,
            clock=self.config.clock,
            counters=dict(self.counters),
            reasons=dict(self.reasons),
        )
