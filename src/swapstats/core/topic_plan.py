"""What separates the topics there are from the topics wanted, as values.

Nothing here speaks to a broker. What must not be changed in place is told apart from what can be:
a log's tokens live in the partition their key leads to, so its partitions are counted once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from swapstats.errors import SettingsError

CLEANUP = "cleanup.policy"
ACTIONS = ("create", "set", "grow", "leave", "refuse")


@dataclass(frozen=True, slots=True)
class WantedTopic:
    """A topic as it should be.

    Attributes:
        name: its name.
        partitions: how many.
        replication: copies of each partition.
        settings: the broker's settings for it, by their names.
        keyed: True if a record's partition follows from its key, for good.
    """

    name: str
    partitions: int
    replication: int
    settings: Mapping[str, str]
    keyed: bool = False


@dataclass(frozen=True, slots=True)
class FoundTopic:
    """A topic as it is.

    Attributes:
        name: its name.
        partitions: how many.
        replication: copies of each partition.
        settings: the broker's settings for it; names the broker does not know are absent.
        is_unused: True if it never held a record.
    """

    name: str
    partitions: int
    replication: int
    settings: Mapping[str, str]
    is_unused: bool


@dataclass(frozen=True, slots=True)
class TopicChange:
    """One difference, and what becomes of it.

    Attributes:
        topic: the topic.
        setting: what differs: `partitions`, `replication` or a setting's name.
        found: how it is; None = there is no such topic or setting.
        wanted: how it should be.
        action: `create` (with the topic), `set`, `grow`, `leave` (cannot be changed here; harmless)
            or `refuse` (would break what the topic holds).
        remedy: for `leave` and `refuse`, what people can do; else empty.
    """

    topic: str
    setting: str
    found: str | None
    wanted: str
    action: Literal["create", "set", "grow", "leave", "refuse"]
    remedy: str = ""

    def __str__(self) -> str:
        """Tell it as one line for people."""
        line = f"{self.topic}: {self.setting} {self.found or '(none)'} -> {self.wanted}"
        return f"{line} [{self.action}]" + (f" {self.remedy}" if self.remedy else "")


def log_topics(
    topic: str,
    partitions: int,
    replication: int,
    retention_ms: int,
    cleanup_policy: str,
    segment_ms: int,
    *,
    retention_min_ms: int,
    letters_retention_ms: int,
    message_bytes_max: int,
    redpanda: bool = False,
) -> tuple[WantedTopic, ...]:
    """Say which topics a log needs: itself, source positions, dead letters, diverted late records.

    Args:
        topic: the log's topic.
        partitions: of the log.
        replication: copies of each partition of each topic.
        retention_ms: how long the log keeps records; -1 = for ever.
        cleanup_policy: of the log.
        segment_ms: age at which the broker begins a new segment; 0 = the broker's default.
        retention_min_ms: least retention that the windows can be rebuilt from.
        letters_retention_ms: how long dead letters are kept.
        message_bytes_max: largest record.
        redpanda: True leaves out what Redpanda decides by itself.

    Raises:
        SettingsError: a log of that kind would lose swaps.
    """
    if "compact" in cleanup_policy:
        raise SettingsError(
            f"Expected cleanup_policy delete for {topic}, was {cleanup_policy}: compaction keeps "
            "one swap a token and drops the others"
        )
    if 0 <= retention_ms < retention_min_ms:
        raise SettingsError(
            f"Expected a retention of at least {retention_min_ms} ms for {topic} (widest window, "
            f"how far swaps may be ahead, and an hour), was {retention_ms} ms: the windows could "
            "not be rebuilt from it"
        )
    every = {
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(message_bytes_max),
    }
    if segment_ms:
        every["segment.ms"] = str(segment_ms)
    if not redpanda:
        # With acks=all, an acknowledged record outlives the loss of any one broker.
        every["min.insync.replicas"] = str(max(1, replication - 1))
    kept = {CLEANUP: cleanup_policy, "retention.ms": str(retention_ms)}
    letters = {CLEANUP: "compact,delete", "retention.ms": str(letters_retention_ms)}
    return (
        WantedTopic(topic, partitions, replication, every | kept, keyed=True),
        WantedTopic(f"{topic}.positions", 1, replication, every | {CLEANUP: "compact"}),
        WantedTopic(f"{topic}.dead-letters", 1, replication, every | letters),
        WantedTopic(f"{topic}.late", partitions, replication, every | kept),
    )


def plan_topic(wanted: WantedTopic, found: FoundTopic | None) -> tuple[TopicChange, ...]:
    """Compare a topic with what it should be.

    Returns:
        The differences: partitions first, then replication, then settings by name; none if it is
        as wanted.

    >>> wanted = WantedTopic("swaps", 12, 1, {"retention.ms": "1000"})
    >>> for change in plan_topic(wanted, FoundTopic("swaps", 4, 1, {"retention.ms": "9"}, True)):
    ...     print(change)
    swaps: partitions 4 -> 12 [grow]
    swaps: retention.ms 9 -> 1000 [set]
    """
    if found is None:
        shape = {"partitions": str(wanted.partitions), "replication": str(wanted.replication)}
        return tuple(
            TopicChange(wanted.name, setting, None, value, "create")
            for setting, value in (shape | dict(sorted(wanted.settings.items()))).items()
        )
    changes = []
    if wanted.partitions != found.partitions:
        changes.append(_partitions(wanted, found))
    if wanted.replication != found.replication:
        changes.append(
            TopicChange(
                wanted.name,
                "replication",
                str(found.replication),
                str(wanted.replication),
                "leave",
                "copies are moved by the broker's own tools (kafka-reassign-partitions, rpk)",
            )
        )
    for setting, value in sorted(wanted.settings.items()):
        was = found.settings.get(setting)
        if was is None or not _same(value, was):
            changes.append(TopicChange(wanted.name, setting, was, value, "set"))
    return tuple(changes)


def refused(changes: Sequence[TopicChange]) -> tuple[TopicChange, ...]:
    """Those changes that would break what a topic holds."""
    return tuple(change for change in changes if change.action == "refuse")


def _partitions(wanted: WantedTopic, found: FoundTopic) -> TopicChange:
    was, value = str(found.partitions), str(wanted.partitions)
    if wanted.partitions < found.partitions:
        remedy = "partitions cannot be taken away: use a new topic, see `swapstats topics migrate`"
        return TopicChange(wanted.name, "partitions", was, value, "refuse", remedy)
    if wanted.keyed and not found.is_unused:
        remedy = (
            "the topic holds swaps, and those of a token would be split over two partitions: copy "
            "it into a new topic with `swapstats topics migrate`"
        )
        return TopicChange(wanted.name, "partitions", was, value, "refuse", remedy)
    return TopicChange(wanted.name, "partitions", was, value, "grow")


def _same(wanted: str, found: str) -> bool:
    """Lists are sets to a broker, and it may write them in another order."""
    return {part.strip() for part in wanted.split(",")} == {
        part.strip() for part in found.split(",")
    }
