"""How a subscription behaves in its group, as values; and what that means for the client."""

from dataclasses import dataclass
from typing import Final, Literal

from swapstats.errors import SettingsError

BackPressure = Literal["block", "buffer", "drop"]
"""What becomes of records that come faster than they are polled.

`block`: a few MiB are fetched ahead, the rest waits in the log. `buffer`: the same with a bound of
one's own. `drop`: beyond the bound the oldest unread are thrown away and counted; the windows are
wrong then, so it is for demonstrations only.
"""

BLOCK_BYTES_MAX: Final = 16 << 20
"""Fetched ahead under `block`: enough that the network never waits for the aggregator."""


@dataclass(frozen=True, slots=True)
class SubscriptionOptions:
    """Timeouts and bounds of a subscription.

    Attributes:
        member: static member name, unique in the group; a member that comes back under it within
            the session timeout takes its partitions up again without a rebalance. None = dynamic.
        session_timeout_ms: a member silent for this long is taken for dead.
        poll_interval_max_ms: a member that does not poll for this long gives its partitions up.
        back_pressure: see BackPressure.
        buffer_bytes_max: bound of what is fetched and not polled, under `buffer` and `drop`.
        records_max: about so many records a poll at most.
    """

    member: str | None = None
    session_timeout_ms: int = 10_000
    poll_interval_max_ms: int = 300_000
    back_pressure: BackPressure = "block"
    buffer_bytes_max: int = 64 << 20
    records_max: int = 4_000

    def __post_init__(self) -> None:
        if self.poll_interval_max_ms < self.session_timeout_ms:
            raise SettingsError(
                f"Expected at least the session timeout of {self.session_timeout_ms} ms between "
                f"two polls, was {self.poll_interval_max_ms} ms"
            )
        if self.buffer_bytes_max < 1 << 20 or self.records_max < 1:
            raise SettingsError(
                "Expected room for at least 1 MiB and 1 record, was "
                f"{self.buffer_bytes_max} bytes and {self.records_max} records"
            )

    def properties(self, group: str) -> dict[str, str | int | float | bool]:
        """Properties of the client of a member of `group`."""
        fetched_bytes_max = (
            BLOCK_BYTES_MAX if self.back_pressure == "block" else self.buffer_bytes_max
        )
        properties: dict[str, str | int | float | bool] = {
            "group.id": group,
            # The newer protocol is fatal to a static member that is restarted within its session.
            "group.protocol": "classic",
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": self.session_timeout_ms,
            "heartbeat.interval.ms": max(100, self.session_timeout_ms // 5),
            "max.poll.interval.ms": self.poll_interval_max_ms,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            # librdkafka lets a consumer idle for a second when its queue was full; this halves
            # the time a backlog takes.
            "fetch.queue.backoff.ms": 5,
            "fetch.wait.max.ms": 100,
            "queued.max.messages.kbytes": fetched_bytes_max >> 10,
            "queued.min.messages": 1_000_000,
        }
        if self.member is not None:
            properties["group.instance.id"] = self.member
        return properties
