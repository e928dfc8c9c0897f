"""Checkpoints in object storage: atomic, incremental, fenced by conditional writes.

A save writes one segment with the changed buckets, the new tokens and the index of its revision,
then replaces the shard's head under the condition that nobody else did since: until that last step
the revision does not exist, after it all of it does. Who acquires the shard replaces the head as
well, so a former owner's next save finds its condition broken and is refused.

    put segment (anew each time) ──> replace head if unchanged ──> delete what is long unneeded

An object is deleted two saves after the first head that did not need it, so that a reader that
follows an older head still finds it. `layout.py` says how it lies there.
"""

import threading
import zlib
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import msgspec

from swapstats.adapters.object_store.checkpoint_reader import ObjectCheckpointReader
from swapstats.adapters.object_store.compaction import to_rewrite
from swapstats.adapters.object_store.conditions import require_conditions
from swapstats.adapters.object_store.layout import (
    HEAD,
    LAYOUT,
    Garbage,
    Head,
    RevisionIndex,
    RevisionPlace,
    corrupt,
    encode_head,
    encode_index,
    shard_folder,
    without_unused,
)
from swapstats.adapters.object_store.objects import ObjectChanged, ObjectGone, Objects
from swapstats.adapters.object_store.revision import laid_over, part_of, with_moved
from swapstats.errors import Fenced, InvariantBroken, StoreCorrupt, Transient
from swapstats.model.checkpoint import Checkpoint, CheckpointDelta, CheckpointHeader

ACQUIRES_MAX: Final = 20
"""Times an acquire starts anew because another one came first."""
KEPT_SAVES: Final = 2
"""Saves between the first head that does not need an object and its deletion."""
SWEEP_SAVES: Final = 1_000
"""Saves between two looks for objects no head knows, left by saves that were cut off."""
MOVED_BYTES_MAX: Final = 16 << 20
"""Most bytes of buckets, and of token blobs, one save moves out of old segments."""

_NOTHING: Final = Head(layout=LAYOUT, epoch=0)


@dataclass(frozen=True, slots=True)
class _Revision:
    """A revision that is in the store."""

    place: RevisionPlace
    index: RevisionIndex

    def names(self) -> set[str]:
        """Objects it needs."""
        return {self.place.segment, *self.index.segments}


@dataclass(slots=True)
class _Shard:
    """What the writer knows of a shard; `head` is None until the store was looked at."""

    lock: threading.Lock
    head: Head | None = None
    etag: str | None = None
    newest: _Revision | None = None
    previous: _Revision | None = None


