from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.adapters.clickhouse.batches import count_of, plain_batch, view_totals

from swapstats.adapters.clickhouse.archive import ClickHouseArchive
from swapstats.adapters.clickhouse.schema import ArchiveSchema
from swapstats.adapters.clickhouse.server import ServerEngine
from swapstats.errors import Transient
from swapstats.stack.clickhouse import clickhouse
from swapstats.stack.process import ServerProcess


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[ServerProcess, str]]:
    process, dsn = clickhouse(tmp_path)
    yield process, dsn
    process.stop()


def test_a_server_that_is_away_is_worth_another_try(server: tuple[ServerProcess, str]) -> None:
    with pytest.raises(Transient, match="answer"):
        ServerEngine(server[1])


def test_a_batch_sent_around_a_kill_of_the_server_is_in_once(
    server: tuple[ServerProcess, str],
) -> None:
    process, dsn = server
    process.start()
    engine = ServerEngine(dsn)
    archive = ClickHouseArchive(engine, ArchiveSchema(cold=False), "log")
    archive.insert(plain_batch(10))
    process.kill()
    with pytest.raises(Transient):
        archive.insert(plain_batch(10))
    with pytest.raises(Transient):
        engine.rows("SELECT 1")
    process.start()
    archive.insert(plain_batch(10))
    archive.insert(plain_batch(10, first=10))
    assert count_of(engine, "swapstats", "raw_swaps") == 20
    assert view_totals(engine, "swapstats", "hourly")["trades"] == 20
    archive.close()
