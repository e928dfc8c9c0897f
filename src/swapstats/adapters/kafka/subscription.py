"""A consumer's share of a topic: a member of a consumer group that owns some partitions.

The broker shares the partitions out (cooperatively: who keeps a partition never stops reading it).
Where reading begins is what the partition's owner says; the broker's committed offsets are written
for lag tools and never read. Restoring and checkpointing happen in the owner's callbacks.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from swapstats.adapters.kafka.client import (
    KafkaAddress,
    end_offsets,
    expect_partitions,
    kafka_admin,
    kafka_consumer,
    start_offsets,
    swapstats_error,
    told,
)
from swapstats.adapters.kafka.records import Chunk, take_records, to_batches
from swapstats.adapters.kafka.subscription_options import SubscriptionOptions
from swapstats.errors import (
    Fatal,
    InvariantBroken,
    OffsetGone,
    SettingsMismatch,
    SwapstatsError,
    Transient,
)
from swapstats.model.record import RecordBatch
from swapstats.ports.swap_subscription import PartitionOwner

_AT_ONCE: Final = 500
"""Messages taken from the client at a time: small numbers are the fastest."""

_error: Final[Callable[[Any], Any]] = Message.error

_DRAIN_S: Final = 0.2
"""Longest time one poll of a dropping subscription throws records away."""


class KafkaSubscription:
    """Membership in a consumer group, as a source of record batches; one thread uses it.

    Args:
        address: the brokers.
        topic: the log's topic.
        group: consumer group.
        owner: told about partitions that come and go, from within `poll` and `close`.
        options: timeouts, bounds, back-pressure, static membership.

    Raises:
        Fatal: no such topic, or no right to read it.
        SettingsError: a property that the client does not know.
        Transient: the brokers cannot be reached.
    """

    def __init__(
        self,
        address: KafkaAddress,
        topic: str,
        group: str,
        owner: PartitionOwner,
        options: SubscriptionOptions | None = None,
    ) -> None:
        self._topic = topic
        self._owner = owner
        self._options = options or SubscriptionOptions()
        self._admin = kafka_admin(address)
        self._partition_count = expect_partitions(self._admin, topic)
        self._given: set[int] = set()  # by the group, the owner was not told yet
        self._next: dict[int, int] = {}  # partitions owned -> offset to be read next
        self._ends: dict[int, int] = {}
        self._held: deque[Chunk] = deque()  # received, not handed out yet
        self._paused: set[int] = set()
        self._gone: set[int] = set()  # taken away during the running receive
        self._heard: SwapstatsError | None = None  # instead of records that cannot come
        self._failure: Exception | None = None  # the owner's, while it gave partitions up
        self._try_again_at = 0.0
        self._dropped = 0
        self._closed = False
        self._consumer: Consumer = kafka_consumer(
            address.client() | self._options.properties(group) | {"error_cb": self._on_error}
        )
        with told(f"to subscribe to topic {topic}"):
            self._consumer.subscribe(
                [topic],
                on_assign=self._on_assign,
                on_revoke=self._on_revoke,
                on_lost=self._on_lost,
            )

    @property
    def partition_count(self) -> int:
        """Partitions of the whole log."""
        return self._partition_count

    @property
    def dropped(self) -> int:
        """Records thrown away by a subscription that drops; 0 for all others."""
        return self._dropped

    def poll(self, timeout_ms: int, *, hold: bool = False) -> list[RecordBatch]:
        """Give the next records, waiting up to `timeout_ms` for the first.

        Args:
            timeout_ms: longest wait.
            hold: give no records; what was received waits, more is not fetched.

        Returns:
            At most one batch of a partition, each going on where its last one ended; empty if
            nothing came.

        Raises:
            OffsetGone: the log no longer holds the offset to go on from.
            SettingsMismatch: the broker does not stamp append times, or the topic grew.
            Transient: the log cannot be reached, or the owner could not take a partition over;
                polling again tries again.
            Fatal: no right to read the topic, or it is gone.
        """
        if self._closed:
            raise InvariantBroken("Expected an open subscription, was closed")
        self._pause(hold)
        if hold:
            self._receive(1, timeout_ms / 1_000)
        elif self._heard is None:
            self._gather(timeout_ms / 1_000)
        elif not self._held:
            heard, self._heard = self._heard, None
            raise heard
        self._raise_failure()
        self._take_over()
        batches = [] if hold else to_batches(self._hand_out())
        for batch in batches:
            if batch.offsets[0] < self._next[batch.partition]:
                raise InvariantBroken(
                    f"Expected offset {self._next[batch.partition]} or later of partition "
                    f"{batch.partition}, was {batch.offsets[0]}"
                )
            self._next[batch.partition] = batch.next_offset
        return batches

    def start_offsets(self) -> Mapping[int, int]:
        """First offset the log still holds, for each partition given to this consumer.

        Asked afresh; partitions that the owner is just being told about are among them.

        Raises:
            Transient: the brokers cannot be reached.
        """
        mine = sorted(self._given | self._next.keys())
        return dict(zip(mine, start_offsets(self._admin, self._topic, mine), strict=True))

    def end_offsets(self) -> Mapping[int, int]:
        """Offset the next record will get, for each partition given to this consumer.

        As heard with the newest records; asked for where nothing was heard yet.

        Raises:
            Transient: the brokers cannot be reached.
        """
        mine = sorted(self._given | self._next.keys())
        for partition in self._next:
            heard = self._consumer.get_watermark_offsets(
                TopicPartition(self._topic, partition), cached=True
            )
            if heard[1] >= 0:
                self._ends[partition] = max(heard[1], self._next.get(partition, 0))
        unheard = [partition for partition in mine if partition not in self._ends]
        self._ends |= zip(unheard, end_offsets(self._admin, self._topic, unheard), strict=True)
        return {partition: self._ends[partition] for partition in mine}

    def lag(self) -> Mapping[int, int]:
        """Records not handed out yet, as last heard, for each partition owned."""
        ends = self.end_offsets()
        return {part: max(0, ends[part] - offset) for part, offset in self._next.items()}

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Tell lag tools how far this consumer is; a failure is of no consequence."""
        places = [
            TopicPartition(self._topic, partition, offset)
            for partition, offset in offsets.items()
            if partition in self._next
        ]
        if places:
            try:
                self._consumer.commit(offsets=places, asynchronous=True)
            except KafkaException:
                return  # in the middle of a rebalance; the next commit says more

    def close(self) -> None:
        """Give every partition up (`revoked`) and leave the group; harmless when repeated.

        A static member does not leave: its partitions wait for it until the session timeout.
        """
        if self._closed:
            return
        self._closed = True
        self._consumer.close()
        # The group takes its partitions back while closing; without brokers it may not.
        self._tell(self._next, lost=False)
        self._raise_failure()

    def _pause(self, hold: bool) -> None:
        """Fetch nothing of any partition while held back, or go on."""
        wanted = set(self._next) if hold else set()
        for partitions, tell in (
            (wanted - self._paused, self._consumer.pause),
            ((self._paused & self._next.keys()) - wanted, self._consumer.resume),
        ):
            if partitions:
                with told(f"to read topic {self._topic}"):
                    tell([TopicPartition(self._topic, partition) for partition in partitions])
        self._paused = wanted

    def _gather(self, timeout_s: float) -> None:
        """Take what the client has, waiting for the first record only."""
        if not self._held and not self._receive(_AT_ONCE, 0) and not self._can_take_over():
            # Asked for one at a time: asked for many, the client would wait for all of them.
            self._receive(1, timeout_s)
        drops = self._options.back_pressure == "drop"
        deadline = time.monotonic() + _DRAIN_S
        while (
            (drops and time.monotonic() < deadline)
            or sum(map(len, self._held)) < self._options.records_max
        ) and self._receive(_AT_ONCE, 0):
            if drops:
                self._drop()

    def _receive(self, count: int, timeout_s: float) -> int:
        """Take up to so many messages; returns how many came, errors and all."""
        self._gone.clear()
        with told(f"to read topic {self._topic}"):
            messages = self._consumer.consume(count, timeout_s)
        if not messages:
            return 0
        records = messages
        if any(map(_error, messages)):
            records = [message for message in messages if message.error() is None]
            for message in messages:
                if message.error() is not None:
                    self._hear(message)
        if records:
            chunk = take_records(records, self._topic)
            self._held.append(chunk.without(self._gone) if self._gone else chunk)
        return len(messages)

    def _can_take_over(self) -> bool:
        return bool(self._given) and time.monotonic() >= self._try_again_at

    def _take_over(self) -> None:
        """Tell the owner about partitions given, and read them from where it says."""
        if not self._can_take_over():
            return
        given = sorted(self._given)
        if given[-1] >= self._partition_count:
            raise SettingsMismatch(
                f"Expected {self._partition_count} partitions of topic {self._topic}, was more: "
                "it grew, and tokens moved between partitions; copy it into a new topic with "
                "`swapstats topics migrate`"
            )
        try:
            offsets = self._owner.assigned(given)
        except Transient as error:
            self._try_again_at = time.monotonic() + error.retry_after_ms / 1_000
            raise
        missing = [partition for partition in given if partition not in offsets]
        if missing:
            raise InvariantBroken(f"Expected offsets of partitions {missing}, was none")
        self._given.clear()
        self._next |= {partition: offsets[partition] for partition in given}
        with told(f"to read topic {self._topic}"):
            self._consumer.incremental_assign(
                [TopicPartition(self._topic, partition, offsets[partition]) for partition in given]
            )

    def _hand_out(self) -> list[Chunk]:
        """Take about `records_max` records out of those held."""
        chunks: list[Chunk] = []
        count = 0
        while self._held and count < self._options.records_max:
            chunks.append(self._held.popleft())
            count += len(chunks[-1])
        return chunks

    def _drop(self) -> None:
        """Throw the oldest away beyond the bound."""
        held_bytes = sum(chunk.size_bytes for chunk in self._held)
        while len(self._held) > 1 and held_bytes > self._options.buffer_bytes_max:
            chunk = self._held.popleft()
            held_bytes -= chunk.size_bytes
            self._dropped += len(chunk)

    def _on_assign(self, _consumer: Consumer, places: Sequence[TopicPartition]) -> None:
        """Note partitions given. The owner is told between two receives, where it may fail."""
        self._given.update(place.partition for place in places)
        self._try_again_at = 0.0
        self._consumer.incremental_assign([])

    def _on_revoke(self, _consumer: Consumer, places: Sequence[TopicPartition]) -> None:
        self._give_up([place.partition for place in places], lost=False)

    def _on_lost(self, _consumer: Consumer, places: Sequence[TopicPartition]) -> None:
        self._give_up([place.partition for place in places], lost=True)

    def _give_up(self, partitions: Sequence[int], *, lost: bool) -> None:
        """Tell the owner, then let go; records received but not handed out are forgotten."""
        self._given.difference_update(partitions)
        mine = sorted(self._next.keys() & set(partitions))
        self._tell(mine, lost=lost)
        self._consumer.incremental_unassign(
            [TopicPartition(self._topic, partition) for partition in mine]
        )

    def _tell(self, partitions: Iterable[int], *, lost: bool) -> None:
        """Tell the owner that partitions are no longer its own.

        What it raises is kept: raised from here, within the client, the records that are being
        received of other partitions would be lost.
        """
        mine = sorted(partitions)
        if not mine:
            return
        try:
            if lost:
                self._owner.lost(mine)
            else:
                self._owner.revoked(mine)
        except Exception as error:  # noqa: BLE001 - raised by the poll or close that runs
            self._failure = self._failure or error
        for partition in mine:
            del self._next[partition]
            self._ends.pop(partition, None)
        self._gone.update(mine)
        self._held = deque(chunk.without(mine) for chunk in self._held)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _hear(self, message: Message) -> None:
        """Keep an error that came instead of a record until the records before it are out."""
        error = message.error()
        partition = message.partition()
        if error is None or partition is None:
            return
        place = f"partition {partition} of topic {self._topic}"
        if error.code() == KafkaError._MAX_POLL_EXCEEDED:  # noqa: SLF001 - its name
            self._heard = Transient(
                f"Expected a poll every {self._options.poll_interval_max_ms} ms, was none: the "
                "group gave the partitions to others; if this comes again, raise that time"
            )
            return
        heard = swapstats_error(error, f"to read {place}")
        if isinstance(heard, OffsetGone):
            heard = self._offset_gone(partition, place)
        self._heard = heard

    def _offset_gone(self, partition: int, place: str) -> SwapstatsError:
        offset = self._next.get(partition, -1)
        try:
            start = start_offsets(self._admin, self._topic, [partition])[0]
            end = end_offsets(self._admin, self._topic, [partition])[0]
        except SwapstatsError as error:
            return error
        return OffsetGone(
            f"Expected offset {offset} of {place}, was not there: it begins at {start} and ends "
            f"at {end}; start with --accept-gap to go on from there, and raise the topic's "
            "retention (an end that is lower: the topic was made anew)"
        )

    def _on_error(self, error: KafkaError) -> None:
        """Hear what concerns the client as a whole."""
        heard = swapstats_error(error, "to reach the brokers")
        if error.code() == KafkaError._ALL_BROKERS_DOWN or isinstance(heard, Fatal):  # noqa: SLF001 - its name
            self._heard = heard
