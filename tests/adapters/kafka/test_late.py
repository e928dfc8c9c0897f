import numpy as np
import pytest
from tests.adapters.kafka.rig import new_log

from swapstats.adapters.kafka.client import KafkaAddress, kafka_admin
from swapstats.adapters.kafka.late import KafkaLateRecords, late_topic
from swapstats.adapters.kafka.partition_reader import PartitionReader
from swapstats.errors import SettingsMismatch
from swapstats.model.record import MessageBlock, RecordBatch


def test_diverted_records_keep_their_bytes_and_say_where_they_stood(address: KafkaAddress) -> None:
    topic = new_log(address, 3)
    block = MessageBlock.of([b"a", b"late \xff", b"c", b""])
    batch = RecordBatch(
        2,
        np.array([5, 6, 9, 10], dtype=np.int64),
        np.array([70, 71, 72, 73], dtype=np.int64),
        block.buffer,
        block.bounds,
    )
    late = KafkaLateRecords(address, topic, 3)
    late.put(batch, [1, 3])
    late.put(batch, [])
    late.close()
    reader = PartitionReader(address, kafka_admin(address), late_topic(topic), 2)
    found = [(m.value() or b"", dict(m.headers() or ())) for m in reader.read(0, 1_000)]
    reader.close()
    assert found == [
        (b"late \xff", {"partition": b"2", "offset": b"6", "append_ms": b"71"}),
        (b"", {"partition": b"2", "offset": b"10", "append_ms": b"73"}),
    ]


def test_too_few_partitions_are_refused(address: KafkaAddress) -> None:
    with pytest.raises(SettingsMismatch, match="topics apply"):
        KafkaLateRecords(address, new_log(address, 1), 2)