class ObjectCheckpointStore:
    """The writer of checkpoints, and their reader for the same process; from any thread.

    Args:
        objects: where they are kept; no other program writes there.

    Raises:
        SettingsError: the store ignores conditions: fencing would be lost.
        Transient: the store cannot be reached.
        StoreError: access denied.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._reader = ObjectCheckpointReader(objects)
        self._lock = threading.Lock()
        self._shards: dict[int, _Shard] = {}
        require_conditions(objects)

    def load(self, shard: int, *, previous: bool = False) -> Checkpoint | None:
        """Read the newest whole revision of a shard (or the one before it); None if none.

        Raises:
            StoreCorrupt: the bytes are not what was written, or are gone.
            StoreFormat: written by a newer version.
            Transient: the store cannot be reached.
            StoreError: access denied.
        """
        return self._reader.load(shard, previous=previous)

    def acquire(self, shard: int) -> int:
        """Become the shard's owner: raise its epoch and return it (1 at first).

        Raises:
            StoreCorrupt: the head is not what was written.
            StoreFormat: written by a newer version.
            Transient: the store cannot be reached, or others acquire all the time.
            StoreError: access denied.
        """
        known = self._known(shard)
        with known.lock:
            for _ in range(ACQUIRES_MAX):
                before = self._look(shard, known)
                after = msgspec.structs.replace(before, epoch=before.epoch + 1)
                after = self._swept(shard, after, known)
                try:
                    known.etag = self._put_head(shard, after, known.etag)
                except ObjectChanged:
                    # A write of ours whose answer was lost ends here too: it counts as another's.
                    continue
                known.head = after
                return after.epoch
        raise Transient(
            f"Expected to acquire shard {shard} within {ACQUIRES_MAX} tries, was overtaken each "
            "time: look for instances that restart in a loop"
        )

    def save(self, delta: CheckpointDelta) -> None:
        """Write one revision: all of it or nothing.

        A delta builds on the revision right before it. One that is not the newest in the store
        (its owner restored the previous revision) replaces those from its number on. A full one
        may be saved over a damaged one, which is then forgotten.

        Raises:
            Fenced: the shard's epoch in the store is higher than the delta's.
            StoreFull: no space or quota; the previous revision stands.
            StoreCorrupt: what the revision builds on is damaged; the previous revision stands.
            Transient: the store cannot be reached; save the same again, or a newer full one.
            InvariantBroken: the epoch was not acquired, or the revision builds on none.
        """
        shard = delta.header.shard
        known = self._known(shard)
        with known.lock:
            head = self._look(shard, known) if known.head is None else known.head
            _check_epoch(head, delta.header)
            try:
                self._save(known, head, delta)
            except (ObjectChanged, ObjectGone, Transient) as error:
                # The store may hold something else than what is known: look before the next save.
                known.head = None
                if isinstance(error, Transient):
                    raise
                _check_epoch(self._look(shard, known), delta.header)
                where = self._objects.place(shard_folder(shard))
                if isinstance(error, ObjectGone):
                    raise corrupt(where, f"no object {error}") from error
                raise InvariantBroken(
                    f"Expected to be the only writer of {where} under epoch {delta.header.epoch}, "
                    "was overtaken under the same one: look for a second writer"
                ) from error

    def close(self) -> None:
        """Forget what is known; connections belong to the client library."""
        with self._lock:
            self._shards.clear()

    def _known(self, shard: int) -> _Shard:
        with self._lock:
            return self._shards.setdefault(shard, _Shard(threading.Lock()))

    def _look(self, shard: int, known: _Shard) -> Head:
        """Read what the store holds of a shard, its indexes included."""
        held = self._reader.head(shard)
        head = _NOTHING if held is None else held.head
        known.newest = self._revision(shard, head.newest)
        known.previous = self._revision(shard, head.previous)
        known.head, known.etag = head, None if held is None else held.etag
        return head

    def _revision(self, shard: int, place: RevisionPlace | None) -> _Revision | None:
        """Read a revision's index; None if there is none or it cannot be used."""
        if place is None:
            return None
        try:
            return _Revision(place, self._reader.index(shard, place))
        except (ObjectGone, StoreCorrupt):
            # Loading it says so; here it only means that nothing can build on it.
            return None

    def _save(self, known: _Shard, head: Head, delta: CheckpointDelta) -> None:
        shard = delta.header.shard
        base = _base_of(known, delta)
        name = f"{delta.header.epoch}-{delta.header.revision:08d}-{uuid4().hex[:12]}"
        content, index = laid_over(name, delta, None if delta.full or base is None else base.index)
        index = without_unused(self._compacted(shard, name, index))
        packed = encode_index(index)
        place = RevisionPlace(
            revision=delta.header.revision,
            segment=name,
            start=len(content),
            size_bytes=len(packed),
            crc=zlib.crc32(packed),
        )
        content += packed
        self._objects.put(f"{shard_folder(shard)}/{name}", content)
        newest = _Revision(place, index)
        saves = head.saves + 1
        due = {each.segment for each in head.garbage if each.since + KEPT_SAVES <= saves}
        fresh = _names(known.newest, known.previous) - _names(newest, base)
        after = msgspec.structs.replace(
            head,
            saves=saves,
            newest=place,
            previous=None if base is None else base.place,
            garbage=(
                *(each for each in head.garbage if each.segment not in due),
                *(Garbage(each, saves) for each in sorted(fresh)),
            ),
        )
        known.etag = self._replace_head(shard, after, known.etag)
        known.head, known.newest, known.previous = after, newest, base
        self._clean(shard, known, due)

    def _compacted(self, shard: int, name: str, index: RevisionIndex) -> RevisionIndex:
        """Move what is live in nearly dead or small segments into a new one."""
        # The last segment is that of this very save, which is not in the store yet.
        own = len(index.segments) - 1
        emptied = [at for at in to_rewrite(index, MOVED_BYTES_MAX) if at != own]
        if not emptied:
            return index
        content = bytearray()
        starts: dict[tuple[bool, int], int] = {}
        try:
            part = part_of(index, emptied, MOVED_BYTES_MAX)
            for is_tokens, number, data in self._reader.blobs(shard, part):
                starts[is_tokens, number] = len(content)
                content += data
            if starts:
                self._objects.put(f"{shard_folder(shard)}/{name}.moved", content)
        except Transient:
            # The next save tries again; this one need not wait for it.
            return index
        return with_moved(index, f"{name}.moved", len(content), starts)

    def _put_head(self, shard: int, head: Head, etag: str | None) -> str:
        return self._objects.put_if(f"{shard_folder(shard)}/{HEAD}", encode_head(head), etag)

    def _replace_head(self, shard: int, head: Head, etag: str | None) -> str:
        """Replace the head; a write of ours whose answer was lost is recognised."""
        try:
            return self._put_head(shard, head, etag)
        except ObjectChanged:
            held = self._reader.head(shard)
            if held is None or held.head != head:
                raise
            return held.etag

    def _swept(self, shard: int, head: Head, known: _Shard) -> Head:
        """Add to the garbage what lies in the folder and is needed by none."""
        places = (head.newest is None, head.previous is None)
        if places != (known.newest is None, known.previous is None):
            # A damaged revision: what it needs is not known, so nothing is garbage.
            return head
        named = _names(known.newest, known.previous) | {each.segment for each in head.garbage}
        unknown = set(self._objects.names(shard_folder(shard))) - named - {HEAD}
        fresh = tuple(Garbage(name, head.saves) for name in sorted(unknown))
        return msgspec.structs.replace(head, garbage=head.garbage + fresh)

    def _clean(self, shard: int, known: _Shard, due: set[str]) -> None:
        """Delete what is due, and now and then look for what no head knows."""
        try:
            self._objects.delete([f"{shard_folder(shard)}/{name}" for name in sorted(due)])
            if known.head is not None and known.head.saves % SWEEP_SAVES == 0:
                # Takes effect with the next save.
                known.head = self._swept(shard, known.head, known)
        except Transient:
            # The revision stands; a later sweep finds what is left.
            return


