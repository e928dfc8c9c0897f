import pytest
from tests.adapters.kafka.rig import delete_before, new_log

from swapstats.adapters.kafka.client import KafkaAddress, kafka_admin
from swapstats.adapters.kafka.partition_reader import PartitionReader
from swapstats.adapters.kafka.writer import TopicWriter
from swapstats.errors import OffsetGone, StoreCorrupt


def test_reads_from_any_place_and_on_from_there(address: KafkaAddress) -> None:
    topic = new_log(address, 1)
    writer = TopicWriter(address)
    values = [b"%04d" % at for at in range(2_000)]
    writer.write(topic, values, [None] * len(values), [0] * len(values))
    reader = PartitionReader(address, kafka_admin(address), topic, 0)
    assert reader.extent() == (0, 2_000)

    def read_from(offset: int, bytes_max: int) -> list[bytes | None]:
        found: list[bytes | None] = []
        while messages := reader.read(offset, bytes_max):
            assert messages[0].offset() == offset
            found += [message.value() for message in messages]
            offset += len(messages)
        return found

    assert read_from(0, 4 * 700) == values
    assert read_from(1_990, 1) == values[1_990:]
    assert read_from(5, 1 << 20) == values[5:]
    assert reader.read(2_000, 10) == []
    writer.write(topic, [b"more"], [None], [0])
    assert read_from(2_000, 10) == [b"more"]
    writer.close()
    reader.close()


def test_places_that_are_not_there(address: KafkaAddress) -> None:
    topic = new_log(address, 1)
    writer = TopicWriter(address)
    writer.write(topic, [b"x"] * 5, [None] * 5, [0] * 5)
    writer.close()
    delete_before(address, topic, {0: 3})
    reader = PartitionReader(address, kafka_admin(address), topic, 0)
    with pytest.raises(OffsetGone, match=r"offset 2 of partition 0.*begins at 3"):
        reader.read(2, 10)
    with pytest.raises(StoreCorrupt, match=r"reach offset 6, was 5 long"):
        reader.read(6, 10)
    assert [message.offset() for message in reader.read(3, 10)] == [3, 4]
    reader.close()
