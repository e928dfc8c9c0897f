from tests.adapters.kafka.rig import new_log

from swapstats.adapters.kafka.client import KafkaAddress, kafka_admin
from swapstats.adapters.kafka.positions import SourcePositions, positions_topic
from swapstats.adapters.kafka.writer import TopicWriter


def test_the_newest_position_of_each_source_counts(address: KafkaAddress) -> None:
    topic = new_log(address, 1)
    positions = SourcePositions(address, kafka_admin(address), topic)
    assert positions.everything() == {}
    writer = TopicWriter(address)
    writer.write(positions_topic(topic), [b"1", b"x:7"], [b"demo", b"file \xc3\xbc"], [0, 0])
    assert positions.everything() == {"demo": "1", "file ü": "x:7"}
    writer.write(positions_topic(topic), [b"2"], [b"demo"], [0])
    assert (positions.get("demo"), positions.get("other")) == ("2", None)
    writer.close()
    positions.close()


def test_a_tombstone_forgets_a_name(address: KafkaAddress) -> None:
    topic = new_log(address, 1)
    positions = SourcePositions(address, kafka_admin(address), topic)
    writer = TopicWriter(address)
    writer.write(positions_topic(topic), [b"1", b"2"], [b"evm/a", b"evm/b"], [0, 0])
    assert positions.everything() == {"evm/a": "1", "evm/b": "2"}
    writer.write(positions_topic(topic), [None, b"3"], [b"evm/a", b"evm/c"], [0, 0])
    assert positions.everything() == {"evm/b": "2", "evm/c": "3"}
    writer.close()
    positions.close()
