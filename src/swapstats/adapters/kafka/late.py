"""Late records diverted from the windows, on a topic of their own: `late: divert`.

A record keeps its bytes and its partition; headers say where it stood and when the log took it.
After a crash a record may come twice, with the same place.
"""

from collections.abc import Sequence

from swapstats.adapters.kafka.client import KafkaAddress, expect_partitions, kafka_admin
from swapstats.adapters.kafka.writer import DELIVERY_MS, TopicWriter, header_list
from swapstats.errors import SettingsMismatch
from swapstats.model.record import RecordBatch


def late_topic(topic: str) -> str:
    """Name of the topic that takes a log's diverted records."""
    return f"{topic}.late"


class KafkaLateRecords:
    """Writes diverted records.

    Args:
        address: the brokers.
        topic: the log's topic; records go to `<topic>.late`.
        partition_count: partitions of the log; `<topic>.late` must have as many.
        delivery_ms: how long records may wait for their acknowledgement.

    Raises:
        Fatal: no such topic, or no right to use it.
        SettingsMismatch: it has fewer partitions.
        Transient: the brokers cannot be reached.
    """

    def __init__(
        self,
        address: KafkaAddress,
        topic: str,
        partition_count: int,
        *,
        delivery_ms: int = DELIVERY_MS,
    ) -> None:
        self._topic = late_topic(topic)
        found = expect_partitions(kafka_admin(address), self._topic)
        if found < partition_count:
            raise SettingsMismatch(
                f"Expected {partition_count} partitions of topic {self._topic}, was {found}: mend "
                "it with `swapstats topics apply`"
            )
        self._writer = TopicWriter(address, delivery_ms)

    def put(self, batch: RecordBatch, index: Sequence[int]) -> None:
        """Write records, acknowledged when this returns.

        Args:
            batch: records of one partition.
            index: positions within it of those to write.

        Raises:
            Transient: not acknowledged in time; put them again.
        """
        rows = [int(row) for row in index]
        self._writer.write(
            self._topic,
            [batch.message(row) for row in rows],
            [None] * len(rows),
            [batch.partition] * len(rows),
            [
                header_list(
                    {
                        "partition": batch.partition,
                        "offset": int(batch.offsets[row]),
                        "append_ms": int(batch.append_ms[row]),
                    }
                )
                for row in rows
            ],
        )

    def close(self) -> None:
        """Release connections."""
        self._writer.close()
