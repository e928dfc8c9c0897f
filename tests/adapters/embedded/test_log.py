"""The log's writer: crashes between any two steps, kill -9, full disks, trimming in parts."""

import contextlib
import random
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from swapstats.adapters.embedded import log as log_module
from swapstats.adapters.embedded.groups import GROUP_BYTES_MAX
from swapstats.adapters.embedded.log import FAULT_POINTS, EmbeddedSwapLog
from swapstats.adapters.embedded.log_reader import EmbeddedSwapLogReader
from swapstats.errors import InvariantBroken, SettingsMismatch, StoreFull
from swapstats.model.record import MessageBlock
from swapstats.ports.swap_log import SwapLogReader
from swapstats.testing.faults import Fault, FaultPlan, InjectedCrash

StartWriter = Callable[..., subprocess.Popen[str]]
ReadRounds = Callable[[subprocess.Popen[str], int], int]
Kill = Callable[[subprocess.Popen[str]], list[int]]

APPEND_POINTS = [point for point in FAULT_POINTS if point != "log.trim"]
PARTITIONS = 3


def append(log: EmbeddedSwapLog, messages: list[bytes], append_ms: int, **positions: str) -> None:
    """Append, spread over the partitions in turn."""
    partitions = np.arange(len(messages), dtype=np.int32) % log.partition_count
    log.append(MessageBlock.of(messages), partitions, append_ms, positions)


def content(log: SwapLogReader) -> list[list[bytes]]:
    """Every message held, by partition."""
    found: list[list[bytes]] = []
    for partition in range(log.partition_count):
        found.append([])
        offset = log.start_offsets()[partition]
        while (batch := log.read(partition, offset, 1 << 20)) is not None:
            found[-1] += [batch.message(at) for at in range(len(batch))]
            offset = batch.next_offset
    return found


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("point", APPEND_POINTS)
def test_stop_between_any_two_steps_leaves_all_or_nothing(
    tmp_path: Path, point: str, nth: int
) -> None:
    path = tmp_path / "log.db"
    before, after = [b"a", b"b", b"c", b"d"], [b"e", b"f", b"g"]
    with contextlib.closing(EmbeddedSwapLog(path, PARTITIONS)) as log:
        append(log, before, 1, demo="1")
        stood = content(log)
    nth = nth if point == "log.group" else 1
    crashing = EmbeddedSwapLog(path, PARTITIONS, faults=FaultPlan([Fault(point, nth=nth)]))
    with pytest.raises(InjectedCrash):
        append(crashing, after, 2, demo="2")
    log = EmbeddedSwapLog(path, PARTITIONS)
    if point == "log.done":
        assert content(log) == [[b"a", b"d", b"e"], [b"b", b"f"], [b"c", b"g"]]
        assert log.position("demo") == "2"
    else:
        assert content(log) == stood
        assert log.position("demo") == "1"
        append(log, after, 2, demo="2")
        assert log.end_offsets() == [3, 2, 2]
    log.close()
    crashing.close()


@pytest.mark.parametrize("point", [point for point in APPEND_POINTS if point != "log.done"])
def test_full_disk_at_any_step_appends_nothing(tmp_path: Path, point: str) -> None:
    plan = FaultPlan([Fault(point, "full", nth=2 if point != "log.group" else 6)])
    log = EmbeddedSwapLog(tmp_path / "log.db", PARTITIONS, faults=plan)
    append(log, [b"a", b"b", b"c"], 10, demo="1")
    with pytest.raises(StoreFull, match=r"log\.db.*free space"):
        append(log, [b"x", b"y", b"z"], 99, demo="2")
    assert log.end_offsets() == [1, 1, 1]
    assert log.size_bytes() == sum(extent.stored_bytes for extent in log._extents)
    assert log.position("demo") == "1"
    append(log, [b"d"], 20, demo="3")
    assert content(log) == [[b"a", b"d"], [b"b"], [b"c"]]
    batch = log.read(0, 1, 10)
    assert batch is not None
    assert batch.append_ms.tolist() == [20]
    log.close()


