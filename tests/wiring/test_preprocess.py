"""Collecting and preprocessing on real servers: raw log, swap log, state, letters, prices."""

import asyncio
import contextlib
import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.kafka.rig import running_cluster
from tests.wiring.test_raw_part import trades
from tests.wiring.test_service import Given

from swapstats.adapters.kafka.topics import KafkaTopics
from swapstats.adapters.redis.states import RedisStateStore
from swapstats.adapters.redis.token_prices import RedisTokenPrices
from swapstats.errors import Rejected, UsageError
from swapstats.observability.logs import Logs
from swapstats.settings import Settings, load
from swapstats.stack.kafka import KafkaCluster
from swapstats.stack.redis import RedisServer
from swapstats.testing.eventually import eventually
from swapstats.wiring.brokers import kafka_address, log_prefix, redis_url, wanted_topics
from swapstats.wiring.ingest import IngestService
from swapstats.wiring.preprocess import PreprocessService
from swapstats.wiring.service import RunFlags
from swapstats.wiring.transport import raw_settings, raw_transport, transport


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    try:
        server = RedisServer(tmp_path_factory.mktemp("redis"))
    except UsageError as error:
        pytest.skip(str(error))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    yield from running_cluster(tmp_path_factory.mktemp("kafka"))


SettingsOf = Callable[..., Settings]


@pytest.fixture(params=["redis", "kafka"])
def settings_of(request: pytest.FixtureRequest, redis: RedisServer, tmp_path: Path) -> SettingsOf:
    """Settings of a log of this test's own."""
    brokers: dict[str, Any] = {"ingest.broker_type": "redis"}
    if request.param == "kafka":
        cluster = request.getfixturevalue("cluster")
        brokers = {"ingest.broker_type": "kafka", "ingest.brokers": [cluster.bootstrap]}

    def made(**flags: Any) -> Settings:
        settings = load(
            environ={},
            flags={
                **brokers,
                "ingest.topic": f"{tmp_path.name}-swaps",
                "ingest.raw_topic": f"{tmp_path.name}-raw",
                "ingest.group_id": tmp_path.name,
                "ingest.topic_cfg.partitions": 2,
                "ingest.session_timeout": "6s",
                "stores.redis.addr": f"127.0.0.1:{redis.port}",
                "stores.redis.prefix": tmp_path.name,
                "preprocess.snapshot_interval": "200ms",
                "metrics.prometheus": "false",
                "metrics.pprof": "false",
                **{name.replace("__", "."): value for name, value in flags.items()},
            },
        )
        if request.param == "kafka":
            topics, wanted = KafkaTopics(kafka_address(settings)), wanted_topics(settings)
            topics.apply(wanted, topics.plan(wanted))
        return settings

    return made


def collect(settings: Settings, *sources: Given) -> None:
    """Write everything sources give into the raw log."""
    logs = Logs("json", "info", io.StringIO())
    service = IngestService(settings, logs, is_raw=True)
    asyncio.run(service.run(list(sources), asyncio.Event(), lambda: None))
    logs.close()


@dataclass
class Life:
    """A preprocessor in a thread."""

    service: PreprocessService
    stop: threading.Event
    failure: BaseException | None = None

    def run(self) -> None:
        try:
            self.service.run(self.stop)
        except BaseException as error:
            self.failure = error


@contextlib.contextmanager
def preprocessing(settings: Settings, *, rebuild: bool = False) -> Iterator[Life]:
    logs = Logs("json", "info", io.StringIO())
    life = Life(PreprocessService(settings, RunFlags(rebuild=rebuild), logs), threading.Event())
    thread = threading.Thread(target=life.run)
    thread.start()
    try:
        yield life
    finally:
        life.stop.set()
        thread.join(60)
        logs.close()
    assert not thread.is_alive()


def swap_ids(settings: Settings) -> list[bytes]:
    """Trade ids in the swap log."""
    found = []
    with contextlib.closing(transport(settings).open_reader()) as reader:
        for partition, end in enumerate(reader.end_offsets()):
            at = reader.start_offsets()[partition]
            while at < end:
                batch = reader.read(partition, at, 1 << 20)
                assert batch is not None
                found += [batch.message(row) for row in range(len(batch))]
                at = batch.next_offset
    return sorted(found)


def wait_for(settings: Settings, life: Life, count: int) -> list[bytes]:
    def found() -> list[bytes] | None:
        if life.failure is not None:
            raise life.failure
        swaps = swap_ids(settings)
        return swaps if len(set(swaps)) == count else None

    swaps = eventually(found, 60_000, f"{count} swaps in the swap log")
    assert isinstance(swaps, list)
    return swaps


def test_raw_events_become_swaps_over_two_lives(settings_of: SettingsOf) -> None:
    settings = settings_of()
    events = trades(60)
    transport(settings).prepare()
    raw_transport(settings).prepare()
    collect(settings, Given(*events[:40], b"nonsense", then="ends", name="binance"))
    with preprocessing(settings) as life:
        first = wait_for(settings, life, 40)
    assert life.failure is None
    collect(settings, Given(*events[40:], then="ends", name="another"))
    with preprocessing(settings) as life:
        both = wait_for(settings, life, 60)
    assert life.failure is None
    assert len(first) == 40
    assert len(both) == 60  # stopped in good order: nothing comes twice
    with contextlib.closing(raw_transport(settings).open_letters()) as letters:
        assert [(kept.offset, kept.message) for kept in letters.scan()] == [(40, b"nonsense")]
    states = RedisStateStore(redis_url(settings), log_prefix(raw_settings(settings)))
    with contextlib.closing(states):
        state = states.load(0)
    assert state is not None
    assert state.next_offset == 61
    prices = RedisTokenPrices(redis_url(settings), settings.stores.redis.prefix)
    with contextlib.closing(prices):
        price = prices.get("BTC")
    assert price is not None
    assert float(price.price_usd) == 60_000


def test_two_share_the_raw_log_and_one_takes_over(settings_of: SettingsOf) -> None:
    settings = settings_of()
    events = trades(60)
    transport(settings).prepare()
    raw_transport(settings).prepare()
    collect(settings, Given(*events[:30], then="ends", name="binance"))
    with preprocessing(settings) as spare:
        with preprocessing(settings) as first:
            wait_for(settings, first, 30)
        assert first.failure is None
        collect(settings, Given(*events[30:], then="ends", name="another"))
        wait_for(settings, spare, 60)
    assert spare.failure is None


def test_a_state_of_other_rules_ends_it_and_a_rebuild_goes_on(settings_of: SettingsOf) -> None:
    settings, other = settings_of(), settings_of(preprocess__dust="1")
    transport(settings).prepare()
    raw_transport(settings).prepare()
    collect(settings, Given(*trades(10), then="ends", name="binance"))
    with preprocessing(settings) as life:
        wait_for(settings, life, 10)

    def ended() -> bool:
        return life.failure is not None

    with preprocessing(other) as life:
        eventually(ended, 60_000, "the state to be refused")
    assert isinstance(life.failure, Rejected)
    assert "--rebuild" in str(life.failure)
    collect(settings, Given(*trades(5, first=10), then="ends", name="another"))
    with preprocessing(other, rebuild=True) as life:
        assert len(wait_for(settings, life, 15)) == 15
