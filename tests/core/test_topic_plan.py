import pytest

from swapstats.core.topic_plan import (
    FoundTopic,
    TopicChange,
    WantedTopic,
    log_topics,
    plan_topic,
    refused,
)
from swapstats.errors import SettingsError

DAY_MS = 86_400_000
SETTINGS = {"cleanup.policy": "compact,delete", "retention.ms": "1000"}


def found(partitions: int = 4, *, unused: bool = False, **settings: str) -> FoundTopic:
    given = {name.replace("_", "."): value for name, value in settings.items()}
    return FoundTopic("t", partitions, 1, SETTINGS | given, is_unused=unused)


def wanted(partitions: int = 4, replication: int = 1, *, keyed: bool = False) -> WantedTopic:
    return WantedTopic("t", partitions, replication, SETTINGS, keyed=keyed)


@pytest.mark.parametrize(
    ("want", "have", "actions"),
    [
        (wanted(), found(), []),
        (wanted(), found(cleanup_policy="delete, compact"), []),
        (wanted(), found(cleanup_policy="delete"), ["set"]),
        (wanted(), found(retention_ms="5", cleanup_policy="delete"), ["set", "set"]),
        (wanted(6), found(), ["grow"]),
        (wanted(6, keyed=True), found(unused=True), ["grow"]),
        (wanted(6, keyed=True), found(), ["refuse"]),
        (wanted(3), found(unused=True), ["refuse"]),
        (wanted(replication=3), found(), ["leave"]),
        (wanted(6, 3), found(retention_ms="7"), ["grow", "leave", "set"]),
        (wanted(), None, ["create"] * 4),
    ],
)
def test_differences(want: WantedTopic, have: FoundTopic | None, actions: list[str]) -> None:
    changes = plan_topic(want, have)
    assert [change.action for change in changes] == actions
    assert all((change.action in {"leave", "refuse"}) == bool(change.remedy) for change in changes)
    assert refused(changes) == tuple(c for c in changes if c.action == "refuse")


def test_a_change_tells_both_values_and_the_remedy() -> None:
    assert str(TopicChange("t", "retention.ms", "5", "9", "set")) == "t: retention.ms 5 -> 9 [set]"
    (change,) = plan_topic(wanted(6, keyed=True), found())
    assert str(change).startswith("t: partitions 4 -> 6 [refuse] ")
    assert "topics migrate" in str(change)


def log(retention_ms: int = 7 * DAY_MS, cleanup: str = "delete") -> tuple[WantedTopic, ...]:
    return log_topics(
        "swaps",
        12,
        3,
        retention_ms,
        cleanup,
        60_000,
        retention_min_ms=2 * DAY_MS,
        letters_retention_ms=30 * DAY_MS,
        message_bytes_max=1 << 22,
    )


def test_topics_of_a_log() -> None:
    topics = {topic.name: topic for topic in log()}
    assert list(topics) == ["swaps", "swaps.positions", "swaps.dead-letters", "swaps.late"]
    assert [topic.partitions for topic in topics.values()] == [12, 1, 1, 12]
    assert [topic.keyed for topic in topics.values()] == [True, False, False, False]
    assert {topic.replication for topic in topics.values()} == {3}
    for topic in topics.values():
        assert topic.settings["message.timestamp.type"] == "LogAppendTime"
        assert topic.settings["min.insync.replicas"] == "2"
        assert topic.settings["segment.ms"] == "60000"
    assert topics["swaps"].settings["cleanup.policy"] == "delete"
    assert topics["swaps"].settings["retention.ms"] == str(7 * DAY_MS)
    assert topics["swaps.positions"].settings["cleanup.policy"] == "compact"
    assert "retention.ms" not in topics["swaps.positions"].settings
    assert topics["swaps.dead-letters"].settings["retention.ms"] == str(30 * DAY_MS)


@pytest.mark.parametrize("cleanup", ["compact", "compact,delete"])
def test_a_compacted_log_is_refused(cleanup: str) -> None:
    with pytest.raises(SettingsError, match="one swap a token"):
        log(cleanup=cleanup)


def test_a_retention_that_cannot_rebuild_the_windows_is_refused() -> None:
    with pytest.raises(SettingsError, match="at least 172800000 ms"):
        log(2 * DAY_MS - 1)
    assert log(2 * DAY_MS)
    assert log(-1)[0].settings["retention.ms"] == "-1"
