"""Both engines: embedded, and the production client in front of one behind HTTP."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from swapstats.adapters.clickhouse.archive import ClickHouseArchive
from swapstats.adapters.clickhouse.embedded import EmbeddedEngine
from swapstats.adapters.clickhouse.engine import Engine
from swapstats.adapters.clickhouse.schema import ArchiveSchema
from swapstats.adapters.clickhouse.server import ServerEngine
from swapstats.stack.clickhouse import clickhouse

pytest.importorskip("chdb", reason="no chdb: pip install 'swapstats[archive]'")
pytest.importorskip("pyarrow", reason="no pyarrow: pip install 'swapstats[archive]'")

_databases = count(1)


@pytest.fixture(scope="module", params=["embedded", "server"])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """One engine of each kind for a whole module; tests use databases of their own."""
    directory: Path = tmp_path_factory.mktemp("archive")
    if request.param == "embedded":
        embedded = EmbeddedEngine(directory)
        yield embedded
        embedded.close()
        return
    server, dsn = clickhouse(directory)
    server.start()
    remote = ServerEngine(dsn)
    yield remote
    remote.close()
    server.stop()


@pytest.fixture
def schema() -> ArchiveSchema:
    """Tables in a database of this test's own, on the local disk only."""
    return ArchiveSchema(database=f"test_{next(_databases)}", cold=False, dedup_blocks=1_000)


@pytest.fixture
def open_archive(engine: Engine, schema: ArchiveSchema) -> Callable[[], ClickHouseArchive]:
    """Opens the test's archive; the engine outlives it."""
    return lambda: ClickHouseArchive(engine, schema, "log")