def _names(*revisions: _Revision | None) -> set[str]:
    """Objects these revisions need."""
    return set().union(*(each.names() for each in revisions if each is not None))


def _check_epoch(head: Head, header: CheckpointHeader) -> None:
    if head.epoch > header.epoch:
        raise Fenced(
            f"Expected to own shard {header.shard} under epoch {header.epoch}, was taken over "
            f"under epoch {head.epoch}: this instance must stop writing"
        )
    if head.epoch < header.epoch:
        raise InvariantBroken(
            f"Expected an acquired epoch of shard {header.shard} (at most {head.epoch}), was "
            f"{header.epoch}: acquire the shard before saving"
        )


def _base_of(known: _Shard, delta: CheckpointDelta) -> _Revision | None:
    """The revision right before a delta, which becomes the previous one; None if there is none."""
    revision = delta.header.revision
    base = None
    for each in (known.newest, known.previous):
        if each is not None and each.place.revision < revision:
            base = each
            break
    if delta.full or (base is None and revision == 1):
        return base
    if base is None or base.place.revision != revision - 1:
        newest = "none" if base is None else base.place.revision
        raise InvariantBroken(
            f"Expected revision {revision - 1} of shard {delta.header.shard} to build {revision} "
            f"on, was {newest}: save a full revision instead"
        )
    return base
