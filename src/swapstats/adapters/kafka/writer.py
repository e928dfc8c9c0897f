"""Writing to topics: an idempotent producer whose `flush` returns only after every acknowledgement.

What was written before a failure may be in the topic or not; whoever writes it again makes
duplicates at worst, and never a hole that looks like success.
"""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from swapstats.adapters.kafka.client import KafkaAddress, swapstats_error
from swapstats.errors import Fatal, SettingsError, SwapstatsError, Transient

DELIVERY_MS: Final = 30_000
"""How long a record may wait for its acknowledgement, elections and retries included."""

MESSAGE_BYTES_MAX: Final = 4 << 20
"""Largest record a topic of ours takes; larger than any message the contract allows."""

_QUEUE_MESSAGES_MAX: Final = 100_000
_QUEUE_BYTES_MAX: Final = 64 << 20
_UNKNOWN_MS_MAX: Final = 5_000
_FLUSH_S: Final = 0.2
_ERRORS_MAX: Final = 16

Header = tuple[str, str | bytes | None]


class TopicWriter:
    """Writes records to any topic; one thread at a time.

    Args:
        address: the brokers.
        delivery_ms: how long a record may wait for its acknowledgement.

    Raises:
        SettingsError: a property that the client does not know.
    """

    def __init__(self, address: KafkaAddress, delivery_ms: int = DELIVERY_MS) -> None:
        self._delivery_ms = delivery_ms
        self._lock = threading.Lock()
        self._failed: list[KafkaError] = []
        self._refused: SwapstatsError | None = None
        properties = address.client(
            enable_idempotence=True,
            acks="all",
            compression_type="lz4",
            linger_ms=5,
            batch_size=1 << 20,
            message_max_bytes=MESSAGE_BYTES_MAX,
            delivery_timeout_ms=delivery_ms,
            delivery_report_only_error=True,
        )
        properties |= {
            # Topics are there before anything is written: one that is unknown for long is gone.
            "topic.metadata.propagation.max.ms": _UNKNOWN_MS_MAX,
            "queue.buffering.max.messages": 2 * _QUEUE_MESSAGES_MAX,
            "queue.buffering.max.kbytes": 2 * _QUEUE_BYTES_MAX >> 10,
        }
        try:
            self._producer = Producer(
                dict(properties), on_delivery=self._on_failure, error_cb=self._on_error
            )
        except KafkaException as error:
            raise SettingsError(
                f"Expected properties that Kafka's client knows, was {error.args[0].str()}: check "
                "ingest.properties"
            ) from error

    def write(
        self,
        topic: str,
        values: Sequence[bytes | None],
        keys: Iterable[bytes | None],
        partitions: Iterable[int],
        headers: Iterable[list[Header]] | None = None,
    ) -> None:
        """Write records and wait until all brokers that must have them acknowledged each.

        Args:
            topic: where to.
            values: the records' bytes; None deletes a key in a compacted topic.
            keys: key of each.
            partitions: partition of each.
            headers: headers of each, or none at all.

        Raises:
            Transient: not acknowledged in time; some of them may be there.
            Fatal: no such topic, no right to write, too large.
        """
        with self._lock:
            self._failed.clear()
            self._refused = None
            produce = self._producer.produce
            waiting = waiting_bytes = 0
            each_headers = iter(headers) if headers is not None else None
            for value, key, partition in zip(values, keys, partitions, strict=True):
                try:
                    if each_headers is None:
                        produce(topic, value, key, partition)
                    else:
                        produce(topic, value, key, partition, headers=next(each_headers))
                except KafkaException as error:
                    self._producer.purge()
                    raise swapstats_error(error.args[0], f"to append to {topic}") from error
                waiting += 1
                waiting_bytes += len(value or b"")
                if waiting >= _QUEUE_MESSAGES_MAX or waiting_bytes >= _QUEUE_BYTES_MAX:
                    self._flush(topic)
                    waiting = waiting_bytes = 0
            self._flush(topic)

    def close(self) -> None:
        """Give up what was not acknowledged, and the connections."""
        with self._lock:
            self._producer.purge()
            self._producer.flush(_FLUSH_S)

    def _flush(self, topic: str) -> None:
        """Wait for acknowledgements; librdkafka gives each record up after the delivery time."""
        deadline = time.monotonic() + 2 * self._delivery_ms / 1_000
        while self._producer.flush(_FLUSH_S):
            if self._refused is None and time.monotonic() < deadline:
                continue
            self._producer.purge()
            self._producer.flush(_FLUSH_S)
            raise self._refused or Transient(
                f"Expected topic {topic} to acknowledge records within {self._delivery_ms} ms, "
                "was no answer"
            )
        if self._failed:
            raise swapstats_error(self._failed[0], f"to append to {topic}")

    def _on_failure(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None and len(self._failed) < _ERRORS_MAX:
            self._failed.append(error)

    def _on_error(self, error: KafkaError) -> None:
        """Hear what concerns the client as a whole; only what no retry can heal counts."""
        heard = swapstats_error(error, "to reach the brokers")
        if isinstance(heard, Fatal):
            self._refused = heard


def header_list(fields: Mapping[str, int | str]) -> list[Header]:
    """Headers of one record, as text."""
    return [(name, str(value).encode()) for name, value in fields.items()]
