"""The archive as it is configured, on a real engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.adapters.clickhouse.batches import count_of, plain_batch

from swapstats.adapters.clickhouse.engine import Engine
from swapstats.errors import SettingsError, StoreError, Transient, UsageError
from swapstats.settings import FlagValue, Settings, load
from swapstats.stack.clickhouse import clickhouse
from swapstats.stack.object_store import running_object_store
from swapstats.stack.process import ServerProcess
from swapstats.wiring import archive as wired
from swapstats.wiring.archive import (
    archive_choice,
    batch_limits,
    cold_storage,
    export_store,
    open_archive,
    open_archive_reader,
)

pytest.importorskip("chdb", reason="no chdb: pip install 'swapstats[archive]'")

DSN = "clickhouse://writer:hunter2@click:9000/swaps"


def settings(**sections: FlagValue) -> Settings:
    """Settings by dotted keys, written with `__` for a dot."""
    return load(
        environ={}, flags={name.replace("__", "."): value for name, value in sections.items()}
    )


@pytest.mark.parametrize(
    ("wanted", "dsn", "has_dir", "chosen", "said"),
    [
        ("auto", "", True, "embedded", "archived in data/archive"),
        ("auto", "", False, "none", "stores.clickhouse.dsn names no ClickHouse"),
        ("auto", DSN, True, "server", "at click:8123"),
        ("auto", DSN, False, "server", "port 9000 of the native protocol"),
        ("server", DSN, True, "server", "stores.clickhouse.dsn (flag --stores-clickhouse-dsn): it"),
        ("embedded", DSN, True, "embedded", "archived in data/archive"),
        ("off", DSN, True, "none", "stores.archive is off"),
    ],
)
def test_the_choice_follows_the_settings(  # one argument a part of the case
    wanted: str, dsn: str, has_dir: bool, chosen: str, said: str
) -> None:
    made = settings(stores__archive=wanted, stores__clickhouse__dsn=dsn)
    choice = archive_choice(made, Path("data") if has_dir else None)
    assert choice.engine == chosen
    assert said in choice.sentence
    assert "hunter2" not in choice.sentence


@pytest.mark.parametrize(
    ("wanted", "dsn", "said"),
    [
        ("server", "", "Expected where ClickHouse is, was none although stores.archive is server"),
        ("embedded", DSN, "Expected server, auto or off for a role on real servers, was embedded"),
        ("auto", "hunter2", "stores.clickhouse.dsn (flag --stores-clickhouse-dsn): Expected a DSN"),
    ],
)
def test_what_cannot_be_is_refused(wanted: str, dsn: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        archive_choice(settings(stores__archive=wanted, stores__clickhouse__dsn=dsn), None)
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_without_chdb_auto_says_so_and_embedded_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wired, "is_installed", lambda: False)
    choice = archive_choice(settings(), Path("data"))
    assert choice.engine == "none"
    assert "install chdb (pip install 'swapstats[archive]')" in choice.sentence
    assert open_archive(settings(), data_dir=Path("data"), log_name="embedded") is None

    def absent(module: str) -> None:
        raise UsageError(f"Expected the package {module}")

    monkeypatch.setattr(wired, "needed", absent)
    with pytest.raises(UsageError, match="Expected the package chdb"):
        archive_choice(settings(stores__archive="embedded"), Path("data"))


def test_limits_and_cold_storage_come_from_the_settings() -> None:
    made = settings(
        stores__clickhouse__batch_ms="350",
        stores__clickhouse__batch_rows="77",
        stores__clickhouse__cold__endpoint="http://s3:9000/bucket/archive",
        stores__clickhouse__cold__key_id="id",
        stores__clickhouse__cold__secret="hunter2",
    )
    limits = batch_limits(made)
    assert (limits.delay_ms, limits.rows_due) == (350, 77)
    cold = cold_storage(made)
    assert cold is not None
    assert (cold.endpoint, cold.key_id) == ("http://s3:9000/bucket/archive/", "id")
    assert cold.secret == "hunter2"
    assert cold_storage(settings()) is None
    exports = export_store(made)
    assert exports is not None
    assert exports.endpoint == "http://s3:9000/bucket/archive/exports/"
    assert export_store(settings()) is None


def test_an_embedded_archive_is_made_written_and_read_again(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="was no archive there yet"):
        open_archive_reader(settings(), data_dir=tmp_path)
    assert not (tmp_path / "archive").exists()
    made = settings(stores__clickhouse__database="mine", data__durability="full")
    opened = open_archive(made, data_dir=tmp_path, log_name="embedded")
    assert opened is not None
    assert (opened.schema.database, opened.schema.cold, opened.schema.fsync) == (
        "mine",
        False,
        True,
    )
    opened.archive.insert(plain_batch(10))
    opened.close()
    reader = open_archive_reader(made, data_dir=tmp_path)
    assert count_of(reader.engine, "mine", "raw_swaps") == 10
    reader.close()
    with pytest.raises(UsageError, match="the role that aggregates makes it"):
        open_archive_reader(settings(), data_dir=tmp_path)


def _ttl(engine: Engine, table: str) -> str:
    (row,) = engine.rows(
        "SELECT storage_policy, extract(engine_full, ' TTL (.*) SETTINGS') FROM system.tables "
        f"WHERE database = 'swapstats' AND name = '{table}'"
    )
    return " ".join(row)


def test_cold_storage_may_come_later_but_not_go(tmp_path: Path) -> None:
    first = open_archive(settings(), data_dir=tmp_path, log_name="embedded")
    assert first is not None
    first.archive.insert(plain_batch(10))
    assert _ttl(first.engine, "raw_swaps").startswith("default toDateTime")
    first.close()
    with running_object_store(tmp_path / "s3") as access:
        cold: dict[str, FlagValue] = {
            "stores__clickhouse__cold__endpoint": f"{access.endpoint}/{access.bucket}/archive",
            "stores__clickhouse__cold__key_id": access.key_id,
            "stores__clickhouse__cold__secret": access.secret,
        }
        for days in (30, 40):
            made = settings(stores__clickhouse__cold_after=f"{days}d", **cold)
            later = open_archive(made, data_dir=tmp_path, log_name="embedded")
            assert later is not None
            for table, aged_by in (("raw_swaps", "event_time"), ("raw_late", "ingested_time")):
                moment = f"toDateTime({aged_by}, 'UTC')"
                assert _ttl(later.engine, table) == (
                    f"hot_to_s3 {moment} + toIntervalDay({days}) TO VOLUME 'cold', "
                    f"{moment} + toIntervalDay(365)"
                )
            assert count_of(later.engine, "swapstats", "raw_swaps") == 10
            later.close()
    with pytest.raises(StoreError, match="name it as before"):
        open_archive(settings(), data_dir=tmp_path, log_name="embedded")
    assert load().notices == (), "what the engine reads from the environment is no setting"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, str]]:
    directory = tmp_path_factory.mktemp("clickhouse")
    process, dsn = clickhouse(directory)
    process.start()
    yield process, dsn
    process.stop()


def test_a_server_is_written_and_says_what_it_lacks(server: tuple[ServerProcess, str]) -> None:
    made = settings(stores__clickhouse__dsn=f"{server[1]}/of_dsn")
    opened = open_archive(made, data_dir=None, log_name="raw-swaps")
    assert opened is not None
    assert opened.schema.database == "of_dsn"
    assert not opened.schema.cold
    assert "no storage policy hot_to_s3" in opened.sentence
    opened.archive.insert(plain_batch(10))
    reader = open_archive_reader(made, data_dir=None)
    assert count_of(reader.engine, "of_dsn", "raw_swaps") == 10
    reader.close()
    opened.close()


def test_a_server_that_is_away_is_worth_another_try() -> None:
    made = settings(stores__clickhouse__dsn="clickhouse://127.0.0.1:9")
    with pytest.raises(Transient):
        open_archive(made, data_dir=None, log_name="raw-swaps")
