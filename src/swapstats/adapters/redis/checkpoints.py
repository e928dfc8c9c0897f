"""Checkpoints in Redis: atomic, incremental, fenced; one writer per shard and epoch.

Saving revision 59 on top of 58:

    1. upload what changed as a new layer, in parts           (nobody reads it yet)
    2. switch the manifest, if the epoch still is ours        (one script: all or nothing)
    3. fold what the revision before reads into one layer     (changes no revision)

                      before            after 2           after 3
    newest            [base, 58]        [base, 58, 59]    [base, 59]
    previous          [base]            [base, 58]        [base]     with the rows of 58

So a shard has two or three layers, a bucket lies there at most twice, and no step is larger than
about COMMAND_BYTES_MAX, whatever the size of the state. A full revision starts a new list with one
layer and the old ones go as soon as the revision before needs them no more. What a failed or a
fenced save uploaded is in no manifest; the next save drops it.

Every script compares the epoch first. A Redis that was emptied, or came back without its last
moments, knows a lower epoch than the owner has: then a delta that builds on a lost revision is
refused as Transient, and a full revision makes the store whole again under the owner's epoch.
"""

import threading
import uuid
from collections.abc import Iterator
from typing import Final

import msgspec

from swapstats.adapters.redis.checkpoint_reader import (
    ALWAYS,
    LayeredRevision,
    Manifest,
    RedisCheckpointReader,
    Row,
    pack_row,
    row_crc,
)
from swapstats.adapters.redis.checkpoint_steps import (
    CheckpointSteps,
    StoredShard,
    revisions,
)
from swapstats.adapters.redis.connection import TIMEOUT_MS, Script
from swapstats.errors import Fatal, Fenced, StoreError, Transient
from swapstats.model.checkpoint import Checkpoint, CheckpointDelta, CheckpointHeader
from swapstats.model.writer import EPOCH_ZERO_S

EPOCH_MAX: Final = (1 << 21) - 1
"""Change numbers are `(epoch << 32) + n` and must stay exact where numbers have 53 bits."""
EPOCH_UNIT_S: Final = 600
"""A first epoch counts units of this since 2024: enough for EPOCH_MAX until 2063."""

_ACQUIRE = Script("""
local stored = tonumber(redis.call('GET', KEYS[1]) or '0')
local epoch = stored + 1
if stored == 0 and tonumber(ARGV[2]) > 0 then
  local units = (tonumber(redis.call('TIME')[1]) - tonumber(ARGV[3])) / tonumber(ARGV[2])
  epoch = math.max(epoch, math.floor(units))
end
epoch = math.max(epoch, tonumber(ARGV[1]) + 1)
if epoch > tonumber(ARGV[4]) then return -1 end
redis.call('SET', KEYS[1], string.format('%d', epoch))
return epoch
""")


