"""Topics made and mended: what is there is compared with what is wanted, shown, then changed."""

import time
from collections.abc import Sequence
from typing import Any, Final

from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewPartitions, NewTopic

from swapstats.adapters.kafka.client import (
    REQUEST_MS,
    KafkaAddress,
    count_partitions,
    end_offsets,
    kafka_admin,
    told,
)
from swapstats.core.topic_plan import FoundTopic, TopicChange, WantedTopic, plan_topic, refused
from swapstats.errors import Transient, UsageError

_REQUEST_S: Final = REQUEST_MS / 1_000
_LOOKS_MAX: Final = 200
_LOOK_AGAIN_S: Final = 0.05


class KafkaTopics:
    """Makes and mends topics.

    Args:
        address: the brokers.

    Raises:
        SettingsError: a property that the client does not know.
    """

    def __init__(self, address: KafkaAddress) -> None:
        self._admin = kafka_admin(address)

    def find(self, wanted: WantedTopic) -> FoundTopic | None:
        """Look up a topic and those of its settings that are wanted; None if it is not there.

        Raises:
            Fatal: no right to see it.
            Transient: the brokers cannot be reached.
        """
        name = wanted.name
        with told(f"to find topic {name}"):
            topic = self._admin.list_topics(timeout=_REQUEST_S).topics.get(name)
            if topic is None:
                return None
            resource = ConfigResource(ResourceType.TOPIC, name)
            asked = self._admin.describe_configs([resource], request_timeout=_REQUEST_S)
            entries: dict[str, ConfigEntry] = asked[resource].result()
        count = len(topic.partitions)
        ends = end_offsets(self._admin, name, range(count))
        return FoundTopic(
            name,
            count,
            max((len(partition.replicas) for partition in topic.partitions.values()), default=0),
            {
                setting: str(entry.value)
                for setting, entry in entries.items()
                if setting in wanted.settings
            },
            is_unused=not any(ends),
        )

    def plan(self, wanted: Sequence[WantedTopic]) -> tuple[TopicChange, ...]:
        """Compare topics with what they should be; changes nothing.

        Raises:
            Fatal: no right to see them.
            Transient: the brokers cannot be reached.
        """
        return tuple(change for topic in wanted for change in plan_topic(topic, self.find(topic)))

    def apply(self, wanted: Sequence[WantedTopic], changes: Sequence[TopicChange]) -> None:
        """Carry out a plan: what it leaves stays as it is.

        Args:
            wanted: the topics the plan was made for.
            changes: the plan.

        Raises:
            UsageError: the plan holds a change that would break a topic; nothing was changed.
            Fatal: the broker refused a change.
            Transient: the brokers cannot be reached; plan and apply again.
        """
        stop = refused(changes)
        if stop:
            raise UsageError(
                "Expected changes that keep what the topics hold, was:\n"
                + "\n".join(f"  {change}" for change in stop)
            )
        by_name = {topic.name: topic for topic in wanted}
        created = dict.fromkeys(change.topic for change in changes if change.action == "create")
        for name in created:
            self._create(by_name[name])
        for change in changes:
            if change.action == "grow":
                self._grow(change)
        for name in dict.fromkeys(change.topic for change in changes if change.action == "set"):
            self._set(by_name[name], [c for c in changes if c.topic == name and c.action == "set"])

    def _create(self, topic: WantedTopic) -> None:
        made = NewTopic(
            topic.name, topic.partitions, topic.replication, config=dict(topic.settings)
        )
        with told(f"to create topic {topic.name}"):
            _wait(self._admin.create_topics([made], request_timeout=_REQUEST_S))
        self._wait_for(topic.name, topic.partitions)

    def _grow(self, change: TopicChange) -> None:
        count = int(change.wanted)
        with told(f"to grow topic {change.topic}"):
            grown = NewPartitions(change.topic, count)
            _wait(self._admin.create_partitions([grown], request_timeout=_REQUEST_S))
        self._wait_for(change.topic, count)

    def _set(self, wanted: WantedTopic, changes: Sequence[TopicChange]) -> None:
        name = wanted.name
        entries = [
            ConfigEntry(change.setting, change.wanted, incremental_operation=AlterConfigOpType.SET)
            for change in changes
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        with told(f"to set {', '.join(change.setting for change in changes)} of topic {name}"):
            _wait(self._admin.incremental_alter_configs([resource], request_timeout=_REQUEST_S))
        for _ in range(_LOOKS_MAX):
            left = plan_topic(wanted, self.find(wanted))
            if not any(change.action == "set" for change in left):
                return
            time.sleep(_LOOK_AGAIN_S)
        raise Transient(f"Expected the settings of topic {name} to appear, did not")

    def _wait_for(self, name: str, count: int) -> None:
        """Wait until the broker that is asked has heard of it: brokers learn one after another."""
        for _ in range(_LOOKS_MAX):
            if count_partitions(self._admin, name) == count:
                return
            time.sleep(_LOOK_AGAIN_S)
        raise Transient(f"Expected topic {name} with {count} partitions to appear, did not")


def _wait(asked: dict[Any, Any]) -> None:
    """Wait for what was asked; raises what went wrong."""
    for future in asked.values():
        future.result()
