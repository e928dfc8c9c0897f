import contextlib
from collections.abc import Callable, Iterator

import pytest
from tests.adapters.redis.checkpoint_values import delta, header, many

from swapstats.adapters.redis import checkpoints
from swapstats.adapters.redis.checkpoint_reader import ShardKeys
from swapstats.adapters.redis.checkpoint_steps import CheckpointSteps
from swapstats.adapters.redis.checkpoints import EPOCH_MAX, RedisCheckpointStore
from swapstats.adapters.redis.connection import RedisLine, tagged
from swapstats.errors import Fatal, Fenced, StoreFull, Transient
from swapstats.model.checkpoint import Checkpoint
from swapstats.stack.redis import RedisServer
from swapstats.testing.eventually import eventually

Opened = Callable[[str], RedisCheckpointStore]


@pytest.fixture
def open_store(prefix: str) -> Iterator[Opened]:
    with contextlib.ExitStack() as stack:

        def opened(url: str) -> RedisCheckpointStore:
            return stack.enter_context(
                contextlib.closing(RedisCheckpointStore(url, prefix, timeout_ms=20_000))
            )

        yield opened


def layers_of(line: RedisLine, prefix: str, shard: int = 0) -> tuple[set[str], set[str]]:
    """Layers registered, and layers that have a key."""
    keys = ShardKeys(tagged(prefix, shard))
    names = {name.decode() for name in line.call("SMEMBERS", keys.layers)}
    found = {key.decode() for key in line.call("KEYS", f"*{prefix}:{shard}*:layer:*")}
    return names, {key.rpartition(":")[2] for key in found}


def test_what_was_acknowledged_survives_a_kill(open_store: Opened, own_redis: RedisServer) -> None:
    store = open_store(own_redis.url)
    epoch = store.acquire(0)
    store.save(delta(1, epoch, many(50, 20_000), b"t1"))
    for revision in range(2, 12):
        store.save(delta(revision, epoch, {revision: b"%d" % revision}, b"t%d" % revision))
        own_redis.kill()
        own_redis.start()
        found = store.load(0)
        assert found is not None
        assert found.header.next_offset == 10 * revision
        assert found.buckets[revision] == b"%d" % revision
        assert len(found.tokens) == revision
        previous = store.load(0, previous=True)
        assert previous is not None
        assert previous.header.revision == revision - 1
    assert store.acquire(0) == epoch + 1


def test_redis_away_is_transient_and_the_store_goes_on_after_it(
    open_store: Opened, own_redis: RedisServer
) -> None:
    store = open_store(own_redis.url)
    epoch = store.acquire(0)
    store.save(delta(1, epoch, {1: b"a"}))
    own_redis.kill()
    for attempt in (
        lambda: store.save(delta(2, epoch, {1: b"b"})),
        lambda: store.load(0),
        lambda: store.acquire(1),
    ):
        with pytest.raises(Transient, match="start it or check its address"):
            attempt()
    own_redis.start()
    store.save(delta(2, epoch, {2: b"b"}))
    assert store.load(0) == Checkpoint(header(2, epoch), {1: b"a", 2: b"b"}, ())


def test_an_emptied_redis_asks_for_a_full_revision_and_keeps_the_epoch(
    open_store: Opened, own_redis: RedisServer
) -> None:
    store = open_store(own_redis.url)
    epoch = store.acquire(0)
    store.save(delta(1, epoch, {1: b"a"}))
    with contextlib.closing(RedisLine(own_redis.url)) as line:
        line.call("FLUSHALL")
    assert store.load(0) is None
    with pytest.raises(Transient, match=r"emptied.*full"):
        store.save(delta(2, epoch, {2: b"b"}))
    assert store.load(0) is None
    store.save(delta(3, epoch, {1: b"a", 2: b"b"}, full=True))
    store.save(delta(4, epoch, {2: b"c"}))
    assert store.load(0) == Checkpoint(header(4, epoch), {1: b"a", 2: b"c"}, ())
    with pytest.raises(Fenced):
        store.save(delta(5, epoch - 1, {}, full=True))


