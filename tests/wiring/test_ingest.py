"""Sources into a real broker's log: resumed, patient, ended, refused."""

import asyncio
import io
import itertools
import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.adapters.kafka.rig import make_log, running_cluster
from tests.roles.aggregator.rig import START_MS, swap

from swapstats.adapters.kafka.client import KafkaAddress
from swapstats.adapters.kafka.log import KafkaSwapLog
from swapstats.errors import Rejected, SettingsMismatch, StoreFull, SwapstatsError, Transient
from swapstats.model.record import MessageBlock, RecordBatch
from swapstats.observability.logs import Logs
from swapstats.ports.source import NO_NOTES, SourceBatch, SourceStatus
from swapstats.roles.ingest_state import IngestWatch
from swapstats.settings import Settings, load
from swapstats.stack.kafka import KafkaCluster
from swapstats.testing.eventually import eventually_async
from swapstats.testing.manual_clock import ManualClock
from swapstats.wiring.brokers import PLACING_KEY
from swapstats.wiring.ingest import IngestService, PatientLog

PARTITIONS = 3


class Counted:
    """Gives numbered swaps ten at a time, then waits for good, ends, or fails."""

    def __init__(self, name: str, count: int, then: str = "ends") -> None:
        self.name = name
        self.given = 0
        self._count = count
        self._then = then

    async def open(
        self,
        position: str | None,
        notes: Mapping[str, str] = NO_NOTES,
    ) -> AsyncIterator[SourceBatch]:
        for first in range(int(position or 0), self._count, 10):
            messages = [swap(n, START_MS, self.name) for n in range(first, first + 10)]
            yield SourceBatch(MessageBlock.of(messages), str(first + 10))
            self.given = first + 10
        if self._then == "fails":
            raise Rejected("Expected a readable line, was damaged")
        if self._then == "breaks":
            raise StoreFull("Expected room, was a full disk")
        if self._then == "waits":
            await asyncio.Event().wait()

    def status(self) -> SourceStatus:
        return SourceStatus("live", "as given")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    yield from running_cluster(tmp_path_factory.mktemp("kafka"))


@pytest.fixture
def topic(cluster: KafkaCluster) -> str:
    name = f"swaps-{uuid.uuid4().hex[:12]}"
    make_log(KafkaAddress(cluster.bootstrap), name, PARTITIONS)
    return name


def settings_of(cluster: KafkaCluster, topic: str, **flags: Any) -> Settings:
    defaults: dict[str, Any] = {
        "ingest.broker_type": "kafka",
        "ingest.brokers": [cluster.bootstrap],
        "ingest.topic": topic,
        "ingest.topic_cfg.partitions": PARTITIONS,
        "metrics.prometheus": "127.0.0.1:0",
        "metrics.pprof": "false",
    }
    return load(environ={}, flags=defaults | flags)


def ingest(
    settings: Settings,
    sources: list[Counted],
    until: Callable[[], bool] | None = None,
) -> list[dict[str, Any]]:
    """Run the service until its sources end, or `until` holds; returns its log lines."""
    said = io.StringIO()
    logs = Logs("json", "info", said)

    async def live() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(
            IngestService(settings, logs).run(list(sources), stop, lambda: None)
        )
        if until is not None:
            await eventually_async(lambda: running.done() or until(), 60_000, "what is awaited")
            stop.set()
        await running

    try:
        asyncio.run(live())
    finally:
        logs.close()
    return [json.loads(line) for line in said.getvalue().splitlines()]


def kept(cluster: KafkaCluster, topic: str, source: str) -> tuple[list[bytes], str | None]:
    """Messages of a source in the log, and its position."""
    log = KafkaSwapLog(KafkaAddress(cluster.bootstrap), topic, PLACING_KEY)
    found: list[bytes] = []
    try:
        for partition, end in enumerate(log.end_offsets()):
            at = 0
            while at < end:
                batch = log.read(partition, at, 1 << 20)
                assert batch is not None
                found += [batch.message(row) for row in range(len(batch))]
                at = batch.next_offset
        return [message for message in found if source.encode() in message], log.position(source)
    finally:
        log.close()


def wanted(source: str, count: int) -> list[bytes]:
    return sorted(swap(n, START_MS, source) for n in range(count))


def test_all_of_a_source_is_written_once_and_gone_on_with(
    cluster: KafkaCluster, topic: str
) -> None:
    settings = settings_of(cluster, topic)
    events = ingest(settings, [Counted("first", 200), Counted("second", 50)])
    assert [event["event"] for event in events].count("source ended") == 2
    ingest(settings, [Counted("first", 260)])
    messages, position = kept(cluster, topic, "first")
    assert (sorted(messages), position) == (wanted("first", 260), "260")
    messages, position = kept(cluster, topic, "second")
    assert (sorted(messages), position) == (wanted("second", 50), "50")


def test_a_stop_ends_it_in_good_order(cluster: KafkaCluster, topic: str) -> None:
    source = Counted("waiting", 70, then="waits")
    events = ingest(settings_of(cluster, topic), [source], lambda: source.given == 70)
    assert events[-1]["event"] == "stopped"
    messages, position = kept(cluster, topic, "waiting")
    assert (sorted(messages), position) == (wanted("waiting", 70), "70")


def test_a_source_that_fails_does_not_end_the_others(cluster: KafkaCluster, topic: str) -> None:
    sources = [Counted("broken", 10, then="fails"), Counted("whole", 100)]
    with pytest.raises(Rejected, match="was damaged"):
        ingest(settings_of(cluster, topic), sources)
    messages, position = kept(cluster, topic, "whole")
    assert (sorted(messages), position) == (wanted("whole", 100), "100")
    assert kept(cluster, topic, "broken")[1] == "10"


