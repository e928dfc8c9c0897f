"""The archive's leg of the audit: what is equal, what differs, what cannot be compared."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.roles.aggregator.rig import START_MS, swap
from tests.roles.replayed import replay_into

from swapstats.model.record import RecordBatch
from swapstats.model.stats import WindowStats
from swapstats.roles.audit import AuditLog
from swapstats.roles.audit_archive import ArchiveAudit, audit_archive
from swapstats.wiring.reading import EmbeddedReaders

Windows = dict[str, tuple[WindowStats, ...]]


@dataclass
class Rows:
    """An archive that says what it is told to."""

    found: Windows
    first: int = 0
    end: int = 100
    asked: list[tuple[int, int, tuple[int, ...], int]] = field(default_factory=list)

    def first_offset(self, partition: int) -> int:
        return self.first

    def end_offset(self, partition: int) -> int:
        return self.end

    def windows(
        self, partition: int, before_offset: int, begins_ms: Sequence[int], end_ms: int
    ) -> Windows:
        self.asked.append((partition, before_offset, tuple(begins_ms), end_ms))
        return self.found


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("replayed") / "data"
    swaps = [swap(n, START_MS - 100_000 * n, token=f"T{n % 2}") for n in range(6)]
    replay_into(path, [*swaps, swap(9, START_MS, token="0xa", chain_id=0)], partitions=1)
    return path


def held(data_dir: Path) -> Windows:
    readers = EmbeddedReaders.open(data_dir)
    try:
        (shard,) = readers.restore()
        return shard.live_tokens()
    finally:
        readers.close()


class LaterLog:
    """The directory's log, but that it begins at another offset."""

    def __init__(self, log: AuditLog, begins: int) -> None:
        self._log = log
        self._begins = begins

    def start_offsets(self) -> list[int]:
        return [self._begins]

    def read_past_damage(
        self, partition: int, offset: int, bytes_max: int
    ) -> tuple[RecordBatch | None, tuple[str, ...], int]:
        return self._log.read_past_damage(partition, offset, bytes_max)


def audited(data_dir: Path, archive: Rows, log_begins: int = 0) -> ArchiveAudit:
    readers = EmbeddedReaders.open(data_dir)
    try:
        checkpoint = readers.checkpoints.load(0)
        assert checkpoint is not None
        log = LaterLog(readers.auditor.log, log_begins)
        return audit_archive(readers.config_of(checkpoint.header), checkpoint, archive, log)
    finally:
        readers.close()


def told(data_dir: Path) -> Windows:
    """What an archive says that holds everything: it cannot tell chain 0 from none."""
    return {key.removeprefix("0:"): windows for key, windows in held(data_dir).items()}


def test_equal_sums_are_equal_and_asked_for_the_checkpoints_moment(data_dir: Path) -> None:
    archive = Rows(told(data_dir))
    found = audited(data_dir, archive)
    assert "0:0xa" in held(data_dir)
    assert (found.verdict, found.tokens, found.differences) == ("equal", 3, ())
    ((partition, before, begins_ms, end_ms),) = archive.asked
    assert (partition, before, end_ms) == (0, 7, START_MS + 5_000)
    assert begins_ms == tuple(end_ms - width for width in (300_000, 3_600_000, 86_400_000))
    behind_but_equal = audited(data_dir, Rows(told(data_dir), end=5))
    assert behind_but_equal.verdict == "equal", "the last records may make no row"


def test_every_number_that_differs_is_told(data_dir: Path) -> None:
    windows = told(data_dir)
    day = windows["T1"][2]
    windows["T1"] = (*windows["T1"][:2], replace(day, buy_usd=day.buy_usd + 1))
    windows["ghost"] = (WindowStats(), WindowStats(), WindowStats(trades=1, buy=1))
    del windows["0xa"]
    found = audited(data_dir, Rows(windows))
    assert found.verdict == "differs"
    by_token = {
        (one.token, one.window, one.field): one.recounted - one.held for one in found.differences
    }
    assert by_token["T1", "24h", "buy_usd"] == 1
    assert by_token["ghost", "24h", "trades"] == 1
    assert by_token["0xa", "5m", "trades"] == -1
    assert {token for token, _, _ in by_token} == {"T1", "ghost", "0xa"}


def test_what_differs_because_it_is_not_all_there_is_not_a_fault(data_dir: Path) -> None:
    windows = told(data_dir)
    del windows["0xa"]
    behind = audited(data_dir, Rows(windows, end=6))
    assert (behind.verdict, behind.end_offset, behind.differences) == ("behind", 6, ())
    assert audited(data_dir, Rows({}, end=0)).verdict == "behind"
    few = audited(data_dir, Rows({}, end=4))
    assert few.verdict == "differs", "more is missing than there are records it lacks"
    assert {one.token for one in few.differences} == {"T0", "T1"}
    later = audited(data_dir, Rows({}, first=3), log_begins=2)
    assert (later.verdict, later.first_offset, later.differences) == ("begins later", 3, ())
    assert audited(data_dir, Rows({}, first=3), log_begins=3).verdict == "differs"


def test_only_tokens_of_the_records_it_lacks_can_be_behind(data_dir: Path) -> None:
    windows = told(data_dir)
    del windows["0xa"]
    del windows["T0"]
    found = audited(data_dir, Rows(windows, end=6))
    assert found.verdict == "differs"
    assert {one.token for one in found.differences} == {"T0"}


def test_sums_of_keys_the_archive_cannot_tell_apart_are_added(data_dir: Path) -> None:
    windows = told(data_dir)
    nothing = WindowStats()
    windows["0:T1"] = (nothing, nothing, WindowStats(trades=5))
    (more,) = [one for one in audited(data_dir, Rows(windows)).differences if one.field == "trades"]
    assert (more.token, more.recounted - more.held) == ("T1", 5)