def test_epochs_do_not_go_back_when_redis_is_emptied(
    open_store: Opened, own_redis: RedisServer
) -> None:
    with contextlib.closing(RedisLine(own_redis.url)) as line:
        seconds = int(line.call("TIME")[0])
        floor = (seconds - 1_704_067_200) // checkpoints.EPOCH_UNIT_S
        store = open_store(own_redis.url)
        first = store.acquire(0)
        assert first in {floor, floor + 1}
        last = [store.acquire(0) for _ in range(5)][-1]
        assert last == first + 5
        line.call("FLUSHALL")
        # The same process never gets an epoch again, whatever the time is.
        assert store.acquire(0) == last + 1
        line.call("FLUSHALL")
        # Another process gets the time's: higher than any first one before.
        assert open_store(own_redis.url).acquire(0) in {floor, floor + 1}
    assert floor < EPOCH_MAX


def test_first_epochs_stay_exact_in_change_numbers_for_decades() -> None:
    """Before 2063 no first epoch reaches the bound, and `(epoch << 32) + n` fits 53 bits."""
    decades_s = 39 * 365 * 86_400
    assert decades_s // checkpoints.EPOCH_UNIT_S < EPOCH_MAX
    assert (EPOCH_MAX << 32) + (1 << 32) - 1 < 1 << 53


def test_no_epoch_above_the_bound(open_store: Opened, redis_url: str, prefix: str) -> None:
    store = open_store(redis_url)
    with contextlib.closing(RedisLine(redis_url)) as line:
        line.call("SET", f"{tagged(prefix, 0)}:epoch", str(EPOCH_MAX - 1))
        assert store.acquire(0) == EPOCH_MAX
        with pytest.raises(Fatal, match="another prefix"):
            store.acquire(0)


def test_a_zombie_cannot_go_on_at_any_step(
    open_store: Opened, redis_url: str, prefix: str, line: RedisLine
) -> None:
    zombie, owner = open_store(redis_url), open_store(redis_url)
    old = zombie.acquire(0)
    zombie.save(delta(1, old, {1: b"a"}))
    # It has begun to upload when it is taken over ...
    steps = CheckpointSteps(zombie._reader, header(2, old))
    steps.begin(adopt=False)
    steps.upload("zombies-layer", iter([(b"b1", b"0000stale")]))
    new = owner.acquire(0)
    # ... and finds every further step refused.
    stored = steps.begin
    with pytest.raises(Fenced):
        stored(adopt=True)
    with pytest.raises(Fenced):
        steps.upload("zombies-layer", iter([(b"b2", b"0000stale")]))
    generation, manifest = zombie._reader.manifest(0)
    assert generation is not None
    assert manifest is not None
    for attempt in (
        lambda: steps.switch(generation, manifest),
        lambda: steps.prune(manifest.newest.layers[0], [b"b1"]),
        lambda: steps.drop_unused(None, set(manifest.newest.layers)),
    ):
        with pytest.raises(Fenced):
            attempt()
    assert owner.load(0) == Checkpoint(header(1, old), {1: b"a"}, ())
    owner.save(delta(2, new, {2: b"b"}))
    registered, kept = layers_of(line, prefix)
    assert "zombies-layer" not in registered | kept
    with pytest.raises(Fenced, match=f"epoch {new}"):
        zombie.save(delta(2, old, {1: b"stale"}))
    assert owner.load(0) == Checkpoint(header(2, new), {1: b"a", 2: b"b"}, ())


