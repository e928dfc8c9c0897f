import random

import msgspec
import numpy as np
import pytest
from tests.adapters.kafka.rig import KEY, delete_before, new_log
from tests.roles.aggregator.rig import swap

from swapstats.adapters.kafka.client import KafkaAddress
from swapstats.adapters.kafka.log import KafkaSwapLog, KafkaSwapLogReader, message_keys
from swapstats.adapters.kafka.migrate import COPY_ENDS, CopyProgress, LogCopy
from swapstats.core.decode import choose_partitions
from swapstats.errors import OffsetGone, UsageError
from swapstats.model.record import MessageBlock

NOW_MS = 1_760_000_000_000
Records = list[tuple[int, bytes]]


def fill(log: KafkaSwapLog, first: int, rounds: int, chance: random.Random) -> None:
    """Append swaps of some tokens, round by round a little later, and now and then nonsense."""
    for at in range(first, first + rounds):
        messages = [
            swap(at * 100 + number, NOW_MS, f"TOKEN{chance.randrange(40)}") for number in range(20)
        ]
        messages.append(b"nonsense %d" % at)
        block = MessageBlock.of(messages)
        partitions = choose_partitions(block, KEY, log.partition_count, NOW_MS)
        log.append(block, partitions, NOW_MS + at, {"demo": str(at)})


def by_key(log: KafkaSwapLogReader) -> dict[bytes | None, Records]:
    """(append_ms, message) of each token, in log order; checks that a token has one partition."""
    found: dict[bytes | None, Records] = {}
    places: dict[bytes, int] = {}
    for partition, end in enumerate(log.end_offsets()):
        offset = 0
        while offset < end and (batch := log.read(partition, offset, 1 << 20)):
            block = MessageBlock(batch.buffer, batch.bounds)
            for at, key in enumerate(message_keys(block, KEY, NOW_MS)):
                found.setdefault(key, []).append((int(batch.append_ms[at]), batch.message(at)))
                if key is not None:
                    assert places.setdefault(key, partition) == partition
            offset = batch.next_offset
    if None in found:
        found[None].sort()
    return found


def append_times(log: KafkaSwapLogReader, partition: int) -> list[int]:
    batch = log.read(partition, 0, 1 << 24)
    return [] if batch is None else batch.append_ms.tolist()


def test_a_copy_keeps_order_and_append_times_and_goes_on(address: KafkaAddress) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    source_topic, target_topic = new_log(address, 3), new_log(address, 5)
    source = KafkaSwapLog(address, source_topic, KEY, carry_append_ms=True)
    fill(source, 0, 30, chance)

    copy = LogCopy(address, source_topic, target_topic, KEY, round_bytes_max=5_000)
    copied = copy.step()
    assert 0 < copied < 630
    before = copy.progress()
    copy.close()
    fill(source, 30, 10, chance)

    copy = LogCopy(address, source_topic, target_topic, KEY, round_bytes_max=5_000)
    assert copy.progress().next_offsets == before.next_offsets
    heard: list[CopyProgress] = []
    follows = iter([True, False])

    def follow() -> bool:
        fill(source, 40, 5, chance) if (more := next(follows)) else None
        return more

    last = copy.run(heard.append, follow)
    copy.close()
    assert (last.left, last.copied, last.handed_over) == (0, 45 * 21 - copied, True)
    assert [told.copied for told in heard] == sorted(told.copied for told in heard)

    target = KafkaSwapLogReader(address, target_topic)
    assert by_key(target) == by_key(source)
    assert sum(target.end_offsets()) == 45 * 21
    assert target.position("demo") == "44"
    assert target.position(COPY_ENDS) == msgspec.json.encode(target.end_offsets()).decode()
    for partition in range(5):
        times = np.array(append_times(target, partition))
        assert (times == np.maximum.accumulate(times)).all(), "merged by append time"
    source.close()
    target.close()


def test_a_copy_ends_when_told_to_although_swaps_go_on_coming(address: KafkaAddress) -> None:
    source_topic, target_topic = new_log(address, 2), new_log(address, 4)
    source = KafkaSwapLog(address, source_topic, KEY, carry_append_ms=True)
    rounds = iter(range(1, 1_000))
    fill(source, 0, 1, random.Random(1))
    copy = LogCopy(address, source_topic, target_topic, KEY)

    def on_progress(_: CopyProgress) -> None:
        fill(source, next(rounds), 1, random.Random(1))

    last = copy.run(on_progress)
    target = KafkaSwapLogReader(address, target_topic)
    assert not last.handed_over
    assert target.position("demo") is None, "its writer goes on"
    assert last.copied == sum(target.end_offsets())
    assert sum(source.end_offsets()) > last.copied > 21
    assert copy.run(lambda _: None).left == 0
    copy.close()
    assert by_key(target) == by_key(source)
    assert target.position("demo") == source.position("demo")
    source.close()
    target.close()


def test_a_copy_again_has_nothing_to_do(address: KafkaAddress) -> None:
    source_topic, target_topic = new_log(address, 2), new_log(address, 4)
    source = KafkaSwapLog(address, source_topic, KEY)
    fill(source, 0, 3, random.Random(1))
    for expected in (63, 0):
        copy = LogCopy(address, source_topic, target_topic, KEY)
        assert copy.run(lambda _: None).copied == expected
        copy.close()
    target = KafkaSwapLogReader(address, target_topic)
    assert by_key(target) == by_key(source)
    source.close()
    target.close()


def test_a_copy_overtaken_by_retention_says_so(address: KafkaAddress) -> None:
    source_topic, target_topic = new_log(address, 1), new_log(address, 2)
    source = KafkaSwapLog(address, source_topic, KEY)
    fill(source, 0, 2, random.Random(1))
    copy = LogCopy(address, source_topic, target_topic, KEY)
    copy.run(lambda _: None)
    copy.close()
    fill(source, 2, 1, random.Random(1))
    source.close()
    delete_before(address, source_topic, {0: 50})
    with pytest.raises(OffsetGone, match="begins at 50"):
        LogCopy(address, source_topic, target_topic, KEY)


def test_a_topic_is_not_copied_into_itself(address: KafkaAddress) -> None:
    with pytest.raises(UsageError, match="new topic"):
        LogCopy(address, "a", "a", KEY)
