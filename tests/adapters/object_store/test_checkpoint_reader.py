import pytest

from swapstats.adapters.object_store.checkpoint_reader import ObjectCheckpointReader
from swapstats.adapters.object_store.checkpoints import ObjectCheckpointStore
from swapstats.adapters.object_store.layout import HEAD, shard_folder
from swapstats.adapters.object_store.objects import ObjectGone, Objects
from swapstats.errors import StoreCorrupt, StoreFormat
from swapstats.model.checkpoint import CHECKPOINT_FORMAT, CheckpointDelta, CheckpointHeader


def header(revision: int, epoch: int, *, version: int = CHECKPOINT_FORMAT) -> CheckpointHeader:
    return CheckpointHeader(
        format=version,
        shard=0,
        epoch=epoch,
        revision=revision,
        t_ms=0,
        newest_ms=0,
        complete_since_ms=0,
        next_offset=revision,
        min_bucket=0,
        token_count=0,
        step_ms=5_000,
        widths_ms=(300_000,),
        key_id="k",
        clock="wall",
        counters={},
        reasons={},
    )


def saved(objects: Objects, *, version: int = CHECKPOINT_FORMAT) -> ObjectCheckpointStore:
    store = ObjectCheckpointStore(objects)
    epoch = store.acquire(0)
    store.save(
        CheckpointDelta(header(1, epoch, version=version), {1: b"one" * 9, 2: b"two" * 9}, b"names")
    )
    return store


def segments(objects: Objects) -> list[str]:
    return [f"{shard_folder(0)}/{name}" for name in objects.names(shard_folder(0)) if name != HEAD]


def test_every_damaged_byte_is_found(objects: Objects) -> None:
    saved(objects)
    reader = ObjectCheckpointReader(objects)
    for name in (*segments(objects), f"{shard_folder(0)}/{HEAD}"):
        content, _ = objects.get(name)
        for at in range(0, len(content) - 1, 7):
            objects.put(name, content[:at] + bytes([content[at] ^ 0x20]) + content[at + 1 :])
            with pytest.raises(StoreCorrupt, match="--rebuild"):
                reader.load(0)
        objects.put(name, content)
    assert reader.load(0) is not None


def test_a_lost_segment_is_found(objects: Objects) -> None:
    store = saved(objects)
    store.save(CheckpointDelta(header(2, 1), {2: b"zwei"}, b""))
    first = min(segments(objects))
    objects.delete([first])
    with pytest.raises(StoreCorrupt, match="no object"):
        ObjectCheckpointReader(objects).load(0)


def test_a_newer_format_is_refused(objects: Objects) -> None:
    saved(objects, version=CHECKPOINT_FORMAT + 1)
    with pytest.raises(StoreFormat, match=f"was {CHECKPOINT_FORMAT + 1}"):
        ObjectCheckpointReader(objects).load(0)


class Overtaken(Objects):
    """A store whose writer moves on between a reader's look at the head and at the segments."""

    def __init__(self, inner: Objects, store: ObjectCheckpointStore) -> None:
        super().__init__(inner._backend, "test")
        self.inner, self.store, self.moves = inner, store, 3

    def get_ranges(self, name, starts, ends):  # type: ignore[no-untyped-def] # as its parent
        if self.moves:
            self.moves -= 1
            newest = self.store.load(0)
            assert newest is not None
            revision = newest.header.revision
            for step in range(1, 6):
                self.store.save(
                    CheckpointDelta(header(revision + step, 1), {1: b"x"}, b"", full=True)
                )
            assert name not in [f"{shard_folder(0)}/{each}" for each in self.inner.names("00000")]
        return super().get_ranges(name, starts, ends)


def test_a_reader_that_is_overtaken_looks_again(objects: Objects) -> None:
    store = saved(objects)
    found = ObjectCheckpointReader(Overtaken(objects, store)).load(0)
    assert found is not None
    assert found.header.revision == 16


def test_blobs_of_a_segment_that_is_gone_are_reported(objects: Objects) -> None:
    saved(objects)
    reader = ObjectCheckpointReader(objects)
    held = reader.head(0)
    assert held is not None
    assert held.head.newest is not None
    index = reader.index(0, held.head.newest)
    objects.delete(segments(objects))
    with pytest.raises(ObjectGone):
        list(reader.blobs(0, index))
    with pytest.raises(ObjectGone):
        reader.index(0, held.head.newest)
    reader.close()
