"""The scripts that write a shard's checkpoint in Redis, each under one epoch.

Every script compares the epoch first and changes nothing if it is not the stored one, so an owner
that was taken over can do no harm at whatever step it stands. `checkpoints.py` puts the steps in
order.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from swapstats.adapters.redis.checkpoint_reader import (
    LayeredRevision,
    Manifest,
    RedisCheckpointReader,
    Row,
    ShardKeys,
    pack_row,
    row_crc,
)
from swapstats.adapters.redis.connection import FIELDS_MAX, Script, portions
from swapstats.errors import Fenced, StoreCorrupt, Transient
from swapstats.model.checkpoint import CheckpointHeader

FOLD_BYTES_MAX: Final = 1 << 20
"""About how much one command copies within Redis."""

_CHECK_EPOCH = """
local stored = tonumber(redis.call('GET', KEYS[1]) or '0')
if stored ~= tonumber(ARGV[1]) then return {'epoch', stored} end
"""
_BEGIN = Script("""
local stored = tonumber(redis.call('GET', KEYS[1]) or '0')
local mine = tonumber(ARGV[1])
if stored > mine or (stored < mine and ARGV[2] == '0') then return {'epoch', stored} end
if stored < mine then redis.call('SET', KEYS[1], ARGV[1]) end
local found = redis.call('HMGET', KEYS[2], 'generation', 'body')
return {'ok', found[1], found[2], redis.call('SMEMBERS', KEYS[3])}
""")
_UPLOAD = Script(
    _CHECK_EPOCH
    + """
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('HSET', KEYS[3], unpack(ARGV, 3))
return {'ok'}
"""
)
_SWITCH = Script(
    _CHECK_EPOCH
    + """
local generation = redis.call('HGET', KEYS[2], 'generation') or ''
if generation ~= ARGV[2] then return {'generation'} end
redis.call('HSET', KEYS[2], 'generation', ARGV[3], 'body', ARGV[4])
return {'ok'}
"""
)
_FOLD = Script(
    _CHECK_EPOCH
    + """
local found = redis.call('HMGET', KEYS[2], unpack(ARGV, 2))
local pairs = {}
for at = 1, #found do
  if not found[at] then return {'missing'} end
  pairs[2 * at - 1] = ARGV[at + 1]
  pairs[2 * at] = found[at]
end
redis.call('HSET', KEYS[3], unpack(pairs))
return {'ok'}
"""
)
_PRUNE = Script(
    _CHECK_EPOCH
    + """
redis.call('HDEL', KEYS[2], unpack(ARGV, 2))
return {'ok'}
"""
)
_DROP = Script(
    _CHECK_EPOCH
    + """
