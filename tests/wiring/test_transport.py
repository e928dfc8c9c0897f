"""Where the log is, by the settings; on a real Redis: made, written, read, trimmed."""

import asyncio
import contextlib
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.roles.aggregator.rig import START_MS, swap
from tests.wiring.test_ingest import Counted

from swapstats.errors import SettingsError, SettingsMismatch, UsageError
from swapstats.model.record import MessageBlock
from swapstats.observability.logs import Logs
from swapstats.settings import Settings, load
from swapstats.stack.redis import RedisServer
from swapstats.testing.eventually import eventually_async
from swapstats.wiring.ingest import IngestService
from swapstats.wiring.transport import KafkaTransport, RedisTransport, transport

PARTITIONS = 3
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    try:
        server = RedisServer(tmp_path_factory.mktemp("redis"))
    except UsageError as error:
        pytest.skip(str(error))
    server.start()
    yield server
    server.stop()


def settings_of(addr: str, topic: str = "raw-swaps", **flags: Any) -> Settings:
    given: dict[str, Any] = {
        "ingest.broker_type": "redis",
        "ingest.topic": topic,
        "ingest.topic_cfg.partitions": PARTITIONS,
        "stores.redis.addr": addr,
        "metrics.prometheus": "127.0.0.1:0",
        "metrics.pprof": "false",
    }
    given |= {name.replace("__", "."): value for name, value in flags.items()}
    return load(environ={}, flags=given)


def test_the_kind_of_broker_chooses() -> None:
    assert isinstance(transport(settings_of("redis:1")), RedisTransport)
    for kind in ("kafka", "redpanda"):
        chosen = transport(
            settings_of("redis:1", ingest__broker_type=kind, ingest__brokers="kafka:1")
        )
        assert isinstance(chosen, KafkaTransport)
        chosen.prepare()
        assert chosen.kept_ms is None
    with pytest.raises(SettingsError, match="was embedded"):
        transport(settings_of("redis:1", ingest__broker_type="embedded"))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"stores__redis__addr": ""}, r"stores\.redis\.addr"),
        ({"ingest__back_pressure": "drop"}, r"ingest\.back_pressure .*: Expected block"),
        ({"ingest__topic_cfg__retention_ms": "1h"}, r"retention_ms .*: Expected at least 93600000"),
    ],
)
def test_what_a_log_in_redis_cannot_be(flags: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        transport(settings_of(**{"addr": "redis:1"} | flags))


def test_how_long_records_are_kept() -> None:
    assert transport(settings_of("redis:1")).kept_ms == 26 * HOUR_MS
    longer = settings_of("redis:1", ingest__topic_cfg__retention_ms="48h")
    assert transport(longer).kept_ms == 48 * HOUR_MS
    for_ever = settings_of("redis:1", ingest__topic_cfg__retention_ms="-1")
    assert transport(for_ever).kept_ms is None


def test_who_comes_first_makes_the_log(redis: RedisServer, tmp_path: Path) -> None:
    addr = f"127.0.0.1:{redis.port}"
    chosen = transport(settings_of(addr, tmp_path.name))
    with pytest.raises(UsageError, match="Expected a swap log"):
        chosen.open_reader()
    chosen.prepare()
    with contextlib.closing(chosen.open_reader()) as reader:
        assert reader.partition_count == PARTITIONS
    with pytest.raises(SettingsMismatch, match="was made with 3"):
        transport(settings_of(addr, tmp_path.name, ingest__topic_cfg__partitions=4)).prepare()
    with contextlib.closing(chosen.open_letters()) as letters:
        assert letters.counts() == {}


def test_ingest_writes_sources_and_drops_what_is_old(redis: RedisServer, tmp_path: Path) -> None:
    settings = settings_of(f"127.0.0.1:{redis.port}", tmp_path.name)
    chosen = transport(settings)
    old = MessageBlock.of([swap(number, START_MS) for number in range(20)])
    with contextlib.closing(chosen.open_log(0)) as log:
        old_ms = time.time_ns() // 1_000_000 - 27 * HOUR_MS
        log.append(old, np.zeros(20, dtype=np.int32), old_ms, {})
        said = io.StringIO()
        logs = Logs("json", "info", said)
        source = Counted("new", 100, then="waits")

        async def live() -> None:
            stop = asyncio.Event()
            running = asyncio.create_task(
                IngestService(settings, logs).run([source], stop, lambda: None)
            )
            await eventually_async(
                lambda: running.done() or log.position("new") == "100", 60_000, "all to be written"
            )
            await eventually_async(
                lambda: running.done() or log.start_offsets()[0] == 20, 60_000, "a trim"
            )
            stop.set()
            await running

        asyncio.run(live())
        logs.close()
        assert '"trimmed"' in said.getvalue()
        assert sum(log.end_offsets()) == 120
        found = []
        for partition, end in enumerate(log.end_offsets()):
            at = log.start_offsets()[partition]
            while at < end:
                batch = log.read(partition, at, 1 << 20)
                assert batch is not None
                found += [batch.message(row) for row in range(len(batch))]
                at = batch.next_offset
        assert sorted(found) == sorted(swap(number, START_MS, "new") for number in range(100))