def test_a_save_that_failed_half_way_leaves_nothing_behind(
    open_store: Opened,
    redis_url: str,
    prefix: str,
    line: RedisLine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = open_store(redis_url)
    epoch = store.acquire(0)
    store.save(delta(1, epoch, {1: b"a"}, b"t1"))
    for step in ("upload", "switch", "fold", "prune", "drop_unused"):
        stands = store.load(0)
        assert stands is not None
        revision = stands.header.revision + 1

        def broken(*_: object) -> None:
            raise Transient("Expected an answer, was none")

        with monkeypatch.context() as patch:
            patch.setattr(CheckpointSteps, step, broken)
            # What comes after the switch does not undo the revision.
            with contextlib.suppress(Transient):
                store.save(delta(revision, epoch, {1: b"x", revision: b"y"}, min_bucket=1))
        found = store.load(0)
        assert found is not None
        assert found == stands or found.header.revision == revision
        store.save(delta(revision, epoch, {1: b"z", revision: b"y"}, min_bucket=1))
        again = store.load(0)
        assert again is not None
        assert (again.buckets[1], again.buckets[revision]) == (b"z", b"y")
        assert (again.header.revision, again.tokens) == (revision, (b"t1",))
    registered, kept = layers_of(line, prefix)
    assert kept <= registered
    assert len(kept) <= 3


def test_full_memory_is_store_full_and_the_revision_before_stands(
    open_store: Opened, own_redis: RedisServer
) -> None:
    store = open_store(own_redis.url)
    epoch = store.acquire(0)
    store.save(delta(1, epoch, many(20, 1_000), b"t"))
    stands = store.load(0)
    with contextlib.closing(RedisLine(own_redis.url)) as line:
        line.call("CONFIG", "SET", "maxmemory", "30mb")
        with pytest.raises(StoreFull, match="maxmemory"):
            store.save(delta(2, epoch, many(600, 100_000, seed=2)))
        assert store.load(0) == stands
        # What was uploaded is given back without a further save.
        eventually(
            lambda: line.call("INFO", "memory")["used_memory"] < 10_000_000, 60_000, "free memory"
        )
        store.save(delta(2, epoch, {1: b"small"}))
    found = store.load(0)
    assert found is not None
    assert found.buckets[1] == b"small"


def test_old_buckets_and_layers_go(
    open_store: Opened, redis_url: str, prefix: str, line: RedisLine
) -> None:
    store = open_store(redis_url)
    epoch = store.acquire(0)
    for revision in range(1, 60):
        changed = {revision: b"new", revision - 1: b"late"} if revision > 1 else {1: b"new"}
        full = revision % 25 == 0
        held = dict.fromkeys(range(max(0, revision - 10), revision + 1), b"all")
        store.save(
            delta(revision, epoch, held if full else changed, min_bucket=revision - 10, full=full)
        )
        registered, kept = layers_of(line, prefix)
        assert kept <= registered
        assert len(kept) <= 3
    keys = ShardKeys(tagged(prefix, 0))
    rows = sum(line.call("HLEN", keys.layer(name)) for name in layers_of(line, prefix)[0])
    assert rows <= 2 * 12


def test_a_large_state_is_written_in_bounded_commands(
    open_store: Opened, own_redis: RedisServer
) -> None:
    store = open_store(own_redis.url)
    epoch = store.acquire(0)
    buckets = many(17_280, 1_500)
    buckets[5] = bytes(3 << 20)
    with contextlib.closing(RedisLine(own_redis.url)) as line:
        # A client whose commands outgrow this is cut off by Redis.
        line.call("CONFIG", "SET", "client-query-buffer-limit", str(16 << 20))
        store.save(delta(1, epoch, buckets, b"t", full=True))
        store.save(delta(2, epoch, many(17_280, 10, seed=2)))
        previous = store.load(0, previous=True)
        store.save(delta(3, epoch, {1: b"x"}))
    assert previous is not None
    assert previous.buckets == buckets
    found = store.load(0)
    assert found is not None
    assert found.buckets == many(17_280, 10, seed=2) | {1: b"x"}


def test_all_keys_of_a_shard_lie_in_one_slot(open_store: Opened, cluster_url: str) -> None:
    store = open_store(cluster_url)
    for shard in (0, 7):
        epoch = store.acquire(shard)
        for revision in range(1, 6):
            store.save(
                delta(revision, epoch, {revision: b"x"}, b"t", shard=shard, min_bucket=revision - 2)
            )
        found = store.load(shard)
        assert found is not None
        assert sorted(found.buckets) == [3, 4, 5]
