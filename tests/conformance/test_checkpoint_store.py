"""What every checkpoint store must do: the port's promises, on each adapter."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import pytest

from swapstats.errors import Fenced
from swapstats.model.checkpoint import (
    CHECKPOINT_FORMAT,
    Checkpoint,
    CheckpointDelta,
    CheckpointHeader,
)
from swapstats.ports.checkpoint_store import CheckpointReader, CheckpointStore

OpenStore = Callable[[], CheckpointStore]
OpenReader = Callable[[], CheckpointReader]


def header(revision: int, epoch: int, *, shard: int = 0, min_bucket: int = 0) -> CheckpointHeader:
    return CheckpointHeader(
        format=CHECKPOINT_FORMAT,
        shard=shard,
        epoch=epoch,
        revision=revision,
        t_ms=1_000 * revision,
        newest_ms=7,
        complete_since_ms=3,
        next_offset=10 * revision,
        min_bucket=min_bucket,
        token_count=revision,
        step_ms=5_000,
        widths_ms=(300_000, 3_600_000),
        key_id="0123456789abcdef",
        clock="wall",
        counters={"ingested": revision},
        reasons={"bad_side": 1},
    )


@dataclass
class Model:
    """A shard's state as deltas make it, with the state one revision before."""

    state: Checkpoint | None = None
    before: Checkpoint | None = None
    buckets: dict[int, bytes] = field(default_factory=dict)
    tokens: list[bytes] = field(default_factory=list)

    def save(self, delta: CheckpointDelta) -> None:
        if delta.full:
            self.buckets, self.tokens = {}, []
        self.buckets |= delta.buckets
        self.tokens += [delta.tokens] if delta.tokens else []
        self.before = self.state
        live = {at: data for at, data in self.buckets.items() if at >= delta.header.min_bucket}
        self.state = Checkpoint(delta.header, live, tuple(self.tokens))


def test_nothing_saved_loads_as_none(open_checkpoints: OpenStore) -> None:
    store = open_checkpoints()
    store.acquire(0)
    assert store.load(0) is None
    assert store.load(0, previous=True) is None


def test_epochs_rise_by_shard_and_survive(open_checkpoints: OpenStore) -> None:
    store = open_checkpoints()
    assert [store.acquire(0), store.acquire(0), store.acquire(5)] == [1, 2, 1]
    store.close()
    assert open_checkpoints().acquire(0) == 3


def test_first_revision_has_no_previous(open_checkpoints: OpenStore) -> None:
    store = open_checkpoints()
    delta = CheckpointDelta(header(1, store.acquire(0)), {3: b"three", 1: b""}, b"tokens")
    store.save(delta)
    assert store.load(0) == Checkpoint(delta.header, {1: b"", 3: b"three"}, (b"tokens",))
    assert store.load(0, previous=True) is None


def test_newest_bucket_wins_and_previous_stays(open_checkpoints: OpenStore) -> None:
    store = open_checkpoints()
    epoch = store.acquire(0)
    store.save(CheckpointDelta(header(1, epoch), {1: b"a1", 2: b"b1", 3: b"c1"}, b"t1"))
    store.save(CheckpointDelta(header(2, epoch, min_bucket=2), {2: b"b2"}, b""))
    store.save(CheckpointDelta(header(3, epoch, min_bucket=3), {3: b"c3", 4: b"d3"}, b"t3"))
    newest, previous = store.load(0), store.load(0, previous=True)
    assert newest is not None
    assert previous is not None
    assert (newest.buckets, newest.tokens) == ({3: b"c3", 4: b"d3"}, (b"t1", b"t3"))
    assert (previous.buckets, previous.tokens) == ({2: b"b2", 3: b"c1"}, (b"t1",))
    assert previous.header == header(2, epoch, min_bucket=2)


def test_full_revision_supersedes_but_the_previous_stays(open_checkpoints: OpenStore) -> None:
    store = open_checkpoints()
    epoch = store.acquire(0)
    store.save(CheckpointDelta(header(1, epoch), {1: b"a", 2: b"b"}, b"t1"))
    store.save(CheckpointDelta(header(2, epoch), {2: b"full"}, b"t2", full=True))
    newest, previous = store.load(0), store.load(0, previous=True)
    assert newest == Checkpoint(header(2, epoch), {2: b"full"}, (b"t2",))
    assert previous == Checkpoint(header(1, epoch), {1: b"a", 2: b"b"}, (b"t1",))
    store.save(CheckpointDelta(header(3, epoch), {}, b""))
    assert store.load(0) == Checkpoint(header(3, epoch), {2: b"full"}, (b"t2",))
    assert store.load(0, previous=True) == newest