def test_what_is_fatal_ends_everything(cluster: KafkaCluster, topic: str) -> None:
    sources = [Counted("full", 10, then="breaks"), Counted("other", 10, then="waits")]
    with pytest.raises(StoreFull, match="full disk"):
        ingest(settings_of(cluster, topic), sources)


def test_another_number_of_partitions_is_refused(cluster: KafkaCluster, topic: str) -> None:
    settings = settings_of(cluster, topic, **{"ingest.topic_cfg.partitions": 5})
    with pytest.raises(SettingsMismatch, match=r"Expected 5 partitions of topic .*, was 3"):
        ingest(settings, [Counted("any", 10)])


def test_a_topic_that_is_not_there_is_refused(cluster: KafkaCluster) -> None:
    with pytest.raises(SwapstatsError, match="swapstats topics apply"):
        ingest(settings_of(cluster, "nowhere"), [Counted("any", 10)])


def test_a_broker_that_comes_back_loses_nothing(cluster: KafkaCluster, topic: str) -> None:
    source = Counted("patient", 5_000, then="waits")
    broker = cluster.brokers[0]

    lives = [broker.pid]

    def written() -> bool:
        # in this thread: a server dies with the thread that started it
        if source.given > 100 and len(lives) == 1:
            broker.kill()
            broker.start()
            lives.append(broker.pid)
        return source.given == 5_000

    try:
        ingest(settings_of(cluster, topic), [source], written)
    finally:
        broker.start()
    assert len(set(lives)) == 2
    messages, position = kept(cluster, topic, "patient")
    assert sorted(set(messages)) == wanted("patient", 5_000)
    assert position == "5000"


class Failing:
    """A log that fails so many times, and notes what is appended."""

    partition_count = 2

    def __init__(
        self, failures: int, retry_after_ms: int = 1, full: SwapstatsError | None = None
    ) -> None:
        self._full = full
        self.appended: list[bytes] = []
        self.asked = self.closed = 0
        self._failures = failures
        self._retry_after_ms = retry_after_ms

    def append(
        self,
        block: MessageBlock,
        partitions: NDArray[np.int32],
        append_ms: int,
        positions: Mapping[str, str | None],
    ) -> None:
        del partitions, append_ms, positions
        self.asked += 1
        if self._full is not None:
            raise self._full
        if self.asked <= self._failures:
            raise Transient(f"Expected a broker, was none ({self.asked})", self._retry_after_ms)
        data = block.buffer.tobytes()
        self.appended += [data[a:b] for a, b in itertools.pairwise(block.bounds.tolist())]

    def start_offsets(self) -> list[int]:
        return [1, 2]

    def end_offsets(self) -> list[int]:
        return [3, 4]

    def position(self, source: str) -> str | None:
        return f"of {source}"

    def positions(self, prefix: str) -> dict[str, str]:
        return {f"{prefix}key": "noted"}

    def read(self, partition: int, offset: int, bytes_max: int) -> RecordBatch | None:
        del partition, offset, bytes_max
        return None

    def trim(self, before_ms: int, bytes_max: int, keep_from: list[int]) -> int:
        return before_ms + bytes_max + sum(keep_from)

    def close(self) -> None:
        self.closed += 1


def test_a_block_is_written_again_until_it_is_there() -> None:
    log, troubles = Failing(3), list[str]()
    clock, took = ManualClock(), list[int]()
    watch = IngestWatch(clock, 1, took.append)
    patient = PatientLog(log, troubles.append, watch)
    for name in (b"a", b"b"):
        patient.append(MessageBlock.of([name]), np.zeros(1, dtype=np.int32), 0, {})
    assert log.appended == [b"a", b"b"]
    assert troubles == [f"Expected a broker, was none ({n})" for n in (1, 2, 3)] + [""]
    assert took == [0, 0], "each block is acknowledged once"
    assert watch.state().readiness.ready
    assert watch.state().dependencies[0].opens == 1


def test_a_block_is_given_up_only_when_asked() -> None:
    log = Failing(1_000_000, retry_after_ms=60_000)
    patient = PatientLog(log, lambda _: patient.give_up(), IngestWatch(ManualClock(), 1))
    with pytest.raises(Transient, match="was none"):
        patient.append(MessageBlock.of([b"a"]), np.zeros(1, dtype=np.int32), 0, {})
    assert (log.asked, log.appended) == (1, [])


def test_a_log_without_room_is_waited_for() -> None:
    log, troubles = Failing(0, full=StoreFull("Expected room in Redis, was none")), list[str]()
    patient = PatientLog(log, troubles.append, IngestWatch(ManualClock(), 1))
    patient.give_up()
    with pytest.raises(StoreFull, match="room in Redis"):
        patient.append(MessageBlock.of([b"a"]), np.zeros(1, dtype=np.int32), 0, {})
    assert troubles == ["Expected room in Redis, was none"]


def test_all_else_is_the_log_itself() -> None:
    log = Failing(0)
    patient = PatientLog(log, lambda _: None, IngestWatch(ManualClock(), 1))
    assert patient.partition_count == 2
    assert (patient.start_offsets(), patient.end_offsets()) == ([1, 2], [3, 4])
    assert patient.position("x") == "of x"
    assert patient.read(0, 0, 1) is None
    assert patient.trim(1, 2, [3]) == 6
    patient.close()
    assert log.closed == 1
