"""An archive audited on a real engine: rows against checkpoints, views against rows, copies."""

from pathlib import Path

import pytest
from tests.roles.aggregator.rig import START_MS, swap
from tests.roles.archived import archive_directory
from tests.roles.replayed import copied, mixed_stream, replay_into

from swapstats.errors import UsageError
from swapstats.settings import load
from swapstats.wiring.archive import EMBEDDED_LOG, open_archive
from swapstats.wiring.archive_auditing import ArchiveAuditor
from swapstats.wiring.reading import EmbeddedReaders

pytest.importorskip("chdb", reason="no chdb: pip install 'swapstats[archive]'")

SETTINGS = load(environ={}, flags={"stores.clickhouse.delete_after": "7300d"})
"""The swaps are of a day years ago: they would be deleted as soon as parts are merged."""


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("replayed") / "data"
    # The last record of each partition makes a row, so the archive's end is the log's.
    last = [swap(n, START_MS + 4_000_000, token=f"T{n}") for n in range(20)]
    replay_into(path, [*mixed_stream(20_270), *last], partitions=3)
    return path


def _archive(data_dir: Path, begins: int = 0) -> None:
    opened = open_archive(SETTINGS, data_dir=data_dir, log_name=EMBEDDED_LOG)
    assert opened is not None
    archive_directory(data_dir, opened.archive, begins=begins)
    opened.close()


def _verdicts(data_dir: Path) -> list[tuple[str, int]]:
    archive = ArchiveAuditor.open(SETTINGS, data_dir=data_dir)
    readers = EmbeddedReaders.open(data_dir)
    try:
        found = list(archive.audit(readers.auditor))
        assert archive.views() == {"hourly": [], "daily": []}
        assert all(day.surplus == 0 for day in archive.doubled())
        assert sum(audit.tokens for audit in found) > 3
        return [(audit.verdict, len(audit.differences)) for audit in found]
    finally:
        readers.close()
        archive.close()


def test_rows_of_any_stream_add_up_to_the_windows(replayed: Path, tmp_path: Path) -> None:
    data_dir = copied(replayed, tmp_path / "copy")
    with pytest.raises(UsageError, match="was no archive there yet"):
        ArchiveAuditor.open(SETTINGS, data_dir=data_dir)
    _archive(data_dir)
    assert _verdicts(data_dir) == [("equal", 0)] * 3


def test_a_row_that_is_gone_differs_and_one_never_archived_does_not(
    replayed: Path, tmp_path: Path
) -> None:
    late_start = copied(replayed, tmp_path / "late")
    _archive(late_start, begins=20)
    assert {verdict for verdict, _ in _verdicts(late_start)} == {"begins later"}
    data_dir = copied(replayed, tmp_path / "copy")
    _archive(data_dir)
    opened = open_archive(SETTINGS, data_dir=data_dir, log_name=EMBEDDED_LOG)
    assert opened is not None
    raw = opened.schema.table("raw_swaps")
    (row,) = opened.engine.rows(
        f"SELECT `offset` FROM {raw} WHERE `partition` = 1 AND sign = 1 "
        "ORDER BY event_time DESC, `offset` LIMIT 1 OFFSET 1"
    )
    opened.engine.run(
        f"ALTER TABLE {raw} DELETE WHERE `partition` = 1 AND `offset` = {row[0]} "
        "SETTINGS mutations_sync = 1"
    )
    opened.close()
    archive = ArchiveAuditor.open(SETTINGS, data_dir=data_dir)
    readers = EmbeddedReaders.open(data_dir)
    try:
        found = list(archive.audit(readers.auditor))
        assert [audit.verdict for audit in found] == ["equal", "differs", "equal"]
        lost = [one for one in found[1].differences if one.field == "trades"]
        assert {one.held - one.recounted for one in lost} == {1}
        assert {len(groups) for groups in archive.views().values()} == {1}
    finally:
        readers.close()
        archive.close()
