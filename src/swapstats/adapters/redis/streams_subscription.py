"""A consumer's share of a log in Redis Streams: a member of a group that shares partitions out.

Who has which partition is agreed upon by leases (`leases.py`). A thread keeps the member alive
while its owner restores or checkpoints; it stops when nobody polls any more, so that a consumer
that hangs loses its partitions. A member that cannot reach Redis for its session gives up what it
had as lost: others may have begun. What it writes after that is refused by the epoch of the shard.
"""

import threading
import time
import uuid
from collections.abc import Mapping
from typing import Final

from swapstats.adapters.redis.connection import TIMEOUT_MS, RedisLine, tagged
from swapstats.adapters.redis.leases import LeaseShare, PartitionLeases
from swapstats.adapters.redis.streams_reader import RedisSwapLogReader
from swapstats.errors import InvariantBroken, SettingsError, SwapstatsError, Transient
from swapstats.model.record import RecordBatch
from swapstats.ports.swap_subscription import PartitionOwner

SESSION_MS: Final = 6_000
POLL_MAX_MS: Final = 300_000
"""Longest pause between polls before a member is taken for hanging: the longest restore."""
BATCH_BYTES_MAX: Final = 1 << 20
_SESSION_MS_MIN: Final = 100
_RENEW_MS_MAX: Final = 1_000
_WAIT_MS_MAX: Final = 500