class RedisCheckpointStore:
    """The writer of checkpoints, and their reader for the same process; from any thread.

    Args:
        url: of the Redis, see `RedisLine`.
        prefix: first part of every key, without braces.
        timeout_ms: bound on each answer.
        epoch_unit_s: a shard without an epoch gets the number of such units since 2024 as its
            first one, so that an emptied Redis does not go back to epochs that were seen before;
            0 = 1. It holds as long as owners change less often than once a unit, over the time
            since the first; what this process was given before, it never gets again in any case.
    """

    def __init__(
        self,
        url: str,
        prefix: str,
        *,
        timeout_ms: int = TIMEOUT_MS,
        epoch_unit_s: int = EPOCH_UNIT_S,
    ) -> None:
        self._reader = RedisCheckpointReader(url, prefix, timeout_ms=timeout_ms)
        self._line = self._reader.line
        self._epoch_unit_s = epoch_unit_s
        self._lock = threading.Lock()
        self._epochs: dict[int, int] = {}
        self._shards: dict[int, StoredShard] = {}

    def load(self, shard: int, *, previous: bool = False) -> Checkpoint | None:
        """Read the newest whole revision of a shard (or the one before it); None if none.

        Raises:
            StoreCorrupt: the bytes are not what was written.
            StoreFormat: written by a newer version.
            Transient: Redis cannot be reached.
        """
        return self._reader.load(shard, previous=previous)

    def acquire(self, shard: int) -> int:
        """Become the shard's owner: raise its epoch and return it.

        Raises:
            Transient: Redis cannot be reached; the epoch may have been raised.
            StoreFull: no room; the epoch stands.
            Fatal: there is no higher epoch.
        """
        with self._lock:
            epoch = int(
                self._line.run(
                    _ACQUIRE,
                    [self._reader.keys(shard).epoch],
                    self._epochs.get(shard, 0),
                    self._epoch_unit_s,
                    EPOCH_ZERO_S,
                    EPOCH_MAX,
                )
            )
            if epoch < 0:
                raise Fatal(
                    f"Expected an epoch of shard {shard} below {EPOCH_MAX} in {self._line.name}, "
                    "was at the bound: use another prefix and rebuild the state from the log"
                )
            self._epochs[shard] = epoch
        return epoch

    def save(self, delta: CheckpointDelta) -> None:
        """Write one revision: all of it or nothing.

        A delta builds on the revision right before it. One that is not the newest in the store
        (its owner restored the previous revision) replaces those from its number on.

        Raises:
            Fenced: the shard's epoch in the store is higher than the delta's; nothing changed.
            StoreFull: no room; the previous revision stands.
            Transient: Redis cannot be reached, or it lost what the delta builds on (it was
                emptied); the next revision must be a full one.
            StoreCorrupt: what the delta builds on is damaged.
        """
        shard = delta.header.shard
        with self._lock:
            self._epochs[shard] = max(self._epochs.get(shard, 0), delta.header.epoch)
            try:
                known = _Save(self._reader, delta).write(self._shards.pop(shard, None))
            except (Transient, StoreError) as error:
                self._drop_uploads(delta.header, error)
                raise
            self._shards[shard] = known

    def close(self) -> None:
        """Release connections."""
        self._reader.close()

    def _drop_uploads(self, header: CheckpointHeader, error: Exception) -> None:
        """Make room again at once; if Redis is away, the next save does it."""
        if isinstance(error, Transient):
            return
        try:
            step = CheckpointSteps(self._reader, header)
            state, members = step.begin(adopt=False)
            step.drop_unused(state.manifest, members)
        except (Transient, StoreError, Fenced) as again:
            error.add_note(f"what was uploaded waits for the next save: {again}")