redis.call('SREM', KEYS[2], unpack(ARGV, 2))
for at = 3, #KEYS do redis.call('UNLINK', KEYS[at]) end
return {'ok'}
"""
)


@dataclass(slots=True)
class StoredShard:
    """A shard as it stands in Redis, and what is known of its rows.

    Attributes:
        generation: changes with every write of the manifest; empty = nothing stands there.
        manifest: the revisions, None if there is none.
        layers: rows by layer and field, of the layers that were read or written.
    """

    generation: bytes = b""
    manifest: Manifest | None = None
    layers: dict[str, dict[bytes, Row]] = field(default_factory=dict)


class CheckpointSteps:
    """The steps on one shard under one epoch.

    Every step raises Fenced if the stored epoch is higher, Transient if it is lower or Redis is
    away, and StoreFull if there is no room.

    Args:
        reader: of the store.
        header: of the revision to be written.
    """

    def __init__(self, reader: RedisCheckpointReader, header: CheckpointHeader) -> None:
        self._reader = reader
        self._line = reader.line
        self.shard = header.shard
        self._epoch = header.epoch
        self.keys: ShardKeys = reader.keys(header.shard)

    def begin(self, *, adopt: bool) -> tuple[StoredShard, set[str]]:
        """Look at the shard.

        Args:
            adopt: make a lower epoch, or none, this one: for a revision that builds on no other.

        Returns:
            What stands there, without rows, and the names of all layers there are.
        """
        _, generation, body, members = self._expect(
            self._line.run(
                _BEGIN,
                [self.keys.epoch, self.keys.manifest, self.keys.layers],
                self._epoch,
                int(adopt),
            )
        )
        manifest = None
        if body is not None:
            try:
                manifest = self._reader.unpack_manifest(self.shard, body)
            except StoreCorrupt:
                # What a full revision replaces need not be whole.
                if not adopt:
                    raise
        stored = StoredShard(generation or b"", manifest)
        return stored, {member.decode() for member in members}

    def upload(self, name: str, rows: Iterator[tuple[bytes, bytes]]) -> None:
        """Add rows to a layer that no revision reads yet, in parts."""
        keys = [self.keys.epoch, self.keys.layers, self.keys.layer(name)]
        calls = ((keys, (self._epoch, name, *portion)) for portion in portions(rows))
        for answer in self._line.run_each(_UPLOAD, calls):
            self._expect(answer)

    def switch(self, before: bytes, manifest: Manifest) -> bytes:
        """Put a manifest in the place of the one of this generation; returns the new one's."""
        packed = msgspec.msgpack.encode(manifest)
        generation = uuid.uuid4().hex.encode()
        self._expect(
            self._line.run(
                _SWITCH,
                [self.keys.epoch, self.keys.manifest],
                self._epoch,
                before,
                generation,
                pack_row(packed, row_crc(packed, self.shard, b"manifest")),
            )
        )
        return generation

    def fold(self, source: str, target: str, rows: dict[bytes, Row]) -> None:
        """Copy rows from one layer into another within Redis."""
        keys = [self.keys.epoch, self.keys.layer(source), self.keys.layer(target)]
        calls = ((keys, (self._epoch, *part)) for part in _parts(rows))
        for answer in self._line.run_each(_FOLD, calls):
            self._expect(answer)

    def prune(self, name: str, fields: list[bytes]) -> None:
        """Take rows out of a layer."""
        keys = [self.keys.epoch, self.keys.layer(name)]
        calls = (
            (keys, (self._epoch, *fields[at : at + FIELDS_MAX]))
            for at in range(0, len(fields), FIELDS_MAX)
        )
        for answer in self._line.run_each(_PRUNE, calls):
            self._expect(answer)

    def drop_unused(self, manifest: Manifest | None, members: set[str]) -> None:
        """Drop the layers that no revision reads."""
        used = {name for revision in revisions(manifest) for name in revision.layers}
        names = sorted(members - used)
        for at in range(0, len(names), FIELDS_MAX):
            some = names[at : at + FIELDS_MAX]
            keys = [self.keys.epoch, self.keys.layers, *map(self.keys.layer, some)]
            self._expect(self._line.run(_DROP, keys, self._epoch, *some))

    def _expect(self, answer: list[Any]) -> list[Any]:
        """Pass an answer on if it is good."""
        if answer[0] == b"ok":
            return answer
        if answer[0] == b"epoch" and answer[1] > self._epoch:
            raise Fenced(
                f"Expected to own shard {self.shard} under epoch {self._epoch}, was taken over "
                f"under epoch {answer[1]}: this instance must stop writing"
            )
        found = f"epoch {answer[1]}" if answer[0] == b"epoch" else f"a change of {answer[0]!r}"
        raise Transient(
            f"Expected shard {self.shard} in {self._line.name} as it was left under epoch "
            f"{self._epoch}, was {found}: it was emptied or lost its last moments; the next "
            "revision must be a full one"
        )


def revisions(manifest: Manifest | None) -> list[LayeredRevision]:
    """The revisions of a manifest, the newest first."""
    if manifest is None:
        return []
    return [manifest.newest, *([manifest.previous] if manifest.previous else [])]


def _parts(rows: dict[bytes, Row]) -> Iterator[list[bytes]]:
    """Fields of rows, cut to FIELDS_MAX and about FOLD_BYTES_MAX."""
    part: list[bytes] = []
    size_bytes = 0
    for name, row in rows.items():
        if part and (size_bytes + row.size_bytes > FOLD_BYTES_MAX or len(part) >= FIELDS_MAX):
            yield part
            part, size_bytes = [], 0
        part.append(name)
        size_bytes += row.size_bytes
    if part:
        yield part
