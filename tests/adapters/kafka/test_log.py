import random
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from tests.adapters.kafka.rig import KEY, delete_before, make_log, new_log, rows, running_cluster
from tests.roles.aggregator.rig import swap

from swapstats.adapters.kafka.client import KafkaAddress, kafka_admin
from swapstats.adapters.kafka.log import KafkaSwapLog, KafkaSwapLogReader, message_keys, messages_of
from swapstats.adapters.kafka.partition_reader import PartitionReader
from swapstats.core.decode import choose_partitions
from swapstats.errors import Fatal, InvariantBroken, OffsetGone, SettingsMismatch
from swapstats.model.record import MessageBlock
from swapstats.testing.eventually import eventually

NOW_MS = 1_760_000_000_000


def append(log: KafkaSwapLog, messages: list[bytes], partitions: list[int]) -> None:
    log.append(MessageBlock.of(messages), np.array(partitions, dtype=np.int32), NOW_MS, {})


def test_records_are_keyed_by_their_token(address: KafkaAddress) -> None:
    topic = new_log(address, 4)
    log = KafkaSwapLog(address, topic, KEY)
    messages = [swap(at, NOW_MS, f"TOKEN{at % 5}") for at in range(50)] + [b"not a swap"]
    block = MessageBlock.of(messages)
    assert messages_of(block) == messages
    expected = [f"TOKEN{at % 5}".encode() for at in range(50)] + [None]
    assert message_keys(block, KEY, NOW_MS) == expected
    partitions = choose_partitions(block, KEY, 4, NOW_MS)
    log.append(block, partitions, NOW_MS, {"demo": "50"})
    assert log.position("demo") == "50"
    found = {}
    admin = kafka_admin(address)
    for partition in range(4):
        reader = PartitionReader(address, admin, topic, partition)
        for message in reader.read(0, 1 << 20):
            found[message.value()] = (message.key(), partition)
            assert message.headers() is None
        reader.close()
    log.close()
    placed = zip(expected, partitions.tolist(), strict=True)
    assert found == dict(zip(messages, placed, strict=True))


def test_append_times_are_the_brokers(address: KafkaAddress) -> None:
    log = KafkaSwapLog(address, new_log(address, 1), KEY)
    before_ms = time.time_ns() // 1_000_000
    append(log, [b"a", b"b"], [0, 0])
    after_ms = time.time_ns() // 1_000_000
    batch = log.read(0, 0, 100)
    log.close()
    assert batch is not None
    assert before_ms - 5 <= batch.append_ms[0] <= batch.append_ms[1] <= after_ms + 5


def test_wrong_uses_are_refused(address: KafkaAddress) -> None:
    topic = new_log(address, 2)
    with pytest.raises(SettingsMismatch, match=r"Expected 3 partitions.*was 2.*migrate"):
        KafkaSwapLog(address, topic, KEY, 3)
    with pytest.raises(Fatal, match="topics apply"):
        KafkaSwapLogReader(address, f"{topic}-not")
    log = KafkaSwapLog(address, topic, KEY, 2)
    with pytest.raises(InvariantBroken, match="0 to 1"):
        append(log, [b"x"], [2])
    with pytest.raises(InvariantBroken, match="each of 2"):
        append(log, [b"x", b"y"], [0])
    with pytest.raises(InvariantBroken, match="below 2"):
        log.read(2, 0, 10)
    assert log.end_offsets() == [0, 0]
    log.close()


def test_retention_is_the_brokers(address: KafkaAddress) -> None:
    topic = new_log(address, 1)
    log = KafkaSwapLog(address, topic, KEY)
    append(log, [b"a", b"b", b"c"], [0, 0, 0])
    assert log.trim(1 << 60, 1, [3]) == 0
    assert log.start_offsets() == [0]
    delete_before(address, topic, {0: 2})
    assert log.start_offsets() == [2]
    with pytest.raises(OffsetGone, match="begins at 2"):
        log.read(0, 0, 10)
    assert rows(log.read(0, 2, 10)) == [(2, b"c")]
    log.close()


def test_more_partitions_than_readers_are_read_in_turn(address: KafkaAddress) -> None:
    log = KafkaSwapLog(address, new_log(address, 6), KEY)
    append(log, [b"%d" % at for at in range(24)], [at % 6 for at in range(24)])
    for turn in range(4):
        for partition in range(6):
            expected = [(turn, b"%d" % (turn * 6 + partition))]
            assert rows(log.read(partition, turn, 1)) == expected
    log.close()


@pytest.mark.prove
@pytest.mark.parametrize("kills", [1, 6])
def test_nothing_is_lost_doubled_or_out_of_order_when_brokers_are_killed(
    tmp_path: Path, kills: int
) -> None:
    """One broker is killed with -9, or one after another and started again, while appends go on."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    partitions = 6
    for cluster in running_cluster(tmp_path / "kafka", brokers=3):
        address = KafkaAddress(cluster.bootstrap)
        make_log(address, "swaps", partitions, replication=3)
        log = KafkaSwapLog(address, "swaps", KEY)
        appended: list[list[tuple[int, bytes]]] = [[] for _ in range(partitions)]
        failures: list[Exception] = []
        stop = threading.Event()

        def write(
            log: KafkaSwapLog = log,
            appended: list[list[tuple[int, bytes]]] = appended,
            failures: list[Exception] = failures,
            stop: threading.Event = stop,
        ) -> None:
            number = 0
            try:
                while not stop.is_set():
                    messages = [b"%d" % (number + at) for at in range(100)]
                    number += 100
                    chosen = [at % partitions for at in range(100)]
                    append(log, messages, chosen)
                    for part, body in zip(chosen, messages, strict=True):
                        appended[part].append((len(appended[part]), body))
            except Exception as error:
                failures.append(error)

        writer = threading.Thread(target=write)
        writer.start()

        def grows(
            by: int = 2_000, appended: list[list[tuple[int, bytes]]] = appended,
            failures: list[Exception] = failures,
        ) -> None:  # fmt: skip
            goal = sum(map(len, appended)) + by
            eventually(
                lambda: failures or sum(map(len, appended)) >= goal, 60_000, f"{goal} appended"
            )

        grows()
        for _ in range(kills):
            broker = chance.choice(cluster.brokers)
            broker.kill()
            grows()
            if kills > 1:
                broker.start()
                grows()
        stop.set()
        writer.join()
        assert failures == []
        print(sum(map(len, appended)), "records")
        for part in range(partitions):
            found: list[tuple[int, bytes]] = []
            while batch := log.read(part, len(found), 1 << 20):
                found += rows(batch)
            assert found == appended[part]
        log.close()
