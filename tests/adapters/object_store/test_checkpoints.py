"""What the conformance suite cannot see: fencing between processes, faults, bounds on objects."""

import contextlib
import random
import threading
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from swapstats.adapters.object_store.checkpoints import KEPT_SAVES, ObjectCheckpointStore
from swapstats.adapters.object_store.layout import HEAD, shard_folder
from swapstats.adapters.object_store.objects import Objects, S3Location, open_s3
from swapstats.errors import Fenced, InvariantBroken, StoreCorrupt, Transient, UsageError
from swapstats.model.checkpoint import CHECKPOINT_FORMAT, CheckpointDelta, CheckpointHeader
from swapstats.stack.versitygw import versitygw
from swapstats.testing.eventually import eventually

FOLDER = shard_folder(0)


def delta(
    revision: int,
    epoch: int,
    buckets: dict[int, bytes],
    tokens: bytes = b"",
    *,
    min_bucket: int = 0,
    full: bool = False,
) -> CheckpointDelta:
    header = CheckpointHeader(
        format=CHECKPOINT_FORMAT,
        shard=0,
        epoch=epoch,
        revision=revision,
        t_ms=0,
        newest_ms=0,
        complete_since_ms=0,
        next_offset=revision,
        min_bucket=min_bucket,
        token_count=0,
        step_ms=5_000,
        widths_ms=(300_000,),
        key_id="k",
        clock="wall",
        counters={},
        reasons={},
    )
    return CheckpointDelta(header, buckets, tokens, full)


def own(s3: Objects) -> Objects:
    """A prefix of the test's own on the real server."""
    return Objects(s3._backend, uuid4().hex)


def test_a_zombie_of_another_process_is_fenced(s3: Objects) -> None:
    objects = own(s3)
    zombie, heir = ObjectCheckpointStore(objects), ObjectCheckpointStore(objects)
    old = zombie.acquire(0)
    zombie.save(delta(1, old, {1: b"a"}))
    new = heir.acquire(0)
    with pytest.raises(Fenced, match="epoch 2"):
        zombie.save(delta(2, old, {1: b"stale"}))
    heir.save(delta(2, new, {1: b"b"}))
    with pytest.raises(Fenced):
        zombie.save(delta(3, old, {1: b"stale"}, full=True))
    found = heir.load(0)
    assert found is not None
    assert found.buckets == {1: b"b"}