def test_a_really_full_disk_appends_nothing_and_goes_on_when_freed(small_disk: Path) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1 << 20))
    log = EmbeddedSwapLog(small_disk / "log.db", PARTITIONS)
    kept: list[bytes] = []
    failures = 0
    while failures < 3:
        messages = [chance.randbytes(5_000) for _ in range(PARTITIONS * 4)]
        try:
            append(log, messages, len(kept), demo=str(len(kept) + len(messages)))
            kept += messages
        except StoreFull:
            failures += 1
        assert log.end_offsets() == [len(kept) // PARTITIONS] * PARTITIONS
        assert log.position("demo") == str(len(kept))
    assert content(log) == [kept[part::PARTITIONS] for part in range(PARTITIONS)]
    ballast.unlink()
    append(log, [b"more"] * PARTITIONS, 1 << 40)
    log.close()
    log = EmbeddedSwapLog(small_disk / "log.db", PARTITIONS)
    assert content(log) == [[*kept[part::PARTITIONS], b"more"] for part in range(PARTITIONS)]
    log.close()


def test_sqlites_own_limit_is_a_full_disk(tmp_path: Path) -> None:
    log = EmbeddedSwapLog(tmp_path / "log.db", 1)
    append(log, [b"a"], 1)
    log._connection.execute("PRAGMA max_page_count = 20")
    with pytest.raises(StoreFull):
        append(log, [random.randbytes(200_000)], 2)
    assert log.end_offsets() == [1]
    log._connection.execute("PRAGMA max_page_count = 1000")
    append(log, [b"b"], 3)
    assert content(log) == [[b"a", b"b"]]
    log.close()


def wanted(rounds: int) -> list[list[bytes]]:
    """What `writer_process.py log` has written after that many rounds."""
    return [
        [
            b"%d/%d/%d " % (round_, partition, at) * 20
            for round_ in range(rounds)
            for at in range(round_ % 40)
        ]
        for partition in range(PARTITIONS)
    ]


def check_after_kill(path: Path, acknowledged: int) -> None:
    """All that was acknowledged is there, at most one round more, and none in part."""
    with contextlib.closing(EmbeddedSwapLogReader(path)) as reader:
        position = int(reader.position("demo") or -1)
        assert position in {acknowledged, acknowledged + 1}
        assert content(reader) == wanted(position + 1)
    with contextlib.closing(EmbeddedSwapLog(path, PARTITIONS)) as log:
        assert content(log) == wanted(position + 1)


def test_kill_at_any_moment_loses_nothing_acknowledged(
    tmp_path: Path, start_writer: StartWriter, read_rounds: ReadRounds, kill: Kill
) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    for _ in range(5):
        process = start_writer("log", str(tmp_path))
        last = read_rounds(process, chance.randint(1, 80))
        last = [last, *kill(process)][-1]
        assert process.returncode == -signal.SIGKILL
        check_after_kill(tmp_path / "log.db", last)


@pytest.mark.parametrize("point", APPEND_POINTS)
def test_kill_between_any_two_steps(
    tmp_path: Path, start_writer: StartWriter, kill: Kill, point: str
) -> None:
    process = start_writer("log", str(tmp_path), f"{point}:30")
    process.wait()
    acknowledged = kill(process)
    assert process.returncode == -signal.SIGKILL
    check_after_kill(tmp_path / "log.db", acknowledged[-1])


def test_reader_follows_a_writer_in_another_process(
    tmp_path: Path, start_writer: StartWriter, read_rounds: ReadRounds, kill: Kill
) -> None:
    process = start_writer("log", str(tmp_path))
    read_rounds(process, 3)
    with contextlib.closing(EmbeddedSwapLogReader(tmp_path / "log.db")) as reader:
        for _ in range(5):
            last = read_rounds(process, 5)
            assert int(reader.position("demo") or -1) >= last
            ends = reader.end_offsets()
            assert min(ends) >= sum(round_ % 40 for round_ in range(last + 1))
            found = content(reader)
            assert all(len(part) >= end for part, end in zip(found, ends, strict=True))
            appended = wanted(int(reader.position("demo") or -1) + 1)
            assert found == [part[: len(read)] for part, read in zip(appended, found, strict=True)]
    kill(process)


def test_partitions_are_fixed_for_the_life_of_the_file(tmp_path: Path) -> None:
    EmbeddedSwapLog(tmp_path / "log.db", 4).close()
    with pytest.raises(SettingsMismatch, match=r"Expected 12 partitions .* made with 4"):
        EmbeddedSwapLog(tmp_path / "log.db", 12)
    with pytest.raises(SettingsMismatch, match="was 0"):
        EmbeddedSwapLog(tmp_path / "other.db", 0)


@pytest.mark.parametrize("partitions", [[0], [0, 2], [-1, 0]])
def test_partition_that_does_not_exist_appends_nothing(
    tmp_path: Path, partitions: list[int]
) -> None:
    with contextlib.closing(EmbeddedSwapLog(tmp_path / "log.db", 2)) as log:
        with pytest.raises(InvariantBroken, match="Expected"):
            log.append(MessageBlock.of([b"a", b"b"]), np.array(partitions, np.int32), 1, {})
        assert log.end_offsets() == [0, 0]
        with pytest.raises(InvariantBroken, match="2 offsets"):
            log.trim(0, 0, [0])


def test_trim_takes_several_transactions_and_stops_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "TRIM_GROUPS_MAX", 4)
    path = tmp_path / "log.db"
    log = EmbeddedSwapLog(path, 2, faults=FaultPlan([Fault("log.trim", nth=3)]))
    for append_ms in range(10):
        append(log, [b"%d" % append_ms] * 2, append_ms)
    with pytest.raises(InjectedCrash):
        log.trim(9, 0, log.end_offsets())
    log.close()
    log = EmbeddedSwapLog(path, 2)
    assert log.start_offsets() == [4, 4]
    assert log.trim(9, 0, log.end_offsets()) == 10
    assert content(log) == [[b"9"], [b"9"]]
    assert log.trim(10, 0, log.end_offsets()) == 2
    assert log.size_bytes() == 0
    log.close()


def test_space_of_trimmed_groups_is_used_again_and_given_back(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    log = EmbeddedSwapLog(path, 1)
    body = random.randbytes(GROUP_BYTES_MAX)
    for append_ms in range(40):
        append(log, [body], append_ms)
        log.trim(append_ms - 3, 0, log.end_offsets())
    log.close()
    assert path.stat().st_size < 12 * GROUP_BYTES_MAX
    log = EmbeddedSwapLog(path, 1)
    for append_ms in range(40, 60):
        append(log, [body], append_ms)
    log.trim(60, 0, log.end_offsets())
    for append_ms in range(60, 80):
        append(log, [b"small"], append_ms)
        log.trim(append_ms, 0, log.end_offsets())
    log.close()
    assert path.stat().st_size < 12 * GROUP_BYTES_MAX


def test_group_read_in_parts_is_unpacked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = EmbeddedSwapLog(tmp_path / "log.db", 1)
    append(log, [b"%03d" % at for at in range(100)], 1)
    assert log.read(0, 0, 3) is not None
    monkeypatch.setattr("swapstats.adapters.embedded.log_reader.unpack_group", None)
    offset = 1
    while (batch := log.read(0, offset, 9)) is not None:
        assert batch.message(0) == b"%03d" % offset
        offset = batch.next_offset
    assert offset == 100
    log.close()