class RedisStreamsSubscription:
    """Membership in a group, as a source of record batches; one thread uses it.

    Args:
        url: of the Redis, see `RedisLine`.
        prefix: of the log.
        group: name of the group.
        owner: told about partitions that come and go, from within `poll` and `close`.
        member: name of this member; None = one of its own.
        session_ms: a member not heard of for so long is taken for dead.
        poll_max_ms: a member not polled for so long is taken for hanging.
        batch_bytes_max: about so many bytes of a partition a poll.
        timeout_ms: bound on each answer of Redis.

    Raises:
        UsageError: there is no such log.
        SettingsError: the session is too short.
        Transient: Redis cannot be reached.
    """

    def __init__(
        self,
        url: str,
        prefix: str,
        group: str,
        owner: PartitionOwner,
        *,
        member: str | None = None,
        session_ms: int = SESSION_MS,
        poll_max_ms: int = POLL_MAX_MS,
        batch_bytes_max: int = BATCH_BYTES_MAX,
        timeout_ms: int = TIMEOUT_MS,
    ) -> None:
        if session_ms < _SESSION_MS_MIN:
            raise SettingsError(
                f"Expected a session of at least {_SESSION_MS_MIN} ms, was {session_ms} ms"
            )
        self._owner = owner
        self._session_s = session_ms / 1_000
        self._renew_s = min(session_ms / 3, _RENEW_MS_MAX) / 1_000
        self._poll_max_s = poll_max_ms / 1_000
        self._batch_bytes_max = batch_bytes_max
        self._reader = RedisSwapLogReader(url, prefix, timeout_ms=timeout_ms)
        self._line: RedisLine = self._reader.line
        self._wait_ms_max = min(_WAIT_MS_MAX, timeout_ms // 2)
        self._committed = f"{tagged(prefix, 'log')}:group:{group}:offsets"
        self._leases = PartitionLeases(
            self._line,
            prefix,
            group,
            member or uuid.uuid4().hex[:12],
            self._reader.partition_count,
            session_ms,
        )
        self._given: set[int] = set()  # by the group; the owner may not have been told yet
        self._next: dict[int, int] = {}  # partitions owned -> offset to be read next
        self._ends: dict[int, int] = {}
        self._renew_at = 0.0
        self._take_at = 0.0
        self._heard_at = 0.0  # begin of the last exchange by which the group heard of us
        self._polled_at = time.monotonic()
        self._closed = threading.Event()
        self._beat = threading.Thread(target=self._keep_alive, name="leases", daemon=True)
        self._beat.start()

    @property
    def partition_count(self) -> int:
        """Partitions of the whole log."""
        return self._reader.partition_count

    def poll(self, timeout_ms: int, *, hold: bool = False) -> list[RecordBatch]:
        """Give the next records, waiting up to `timeout_ms` for the first.

        Args:
            timeout_ms: longest wait.
            hold: give no records, they wait.

        Returns:
            At most one batch of a partition, each going on where its last one ended; empty if
            nothing came.

        Raises:
            OffsetGone: the log no longer holds the offset to go on from.
            StoreCorrupt: the bytes are not what was written.
            Transient: Redis cannot be reached, or the owner could not take a partition over;
                polling again tries again.
        """
        if self._closed.is_set():
            raise InvariantBroken("Expected an open subscription, was closed")
        deadline = time.monotonic() + timeout_ms / 1_000
        while True:
            self._polled_at = time.monotonic()
            self._keep_share()
            batches = [] if hold else self._read()
            left_s = deadline - time.monotonic()
            if batches or left_s <= 0:
                return batches
            self._wait(min(left_s, max(0.0, self._renew_at - time.monotonic())))

    def start_offsets(self) -> Mapping[int, int]:
        """First offset the log still holds, for each partition given to this consumer."""
        starts = self._reader.start_offsets()
        return {partition: starts[partition] for partition in sorted(self._given)}

    def end_offsets(self) -> Mapping[int, int]:
        """Offset the next record will get, as last heard, for each partition given to it."""
        return {partition: self._ends.get(partition, 0) for partition in sorted(self._given)}

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Note how far this consumer is, for people who look; nothing else depends on it.

        Raises:
            Transient: Redis cannot be reached.
        """
        pairs = [number for pair in offsets.items() for number in pair]
        if pairs:
            self._line.call("HSET", self._committed, *pairs)

    def close(self) -> None:
        """Give every partition up (`revoked`) and leave the group; harmless when repeated."""
        if self._closed.is_set():
            return
        try:
            self._give_up(sorted(self._next))
        finally:
            self._closed.set()
            self._beat.join()
            try:
                self._leases.leave()
            except Transient:
                # Redis is away: what was held runs out with the session.
                pass
            finally:
                self._reader.close()

    def _keep_share(self) -> None:
        """Stay a member, and have the partitions that are this member's share."""
        self._lose_if_unheard()
        began = time.monotonic()
        if began < self._renew_at:
            return
        share = self._leases.renew()
        self._renew_at = began + self._renew_s
        if not share.went_on:
            self._lose()
        self._heard_at = began
        self._give_back(share)
        self._given = set(self._kept(share))
        fresh = sorted(self._given - self._next.keys())
        if fresh and began >= self._take_at:
            self._take(fresh)

    def _lose_if_unheard(self) -> None:
        if self._next and time.monotonic() - self._heard_at >= self._session_s:
            self._lose()

    def _lose(self) -> None:
        """Forget what another member may have by now."""
        lost = sorted(self._next)
        self._next.clear()
        self._given.clear()
        if lost:
            self._owner.lost(lost)

    def _kept(self, share: LeaseShare) -> list[int]:
        """The partitions to stay with: those already read before those not begun."""
        order = sorted(share.mine, key=lambda partition: (partition not in self._next, partition))
        return order[: share.share]

    def _give_back(self, share: LeaseShare) -> None:
        """Give up what is more than the share."""
        surplus = set(share.mine) - set(self._kept(share))
        if surplus:
            self._give_up(sorted(surplus & self._next.keys()))
            self._leases.release(sorted(surplus))
            # Those who wait for it ask again soon; so does this one.
            self._renew_at = min(self._renew_at, time.monotonic() + self._renew_s / 2)

    def _give_up(self, partitions: list[int]) -> None:
        for partition in partitions:
            del self._next[partition]
        if partitions:
            self._owner.revoked(partitions)

    def _take(self, partitions: list[int]) -> None:
        self._ends = dict(enumerate(self._reader.end_offsets()))
        try:
            offsets = self._owner.assigned(partitions)
        except Transient as error:
            self._take_at = time.monotonic() + error.retry_after_ms / 1_000
            self._renew_at = min(self._renew_at, self._take_at)
            raise
        missing = [partition for partition in partitions if partition not in offsets]
        if missing:
            raise InvariantBroken(f"Expected offsets of partitions {missing}, was none")
        self._next.update({partition: offsets[partition] for partition in partitions})
        # It may have taken long: without the thread's word nothing of it is ours any more.
        self._lose_if_unheard()

    def _read(self) -> list[RecordBatch]:
        if not self._next:
            return []
        self._ends = dict(enumerate(self._reader.end_offsets()))
        batches = []
        for partition, offset in self._next.items():
            if offset == self._ends[partition]:
                continue
            batch = self._reader.read(partition, offset, self._batch_bytes_max)
            if batch is not None:
                batches.append(batch)
        for batch in batches:
            self._next[batch.partition] = batch.next_offset
        return batches

    def _wait(self, span_s: float) -> None:
        """Wait until something is appended, at most so long."""
        span_ms = min(int(span_s * 1_000), self._wait_ms_max)
        if span_ms < 1:
            return
        if not self._next:
            self._closed.wait(span_ms / 1_000)
            return
        streams = [self._reader.stream(partition) for partition in self._next]
        after = [f"{max(0, at - 1)}-{min(at, 1)}" for at in self._next.values()]
        self._line.call("XREAD", "COUNT", 1, "BLOCK", span_ms, "STREAMS", *streams, *after)

    def _keep_alive(self) -> None:
        """Let the group hear of this member while its owner is at work (a thread of its own)."""
        while not self._closed.wait(self._renew_s):
            began = time.monotonic()
            if began - self._polled_at > self._poll_max_s:
                continue
            try:
                if self._leases.touch():
                    self._heard_at = max(self._heard_at, began)
            except SwapstatsError:
                # The next poll says what is wrong.
                continue
