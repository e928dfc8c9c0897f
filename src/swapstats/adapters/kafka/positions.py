"""Source positions in a small compacted topic beside the log: the newest of each source counts."""

import threading
from typing import Final

from confluent_kafka.admin import AdminClient

from swapstats.adapters.kafka.client import KafkaAddress
from swapstats.adapters.kafka.partition_reader import PartitionReader

_READ_BYTES: Final = 1 << 20


def positions_topic(topic: str) -> str:
    """Name of the topic that holds the positions of a log's sources."""
    return f"{topic}.positions"


class SourcePositions:
    """Reads positions; keeps up with a writer in another process.

    Memory is that of one position a source, and of what sources noted and did not forget.

    Args:
        address: the brokers.
        admin: asked for offsets.
        topic: the log's topic.
    """

    def __init__(self, address: KafkaAddress, admin: AdminClient, topic: str) -> None:
        self._lock = threading.Lock()
        self._reader = PartitionReader(address, admin, positions_topic(topic), 0)
        self._positions: dict[str, str] = {}
        self._next_offset = 0

    def get(self, source: str) -> str | None:
        """Where a source stood when its last message was appended; None if never.

        Raises:
            Transient: the broker cannot be reached.
        """
        return self.everything().get(source)

    def everything(self) -> dict[str, str]:
        """What was noted under each name and not forgotten.

        Raises:
            Transient: the broker cannot be reached.
        """
        with self._lock:
            start, end = self._reader.extent()
            self._next_offset = max(self._next_offset, start)
            while self._next_offset < end:
                messages = self._reader.read(self._next_offset, _READ_BYTES)
                if not messages:
                    break
                for message in messages:
                    name, value = (message.key() or b"").decode(), message.value()
                    if value is None:
                        self._positions.pop(name, None)
                    else:
                        self._positions[name] = value.decode()
                    self._next_offset = (message.offset() or 0) + 1
            return dict(self._positions)

    def close(self) -> None:
        """Release the connections."""
        self._reader.close()