class _Save:
    """One save: the steps in their order."""

    def __init__(self, reader: RedisCheckpointReader, delta: CheckpointDelta) -> None:
        self._reader = reader
        self._delta = delta
        self._header = delta.header
        self._steps = CheckpointSteps(reader, delta.header)

    def write(self, known: StoredShard | None) -> StoredShard:
        delta, header = self._delta, self._header
        state, members = self._steps.begin(adopt=delta.full or header.revision == 1)
        self._steps.drop_unused(state.manifest, members)
        before = self._before(state.manifest)
        if before is not None:
            state.layers = self._rows_of(state, known, before)
        rows = dict(self._new_rows())
        layer = f"{header.epoch}-{header.revision}-{uuid.uuid4().hex[:12]}"
        self._steps.upload(layer, self._values(rows))
        built_on = () if delta.full or before is None else before.layers
        layers = (*built_on, layer) if rows else built_on
        state.layers[layer] = rows
        manifest = Manifest(self._seal(layers, state.layers), before)
        state.generation = self._steps.switch(state.generation, manifest)
        state.manifest = manifest
        try:
            self._tidy(state, members | {layer})
        except (Transient, StoreError, Fenced):
            # The revision stands. What is not tidied costs room until the next save does it.
            return StoredShard()
        return state

    def _before(self, manifest: Manifest | None) -> LayeredRevision | None:
        """The revision that will be the previous one."""
        number = self._header.revision
        for revision in revisions(manifest):
            found = self._reader.header(self._header.shard, revision).revision
            if found >= number:
                continue
            if found == number - 1 or self._delta.full:
                return revision
            break
        if self._delta.full or number == 1:
            return None
        raise Transient(
            f"Expected revision {number - 1} of shard {self._header.shard} in "
            f"{self._reader.line.name} to build {number} on, was none: Redis was emptied or lost "
            "its last moments; the next revision must be a full one"
        )

    def _rows_of(
        self, state: StoredShard, known: StoredShard | None, before: LayeredRevision
    ) -> dict[str, dict[bytes, Row]]:
        """Rows of the layers the revision before reads; read back if needed and not known."""
        if known is not None and known.generation == state.generation:
            return {name: known.layers[name] for name in before.layers if name in known.layers}
        if self._delta.full:
            return {}
        assert state.manifest is not None
        loaded = self._reader.load_rows(
            self._header.shard, previous=before is not state.manifest.newest
        )
        if loaded is None or set(loaded.rows) != set(before.layers):
            raise Transient(
                f"Expected shard {self._header.shard} in {self._reader.line.name} to stand still "
                "while its owner saves, was changed; the next revision must be a full one"
            )
        return loaded.rows

    def _new_rows(self) -> Iterator[tuple[bytes, Row]]:
        shard = self._header.shard
        for number, data in self._delta.buckets.items():
            name = b"b%d" % number
            yield name, Row(row_crc(data, shard, name), len(data), number)
        if self._delta.tokens:
            name, data = b"t%d" % self._header.revision, self._delta.tokens
            yield name, Row(row_crc(data, shard, name), len(data), ALWAYS)

    def _values(self, rows: dict[bytes, Row]) -> Iterator[tuple[bytes, bytes]]:
        for name, row in rows.items():
            is_tokens = row.bucket == ALWAYS
            data = self._delta.tokens if is_tokens else self._delta.buckets[row.bucket]
            yield name, pack_row(data, row.crc)

    def _seal(self, layers: tuple[str, ...], rows: dict[str, dict[bytes, Row]]) -> LayeredRevision:
        counted: dict[bytes, Row] = {}
        for name in layers:
            counted.update(rows[name])
        floor = self._header.min_bucket
        crcs = [row.crc for row in counted.values() if row.bucket >= floor]
        return LayeredRevision(msgspec.json.encode(self._header), layers, len(crcs), sum(crcs))

    def _tidy(self, state: StoredShard, members: set[str]) -> None:
        """Fold, prune and drop: no revision changes by it."""
        manifest = state.manifest
        if manifest is None or manifest.previous is None:
            return
        newest, previous = manifest.newest, manifest.previous
        floor = min(
            self._header.min_bucket, self._reader.header(self._header.shard, previous).min_bucket
        )
        shared = previous.layers
        if len(shared) > 1 and newest.layers[: len(shared)] == shared:
            lowest, rest = shared[0], newest.layers[len(shared) :]
            for name in shared[1:]:
                rows = {at: row for at, row in state.layers[name].items() if row.bucket >= floor}
                self._steps.fold(name, lowest, rows)
                state.layers[lowest].update(rows)
            manifest = Manifest(
                msgspec.structs.replace(newest, layers=(lowest, *rest)),
                msgspec.structs.replace(previous, layers=(lowest,)),
            )
            state.generation = self._steps.switch(state.generation, manifest)
            state.manifest = manifest
        self._prune_lowest(state, manifest, floor)
        self._steps.drop_unused(manifest, members)

    def _prune_lowest(self, state: StoredShard, manifest: Manifest, floor: int) -> None:
        assert manifest.previous is not None
        for name in {*manifest.previous.layers[:1], *manifest.newest.layers[:1]}:
            # Rows that a full revision replaced may be unknown: their layer goes as a whole.
            rows = state.layers.get(name, {})
            gone = [at for at, row in rows.items() if row.bucket < floor]
            if gone:
                self._steps.prune(name, gone)
                for at in gone:
                    del rows[at]
