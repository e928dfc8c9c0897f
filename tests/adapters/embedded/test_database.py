"""What every store file has alike: format, damage, absence, a disk without room."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swapstats.adapters.embedded.checkpoint_reader import EmbeddedCheckpointReader
from swapstats.adapters.embedded.checkpoints import EmbeddedCheckpointStore
from swapstats.adapters.embedded.database import ReadPool, StoreKind, open_writer, write_transaction
from swapstats.adapters.embedded.dead_letters import (
    EmbeddedDeadLetterReader,
    EmbeddedDeadLetterStore,
)
from swapstats.adapters.embedded.log import EmbeddedSwapLog
from swapstats.adapters.embedded.log_reader import EmbeddedSwapLogReader
from swapstats.errors import StoreCorrupt, StoreError, StoreFormat, StoreFull

KIND = StoreKind("test store", 77, 1, ("CREATE TABLE notes (note TEXT)",))

Open = Callable[[Path], Any]
OPENERS: dict[str, tuple[Open, Open]] = {
    "log": (lambda path: EmbeddedSwapLog(path, 2), EmbeddedSwapLogReader),
    "checkpoints": (EmbeddedCheckpointStore, EmbeddedCheckpointReader),
    "dead letters": (EmbeddedDeadLetterStore, EmbeddedDeadLetterReader),
}


@pytest.fixture(params=OPENERS)
def opener(request: pytest.FixtureRequest) -> tuple[Open, Open]:
    return OPENERS[request.param]


def alter(path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


def test_newer_format_is_refused(tmp_path: Path, opener: tuple[Open, Open]) -> None:
    path = tmp_path / "store.db"
    opener[0](path).close()
    alter(path, "PRAGMA user_version = 2")
    for opened in opener:
        with pytest.raises(StoreFormat, match=r"Expected format 1 .*store\.db, was 2"):
            opened(path)


def test_another_sqlite_file_is_refused_and_left_alone(
    tmp_path: Path, opener: tuple[Open, Open]
) -> None:
    path = tmp_path / "store.db"
    alter(path, "CREATE TABLE others (x)")
    before = path.read_bytes()
    for opened in opener:
        with pytest.raises(StoreError):
            opened(path)
    assert path.read_bytes() == before
    alter(path, "PRAGMA user_version = 1")
    for opened in opener:
        with pytest.raises(StoreCorrupt, match="application id"):
            opened(path)


def test_a_file_of_other_bytes_is_corrupt(tmp_path: Path, opener: tuple[Open, Open]) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"no database at all " * 1_000)
    for opened in opener:
        with pytest.raises(StoreCorrupt, match=r"store\.db"):
            opened(path)


def test_a_file_cut_short_is_corrupt(tmp_path: Path, opener: tuple[Open, Open]) -> None:
    path = tmp_path / "store.db"
    opener[0](path).close()
    path.write_bytes(path.read_bytes()[:4_096])
    with pytest.raises(StoreCorrupt):
        use(opener[0](path))


def use(store: Any) -> None:
    """Touch every table of a store."""
    with contextlib.closing(store):
        if isinstance(store, EmbeddedSwapLog):
            store.read_unchecked(0, 0, 1)
            store.position("demo")
        elif isinstance(store, EmbeddedCheckpointStore):
            store.load(0)
        else:
            list(store.scan())


def test_reader_of_nothing_says_what_to_do(tmp_path: Path, opener: tuple[Open, Open]) -> None:
    path = tmp_path / "store.db"
    with pytest.raises(StoreError, match=r"found none: .*swapstats run"):
        opener[1](path)
    assert not path.exists()
    path.touch()
    with pytest.raises(StoreError, match="found none"):
        opener[1](path)


def test_odd_characters_in_the_path(tmp_path: Path, opener: tuple[Open, Open]) -> None:
    place = tmp_path / "a b%20c#d?e=ü"
    place.mkdir()
    opener[0](place / "store.db").close()
    opener[1](place / "store.db").close()
    assert {path.name.removesuffix("-wal").removesuffix("-shm") for path in place.iterdir()} == {
        "store.db"
    }
    assert [path.name for path in tmp_path.iterdir()] == [place.name]


def test_closed_store_refuses_reads(tmp_path: Path) -> None:
    store = EmbeddedDeadLetterStore(tmp_path / "store.db")
    store.close()
    with pytest.raises(StoreError, match="was closed"):
        store.counts()


def test_full_disk_at_creation(
    small_disk: Path, opener: tuple[Open, Open], fill_disk: Callable[[Path], Path]
) -> None:
    path = small_disk / "store.db"
    ballast = fill_disk(small_disk)
    with pytest.raises(StoreFull, match="free space"):
        opener[0](path)
    ballast.unlink()
    opener[0](path).close()


def test_unwritable_place_is_a_store_error(tmp_path: Path, opener: tuple[Open, Open]) -> None:
    with pytest.raises(StoreError, match="permissions"):
        opener[0](tmp_path / "no such directory" / "store.db")


def test_durability_reaches_sqlite(tmp_path: Path) -> None:
    for durability, level in (("process", 1), ("full", 2)):
        connection = open_writer(tmp_path / "store.db", KIND, durability)  # type: ignore[arg-type]
        assert connection.execute("PRAGMA synchronous").fetchone() == (level,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        connection.close()


def test_snapshot_stands_still_while_the_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    writer = open_writer(path, KIND, "process")
    pool = ReadPool(path, KIND)
    count = "SELECT COUNT(*) FROM notes"
    with pool.snapshot() as first:
        assert first.execute(count).fetchone() == (0,)
        with write_transaction(writer, path, KIND):
            writer.execute("INSERT INTO notes VALUES ('x')")
        assert first.execute(count).fetchone() == (0,)
        with pool.snapshot() as second:
            assert second.execute(count).fetchone() == (1,)
    pool.close()
    writer.close()


def test_failure_within_a_transaction_rolls_it_back(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    writer = open_writer(path, KIND, "process")
    with pytest.raises(KeyError), write_transaction(writer, path, KIND):
        writer.execute("INSERT INTO notes VALUES ('x')")
        raise KeyError
    assert writer.execute("SELECT COUNT(*) FROM notes").fetchone() == (0,)
    writer.close()


def test_readers_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    open_writer(path, KIND, "process").close()
    pool = ReadPool(path, KIND)
    with pytest.raises(StoreError, match="readonly"), pool.snapshot() as connection:
        connection.execute("INSERT INTO notes VALUES ('x')")
    pool.close()