def test_every_acquire_gets_an_epoch_of_its_own(s3: Objects) -> None:
    objects = own(s3)
    stores = [ObjectCheckpointStore(objects) for _ in range(4)]
    epochs: list[int] = []

    def acquire(store: ObjectCheckpointStore) -> None:
        epochs.extend(store.acquire(0) for _ in range(5))

    threads = [threading.Thread(target=acquire, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(epochs) == list(range(1, 21))


def test_racing_owners_never_lose_a_revision(s3: Objects) -> None:
    objects = own(s3)
    seed = random.randrange(1 << 32)
    print("seed", seed)
    saved: list[tuple[int, int, bytes]] = []

    def live(number: int) -> None:
        chance = random.Random(seed + number)
        store = ObjectCheckpointStore(objects)
        for _ in range(5):
            epoch = store.acquire(0)
            loaded = store.load(0)
            revision = 0 if loaded is None else loaded.header.revision
            try:
                for _ in range(chance.randrange(6)):
                    revision += 1
                    content = b"%d of %d" % (revision, number)
                    store.save(delta(revision, epoch, {1: content}))
                    saved.append((epoch, revision, content))
            except Fenced:
                continue

    threads = [threading.Thread(target=live, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = ObjectCheckpointStore(objects).load(0)
    assert found is not None
    newest = max(saved)
    assert (found.header.epoch, found.header.revision, found.buckets[1]) == newest
    revisions = [revision for _, revision, _ in sorted(saved)]
    assert revisions == list(range(1, len(revisions) + 1))


def test_two_writers_under_one_epoch_are_a_bug_that_is_told(objects: Objects) -> None:
    one, other = ObjectCheckpointStore(objects), ObjectCheckpointStore(objects)
    epoch = one.acquire(0)
    one.save(delta(1, epoch, {1: b"a"}))
    other.save(delta(2, epoch, {1: b"b"}))
    with pytest.raises(InvariantBroken, match="second writer"):
        one.save(delta(2, epoch, {1: b"c"}))
    with pytest.raises(InvariantBroken, match="acquire"):
        one.save(delta(3, epoch + 1, {}))
    with pytest.raises(InvariantBroken, match="full revision"):
        one.save(delta(7, epoch, {}))


def test_objects_and_bytes_stay_bounded(objects: Objects) -> None:
    store = ObjectCheckpointStore(objects)
    epoch = store.acquire(0)
    chance = random.Random(7)
    held: dict[int, bytes] = {}
    most = 0
    for revision in range(1, 400):
        newest = revision + 100
        changed = {newest, *(chance.randrange(revision, newest) for _ in range(5))}
        buckets = {number: chance.randbytes(2_000) for number in changed}
        store.save(delta(revision, epoch, buckets, b"t" * 9, min_bucket=revision))
        held |= buckets
        most = max(most, len(objects.names(FOLDER)))
    found = store.load(0)
    assert found is not None
    assert found.buckets == {number: held[number] for number in held if number >= 399}
    assert len(found.tokens) == 399
    assert most < 60
    stored = sum(len(objects.get(f"{FOLDER}/{name}")[0]) for name in objects.names(FOLDER))
    assert stored < 12 * sum(map(len, found.buckets.values()))


def test_what_is_unneeded_stays_for_two_saves(objects: Objects) -> None:
    store = ObjectCheckpointStore(objects)
    epoch = store.acquire(0)
    store.save(delta(1, epoch, {1: b"a"}))
    (first,) = set(objects.names(FOLDER)) - {HEAD}
    # The first revision is the previous one after the second save, unneeded after the third.
    for revision in range(2, 4 + KEPT_SAVES):
        assert first in objects.names(FOLDER), revision
        store.save(delta(revision, epoch, {1: b"a"}, full=True))
    assert first not in objects.names(FOLDER)


def test_what_a_cut_off_save_left_is_swept(objects: Objects) -> None:
    store = ObjectCheckpointStore(objects)
    epoch = store.acquire(0)
    store.save(delta(1, epoch, {1: b"a"}))
    objects.put(f"{FOLDER}/1-00000002-orphan", b"left")
    epoch = ObjectCheckpointStore(objects).acquire(0)
    store = ObjectCheckpointStore(objects)
    for revision in range(2, 2 + KEPT_SAVES):
        assert "1-00000002-orphan" in objects.names(FOLDER)
        store.save(delta(revision, epoch, {revision: b"b"}))
    assert "1-00000002-orphan" not in objects.names(FOLDER)
    found = store.load(0)
    assert found is not None
    assert found.buckets[1] == b"a"


def test_a_server_that_is_killed_loses_no_revision(tmp_path: Path) -> None:
    try:
        server, access = versitygw(tmp_path)
    except UsageError as error:
        pytest.skip(str(error))
    server.start()
    location = S3Location(
        access.bucket, access.endpoint, access.region, access.key_id, access.secret
    )
    objects = Objects(open_s3(location), "killed")
    store = ObjectCheckpointStore(objects)
    epoch = store.acquire(0)
    stop = threading.Event()
    saved = 0

    def save() -> None:
        nonlocal saved
        while not stop.is_set():
            with contextlib.suppress(Transient):
                store.save(delta(saved + 1, epoch, {saved % 7: b"%d" % saved}))
                saved += 1

    saver = threading.Thread(target=save)
    saver.start()
    try:
        for _ in range(3):
            before = saved
            eventually(lambda before=before: saved > before + 5, 60_000, "some revisions")  # type: ignore[misc] # bound at once
            server.kill()
            server.start()
    finally:
        stop.set()
        saver.join()
    found = ObjectCheckpointStore(objects).load(0)
    server.stop()
    assert found is not None
    assert found.header.revision == saved
    assert found.buckets == {
        number: b"%d" % max(each for each in range(saved) if each % 7 == number)
        for number in range(7)
    }


class Faulty(Objects):
    """A store that fails at its n-th write, before or after it took effect."""

    def __init__(self, inner: Objects) -> None:
        super().__init__(inner._backend, "test")
        self.fail_at, self.after = 0, False

    def _faulty(self, write: Callable[[], None]) -> None:
        self.fail_at -= 1
        if self.fail_at == 0 and not self.after:
            raise Transient("no answer")
        write()
        if self.fail_at == 0:
            raise Transient("no answer")

    def put(self, name: str, content: bytes | bytearray) -> None:
        self._faulty(lambda: super(Faulty, self).put(name, content))

    def put_if(self, name: str, content: bytes, etag: str | None) -> str:
        etags: list[str] = []
        self._faulty(lambda: etags.append(super(Faulty, self).put_if(name, content, etag)))
        return etags[0]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("fail_at", [1, 2])
def test_a_save_whose_answer_is_lost_can_be_repeated(
    objects: Objects, fail_at: int, *, after: bool
) -> None:
    faulty = Faulty(objects)
    store = ObjectCheckpointStore(faulty)
    epoch = store.acquire(0)
    store.save(delta(1, epoch, {1: b"a", 2: b"b"}))
    faulty.fail_at, faulty.after = fail_at, after
    second = delta(2, epoch, {2: b"c"}, b"t")
    with pytest.raises(Transient):
        store.save(second)
    found = ObjectCheckpointStore(objects).load(0)
    assert found is not None
    assert found.header.revision == (2 if after and fail_at == 2 else 1)
    store.save(second)
    store.save(delta(3, epoch, {3: b"d"}))
    found, previous = store.load(0), store.load(0, previous=True)
    assert found is not None
    assert previous is not None
    assert (found.buckets, found.tokens) == ({1: b"a", 2: b"c", 3: b"d"}, (b"t",))
    assert previous.buckets == {1: b"a", 2: b"c"}


class Repeating(Objects):
    """A client library that repeats a conditional write after its answer was lost."""

    repeat = False

    def put_if(self, name: str, content: bytes, etag: str | None) -> str:
        if self.repeat:
            super().put_if(name, content, etag)
        return super().put_if(name, content, etag)


def test_a_repeated_write_of_ours_is_recognised(objects: Objects) -> None:
    repeating = Repeating(objects._backend, "test")
    store = ObjectCheckpointStore(repeating)
    epoch = store.acquire(0)
    repeating.repeat = True
    store.save(delta(1, epoch, {1: b"a"}))
    store.save(delta(2, epoch, {1: b"b"}))
    found = store.load(0)
    assert found is not None
    assert found.buckets == {1: b"b"}


def test_a_full_revision_heals_a_damaged_one(objects: Objects) -> None:
    store = ObjectCheckpointStore(objects)
    epoch = store.acquire(0)
    store.save(delta(1, epoch, {1: b"a"}))
    for name in set(objects.names(FOLDER)) - {HEAD}:
        objects.put(f"{FOLDER}/{name}", b"damaged")
    store = ObjectCheckpointStore(objects)
    epoch = store.acquire(0)
    with pytest.raises(StoreCorrupt):
        store.load(0)
    store.save(delta(1, epoch, {1: b"b"}, full=True))
    found = store.load(0)
    assert found is not None
    assert found.buckets == {1: b"b"}
    assert store.load(0, previous=True) is None
