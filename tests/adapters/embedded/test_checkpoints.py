"""The checkpoint writer: crashes between any two steps, kill -9, full disks, what is pruned."""

import contextlib
import random
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from swapstats.adapters.embedded.checkpoint_reader import EmbeddedCheckpointReader
from swapstats.adapters.embedded.checkpoints import FAULT_POINTS, EmbeddedCheckpointStore
from swapstats.errors import InvariantBroken, StoreFull
from swapstats.model.checkpoint import (
    CHECKPOINT_FORMAT,
    Checkpoint,
    CheckpointDelta,
    CheckpointHeader,
)
from swapstats.ports.checkpoint_store import CheckpointReader
from swapstats.testing.faults import Fault, FaultPlan, InjectedCrash

StartWriter = Callable[..., subprocess.Popen[str]]
ReadRounds = Callable[[subprocess.Popen[str], int], int]
Kill = Callable[[subprocess.Popen[str]], list[int]]

BEFORE_COMMIT = [point for point in FAULT_POINTS if point != "checkpoint.done"]


def delta(
    revision: int, buckets: dict[int, bytes], *, min_bucket: int = 0, full: bool = False
) -> CheckpointDelta:
    header = CheckpointHeader(
        format=CHECKPOINT_FORMAT,
        shard=0,
        epoch=1,
        revision=revision,
        t_ms=revision,
        newest_ms=0,
        complete_since_ms=0,
        next_offset=revision,
        min_bucket=min_bucket,
        token_count=0,
        step_ms=1,
        widths_ms=(1,),
        key_id="",
        clock="wall",
        counters={},
        reasons={},
    )
    return CheckpointDelta(header, buckets, b"tokens %d" % revision, full=full)


FIRST = delta(1, {1: b"a1", 2: b"b1", 3: b"c1"})
SECOND = delta(2, {2: b"b2", 3: b"c2"}, min_bucket=1)
THIRD = delta(3, {3: b"c3", 4: b"d3", 5: b"e3"}, min_bucket=2)
THIRD_FULL = delta(3, {3: b"c3", 4: b"d3", 5: b"e3"}, min_bucket=2, full=True)

AT_1 = Checkpoint(FIRST.header, FIRST.buckets, (b"tokens 1",))
AT_2 = Checkpoint(SECOND.header, {1: b"a1", 2: b"b2", 3: b"c2"}, (b"tokens 1", b"tokens 2"))
AT_3 = Checkpoint(
    THIRD.header,
    {2: b"b2", 3: b"c3", 4: b"d3", 5: b"e3"},
    (b"tokens 1", b"tokens 2", b"tokens 3"),
)
AT_3_FULL = Checkpoint(THIRD_FULL.header, THIRD_FULL.buckets, (b"tokens 3",))


def both(store: CheckpointReader) -> tuple[Checkpoint | None, Checkpoint | None]:
    return store.load(0), store.load(0, previous=True)


def two_saved(path: Path) -> None:
    with contextlib.closing(EmbeddedCheckpointStore(path)) as store:
        store.acquire(0)
        store.save(FIRST)
        store.save(SECOND)


@pytest.mark.parametrize(("third", "at_3"), [(THIRD, AT_3), (THIRD_FULL, AT_3_FULL)])
@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("point", FAULT_POINTS)
def test_stop_between_any_two_steps_leaves_the_old_or_the_new_whole(
    tmp_path: Path, point: str, nth: int, third: CheckpointDelta, at_3: Checkpoint
) -> None:
    path = tmp_path / "checkpoints.db"
    two_saved(path)
    nth = nth if point == "checkpoint.bucket" else 1
    crashing = EmbeddedCheckpointStore(path, faults=FaultPlan([Fault(point, nth=nth)]))
    with pytest.raises(InjectedCrash):
        crashing.save(third)
    store = EmbeddedCheckpointStore(path)
    assert both(store) == ((at_3, AT_2) if point == "checkpoint.done" else (AT_2, AT_1))
    store.save(third)
    assert both(store) == (at_3, AT_2)
    store.close()
    crashing.close()


@pytest.mark.parametrize("point", BEFORE_COMMIT)
def test_full_disk_at_any_step_keeps_both_revisions(tmp_path: Path, point: str) -> None:
    path = tmp_path / "checkpoints.db"
    two_saved(path)
    with contextlib.closing(
        EmbeddedCheckpointStore(path, faults=FaultPlan([Fault(point, "full")]))
    ) as store:
        with pytest.raises(StoreFull, match="free space"):
            store.save(THIRD)
        assert both(store) == (AT_2, AT_1)
        store.save(THIRD)
        assert both(store) == (AT_3, AT_2)


def test_a_really_full_disk_keeps_both_revisions(
    small_disk: Path, fill_disk: Callable[[Path], Path]
) -> None:
    path = small_disk / "checkpoints.db"
    two_saved(path)
    store = EmbeddedCheckpointStore(path)
    ballast = fill_disk(small_disk)
    large = delta(3, {number: random.randbytes(9_000) for number in range(10, 40)})
    for _ in range(2):
        with pytest.raises(StoreFull, match="free space"):
            store.save(large)
        with pytest.raises(StoreFull, match="free space"):
            store.acquire(0)
    assert both(store) == (AT_2, AT_1)
    ballast.unlink()
    store.save(large)
    newest, previous = both(store)
    assert newest is not None
    assert newest.buckets == AT_2.buckets | large.buckets
    assert previous == AT_2
    store.close()