def test_older_epoch_is_fenced_and_changes_nothing(open_checkpoints: OpenStore) -> None:
    store = open_checkpoints()
    old = store.acquire(0)
    store.save(CheckpointDelta(header(1, old), {1: b"a"}, b"t"))
    store.acquire(0)
    stands = store.load(0)
    with pytest.raises(Fenced, match="epoch 2"):
        store.save(CheckpointDelta(header(2, old), {1: b"stale"}, b"t"))
    assert store.load(0) == stands


def test_shards_do_not_touch_each_other(open_checkpoints: OpenStore) -> None:
    store = open_checkpoints()
    for shard in (0, 1):
        epoch = store.acquire(shard)
        store.save(CheckpointDelta(header(1, epoch, shard=shard), {1: b"%d" % shard}, b""))
    store.save(CheckpointDelta(header(2, 1, shard=1, min_bucket=9), {}, b"", full=True))
    assert store.load(0) == Checkpoint(header(1, 1, shard=0), {1: b"0"}, ())


def test_going_on_from_the_previous_replaces_the_newest(open_checkpoints: OpenStore) -> None:
    store = open_checkpoints()
    epoch = store.acquire(0)
    store.save(CheckpointDelta(header(1, epoch), {1: b"a1", 2: b"b1"}, b"t1"))
    store.save(CheckpointDelta(header(2, epoch), {1: b"lost"}, b"lost"))
    epoch = store.acquire(0)
    store.save(CheckpointDelta(header(2, epoch), {2: b"b2"}, b"t2"))
    newest, previous = store.load(0), store.load(0, previous=True)
    assert newest == Checkpoint(header(2, epoch), {1: b"a1", 2: b"b2"}, (b"t1", b"t2"))
    assert previous == Checkpoint(header(1, 1), {1: b"a1", 2: b"b1"}, (b"t1",))


def test_a_new_full_start_may_count_from_one_again(open_checkpoints: OpenStore) -> None:
    store = open_checkpoints()
    epoch = store.acquire(0)
    for revision in (1, 2, 3):
        store.save(CheckpointDelta(header(revision, epoch), {revision: b"old"}, b"old"))
    store.save(CheckpointDelta(header(1, epoch), {1: b"new"}, b"new", full=True))
    assert store.load(0) == Checkpoint(header(1, epoch), {1: b"new"}, (b"new",))
    assert store.load(0, previous=True) is None


def test_reader_beside_the_writer_sees_whole_revisions(
    open_checkpoints: OpenStore, open_checkpoint_reader: OpenReader
) -> None:
    store = open_checkpoints()
    reader = open_checkpoint_reader()
    assert reader.load(0) is None
    epoch = store.acquire(0)
    failures: list[Exception] = []

    def write() -> None:
        try:
            for revision in range(1, 101):
                buckets = dict.fromkeys(range(20), b"%d" % revision)
                store.save(CheckpointDelta(header(revision, epoch), buckets, b"%d" % revision))
        except Exception as error:
            failures.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    seen = 0
    while writer.is_alive() or seen < 100:
        found = reader.load(0)
        if found is not None:
            assert found.header.revision >= seen
            seen = found.header.revision
            assert set(found.buckets.values()) == {b"%d" % seen}
            assert len(found.tokens) == seen
        if failures:
            break
    writer.join()
    assert failures == []


def test_random_revisions_equal_the_model(
    open_checkpoints: OpenStore, open_checkpoint_reader: OpenReader
) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    store = open_checkpoints()
    models = {0: Model(), 3: Model()}
    epochs = {shard: store.acquire(shard) for shard in models}
    min_bucket = 0
    for revision in range(1, 80):
        min_bucket += chance.randrange(3)
        for shard, model in models.items():
            numbers = range(min_bucket, min_bucket + 25)
            full = chance.random() < 0.1
            changed = chance.sample(numbers, chance.randrange(10))
            delta = CheckpointDelta(
                header(revision, epochs[shard], shard=shard, min_bucket=min_bucket),
                {at: chance.randbytes(chance.choice((0, 50, 6_000))) for at in changed},
                chance.choice((b"", b"tokens of %d" % revision)),
                full=full,
            )
            store.save(delta)
            model.save(delta)
        if chance.random() < 0.1:
            store.close()
            store = open_checkpoints()
        for view in (store, open_checkpoint_reader() if revision % 10 == 0 else store):
            for shard, model in models.items():
                assert view.load(shard) == model.state
                assert view.load(shard, previous=True) == model.before


def test_header_comes_back_field_by_field(open_checkpoints: OpenStore) -> None:
    store = open_checkpoints()
    saved = header(1, store.acquire(0))
    store.save(CheckpointDelta(saved, {}, b""))
    found = store.load(0)
    assert found is not None
    assert msgspec.structs.asdict(found.header) == msgspec.structs.asdict(saved)