def wanted(revision: int) -> tuple[dict[int, bytes], tuple[bytes, ...]]:
    """Buckets and tokens that `writer_process.py checkpoints` has at a revision."""
    base = max(1, revision // 16 * 16)
    buckets: dict[int, bytes] = {}
    for at in range(base, revision + 1):
        full = at % 16 == 0
        for number in range(max(0, at - 5) if full else at, at + 10):
            buckets[number] = b"%d " % at * 500
    live = {number: data for number, data in buckets.items() if number >= revision - 5}
    return live, tuple(b"%d" % at for at in range(base, revision + 1))


def check_after_kill(path: Path, acknowledged: int) -> None:
    """The newest is what was acknowledged, or the one after it, whole; so is the previous."""
    with contextlib.closing(EmbeddedCheckpointReader(path)) as reader:
        newest, previous = both(reader)
    assert newest is not None
    revision = newest.header.revision
    assert revision in {acknowledged, acknowledged + 1}
    assert (newest.buckets, newest.tokens) == wanted(revision)
    if revision == 1:
        assert previous is None
        return
    assert previous is not None
    assert previous.header.revision == revision - 1
    assert (previous.buckets, previous.tokens) == wanted(revision - 1)


def test_kill_at_any_moment_leaves_whole_revisions(
    tmp_path: Path, start_writer: StartWriter, read_rounds: ReadRounds, kill: Kill
) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    for _ in range(5):
        process = start_writer("checkpoints", str(tmp_path))
        last = read_rounds(process, chance.randint(1, 40))
        last = [last, *kill(process)][-1]
        assert process.returncode == -signal.SIGKILL
        check_after_kill(tmp_path / "checkpoints.db", last)


@pytest.mark.parametrize("point", FAULT_POINTS)
def test_kill_between_any_two_steps(
    tmp_path: Path, start_writer: StartWriter, kill: Kill, point: str
) -> None:
    process = start_writer("checkpoints", str(tmp_path), f"{point}:35")
    process.wait()
    acknowledged = kill(process)
    assert process.returncode == -signal.SIGKILL
    check_after_kill(tmp_path / "checkpoints.db", acknowledged[-1])


def test_only_what_two_revisions_need_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.db"
    store = EmbeddedCheckpointStore(path)
    store.acquire(0)

    def rows(table: str) -> list[tuple[int, ...]]:
        columns = "bucket, revision" if table == "buckets" else "revision"
        with contextlib.closing(sqlite3.connect(path)) as connection:
            return connection.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2").fetchall()

    for saved in (FIRST, SECOND, THIRD):
        store.save(saved)
    assert rows("buckets") == [(1, 1), (2, 2), (3, 2), (3, 3), (4, 3), (5, 3)]
    store.save(delta(4, {}, min_bucket=2))
    assert rows("buckets") == [(2, 2), (3, 3), (4, 3), (5, 3)]
    store.save(delta(5, {3: b"c5"}, min_bucket=5, full=True))
    assert rows("buckets") == [(2, 2), (3, 3), (3, 5), (4, 3), (5, 3)]
    store.save(delta(6, {9: b"i6"}, min_bucket=5))
    assert rows("buckets") == [(9, 6)]
    with contextlib.closing(sqlite3.connect(path)) as connection:
        headers = connection.execute("SELECT revision, base FROM headers").fetchall()
        tokens = connection.execute("SELECT revision FROM tokens").fetchall()
    assert headers == [(5, 5), (6, 5)]
    assert tokens == [(5,), (6,)]
    store.close()


def test_space_is_used_again_and_given_back(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.db"
    store = EmbeddedCheckpointStore(path)
    store.acquire(0)
    for revision in range(1, 21):
        buckets = {number: random.randbytes(10_000) for number in range(200)}
        store.save(delta(revision, buckets, full=revision % 5 == 0))
    assert path.stat().st_size < 5 * 200 * 10_000
    for revision in range(21, 31):
        store.save(delta(revision, {}, min_bucket=1_000))
    store.close()
    assert path.stat().st_size < 5_000 * 4_096


@pytest.mark.parametrize("revision", [2, 4, 7])
def test_a_delta_that_builds_on_nothing_is_refused(tmp_path: Path, revision: int) -> None:
    with contextlib.closing(EmbeddedCheckpointStore(tmp_path / "checkpoints.db")) as store:
        store.acquire(0)
        if revision != 2:
            for at in (1, 2, 3, 4, 5):
                store.save(delta(at, {at: b"x"}))
        before = both(store)
        with pytest.raises(InvariantBroken, match="save a full revision instead"):
            store.save(delta(revision, {}))
        assert both(store) == before
        store.save(delta(revision, {1: b"full"}, full=True))
        assert both(store)[0] == Checkpoint(
            delta(revision, {}).header, {1: b"full"}, (b"tokens %d" % revision,)
        )


def test_epoch_that_was_never_acquired_is_refused(tmp_path: Path) -> None:
    with contextlib.closing(EmbeddedCheckpointStore(tmp_path / "checkpoints.db")) as store:
        with pytest.raises(InvariantBroken, match="acquire the shard"):
            store.save(FIRST)
        assert store.load(0) is None


def test_failed_start_lets_go_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.db"
    two_saved(path)
    for _ in range(3):
        with contextlib.closing(EmbeddedCheckpointStore(path)) as store:
            assert both(store) == (AT_2, AT_1)
    assert [left.name for left in tmp_path.iterdir()] == [path.name]
