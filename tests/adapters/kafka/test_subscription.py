import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewPartitions
from tests.adapters.kafka.rig import Owner, new_log, rows

from swapstats.adapters.kafka.client import KafkaAddress, expect_partitions, kafka_admin
from swapstats.adapters.kafka.records import APPEND_MS_HEADER
from swapstats.adapters.kafka.subscription import KafkaSubscription
from swapstats.adapters.kafka.subscription_options import SubscriptionOptions
from swapstats.adapters.kafka.writer import TopicWriter
from swapstats.errors import Fatal, SettingsMismatch, Transient
from swapstats.model.record import RecordBatch
from swapstats.stack.kafka import SESSION_TIMEOUT_MIN_MS, KafkaCluster
from swapstats.stack.process import ServerProcess
from swapstats.testing.eventually import eventually

WAIT_MS = 60_000


class Join(Protocol):
    """Makes a member of a group, of the topic's own name unless said otherwise."""

    def __call__(
        self,
        topic: str,
        owner: Owner | None = None,
        options: SubscriptionOptions | None = None,
        *,
        group: str | None = None,
    ) -> KafkaSubscription: ...


@pytest.fixture
def join(address: KafkaAddress) -> Iterator[Join]:
    """Members that are closed whatever happens: one that is merely dropped can hang the client."""
    with ExitStack() as members:

        def joined(
            topic: str,
            owner: Owner | None = None,
            options: SubscriptionOptions | None = None,
            *,
            group: str | None = None,
        ) -> KafkaSubscription:
            member = KafkaSubscription(address, topic, group or topic, owner or Owner(), options)
            members.callback(member.close)
            return member

        yield joined


def write(address: KafkaAddress, topic: str, values: list[bytes], partitions: int = 1) -> None:
    writer = TopicWriter(address)
    writer.write(
        topic, values, [None] * len(values), [at % partitions for at in range(len(values))]
    )
    writer.close()


def received(
    subscription: KafkaSubscription, done: Callable[[list[RecordBatch]], bool]
) -> list[RecordBatch]:
    found: list[RecordBatch] = []

    def enough() -> bool:
        found.extend(subscription.poll(100))
        return done(found)

    eventually(enough, WAIT_MS, "records")
    return found


def count(batches: list[RecordBatch]) -> int:
    return sum(map(len, batches))


def test_a_topic_that_is_not_there_is_fatal(address: KafkaAddress, join: Join) -> None:
    with pytest.raises(Fatal, match="topics apply"):
        join("never-made", group="g")


def test_lag_is_what_was_not_handed_out(address: KafkaAddress, join: Join) -> None:
    topic = new_log(address, 2)
    write(address, topic, [b"x"] * 2_000, 2)
    owner = Owner()
    options = SubscriptionOptions(records_max=100)
    subscription = join(topic, owner, options)
    assert subscription.lag() == {}
    first = received(subscription, lambda found: count(found) > 0)
    assert 0 < count(first) < 2_000
    assert sum(subscription.lag().values()) == 2_000 - count(first)
    received(subscription, lambda found: count(found) == 2_000 - count(first))
    assert subscription.lag() == {0: 0, 1: 0}
    subscription.close()


def test_records_without_append_times_are_refused(address: KafkaAddress, join: Join) -> None:
    topic = new_log(address, 1)
    admin = kafka_admin(address)
    entry = ConfigEntry(
        "message.timestamp.type", "CreateTime", incremental_operation=AlterConfigOpType.SET
    )
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for future in admin.incremental_alter_configs([resource]).values():
        future.result()
    subscription = join(topic)

    def one_more() -> bool:
        write(address, topic, [b"x"])  # the broker may take the change over a moment later
        subscription.poll(100)
        return False

    with pytest.raises(SettingsMismatch, match="LogAppendTime"):
        eventually(one_more, WAIT_MS, "a record without append time")
    subscription.close()


def test_a_copied_record_has_its_original_append_time(address: KafkaAddress, join: Join) -> None:
    topic = new_log(address, 1)
    writer = TopicWriter(address)
    writer.write(topic, [b"a", b"b"], [None] * 2, [0, 0], [[(APPEND_MS_HEADER, b"7")], []])
    writer.close()
    subscription = join(topic)
    (batch,) = received(subscription, lambda found: count(found) == 2)
    subscription.close()
    assert batch.append_ms[0] == 7
    assert batch.append_ms[1] > 1_700_000_000_000


def test_a_log_that_grew_is_refused(address: KafkaAddress, join: Join) -> None:
    topic = new_log(address, 1)
    admin = kafka_admin(address)
    for future in admin.create_partitions([NewPartitions(topic, 2)]).values():
        future.result()
    eventually(lambda: expect_partitions(admin, topic) == 2, WAIT_MS, "the topic to have grown")
    subscription = join(topic)
    subscription._partition_count = 1  # as it was before it grew
    with pytest.raises(SettingsMismatch, match="it grew"):
        received(subscription, lambda _: False)


@pytest.mark.parametrize("back_pressure", ["block", "buffer"])
def test_a_slow_consumer_loses_nothing(
    address: KafkaAddress, join: Join, back_pressure: str
) -> None:
    topic = new_log(address, 1)
    values = [b"%06d" % at * 500 for at in range(3_000)]
    write(address, topic, values)
    options = SubscriptionOptions(
        back_pressure=back_pressure,  # type: ignore[arg-type] # a name of the parameters
        buffer_bytes_max=1 << 20,
        records_max=50,
    )
    subscription = join(topic, options=options)
    found = received(subscription, lambda found: count(found) == 3_000)
    assert [body for batch in found for _, body in rows(batch)] == values
    assert max(map(len, found)) <= 50 + 500
    assert subscription.dropped == 0
    subscription.close()


def test_a_dropping_consumer_drops_the_oldest_and_counts(address: KafkaAddress, join: Join) -> None:
    topic = new_log(address, 1)
    values = [b"%06d" % at * 500 for at in range(3_000)]
    write(address, topic, values)
    options = SubscriptionOptions(
        back_pressure="drop", buffer_bytes_max=2 << 20, records_max=100_000
    )
    subscription = join(topic, options=options)
    found: list[RecordBatch] = []

    def complete() -> bool:
        found.extend(subscription.poll(100))
        return count(found) + subscription.dropped == 3_000

    eventually(complete, WAIT_MS, "all records, handed out or dropped")
    offsets = [offset for batch in found for offset, _ in rows(batch)]
    assert subscription.dropped > 0
    assert offsets == sorted(offsets)
    assert offsets[-1] == 2_999
    assert [body for batch in found for _, body in rows(batch)] == [values[at] for at in offsets]
    subscription.close()


def test_a_static_member_comes_back_without_a_rebalance(address: KafkaAddress, join: Join) -> None:
    topic = new_log(address, 4)
    write(address, topic, [b"x"] * 8, 4)

    def joined(name: str, owner: Owner) -> KafkaSubscription:
        options = SubscriptionOptions(member=name, session_timeout_ms=6_000)
        return join(topic, owner, options)

    stays, goes = Owner(), Owner()
    first, second = joined("a", stays), joined("b", goes)

    def shared() -> bool:
        first.poll(20)
        second.poll(20)
        return len(stays.mine) == len(goes.mine) == 2

    eventually(shared, WAIT_MS, "both to own half")
    had, told = set(goes.mine), len(stays.told)
    second.close()
    back = Owner()
    second = joined("b", back)

    def again() -> bool:
        first.poll(20)
        second.poll(20)
        return back.mine == had

    eventually(again, 60_000, "the member to have its partitions back")
    assert len(stays.told) == told, "the other member was not interrupted"
    first.close()
    second.close()


def test_brokers_that_go_away_are_transient_and_come_back(
    address: KafkaAddress, join: Join, cluster: KafkaCluster
) -> None:
    topic = new_log(address, 1)
    write(address, topic, [b"a"])
    owner = Owner()
    options = SubscriptionOptions(session_timeout_ms=SESSION_TIMEOUT_MIN_MS)
    subscription = join(topic, owner, options)
    found = received(subscription, lambda found: count(found) == 1)
    owner.next[0] = 1
    other_owner = Owner()
    other = join(topic, other_owner, group=f"{topic}-other")
    received(other, lambda found: count(found) == 1)
    cluster.brokers[0].kill()
    try:
        with pytest.raises(Transient):
            received(subscription, lambda _: False)
        began = time.monotonic()
        other.close()
        assert time.monotonic() - began < 60, "closing does not wait for dead brokers"
        assert other_owner.told == [("assigned", (0,)), ("revoked", (0,))]
    finally:
        cluster.brokers[0].start()
    write(address, topic, [b"b"])
    more: list[RecordBatch] = []

    def back() -> bool:
        try:
            more.extend(subscription.poll(100))
        except Transient:
            return False
        return bool(more)

    eventually(back, WAIT_MS, "the record after")
    assert [rows(batch) for batch in found + more] == [[(0, b"a")], [(1, b"b")]]
    subscription.close()


def test_a_member_that_stood_still_loses_its_partitions(
    address: KafkaAddress, join: Join, tmp_path: Path
) -> None:
    """A zombie is told `lost`, not `revoked`: another owner may have begun already."""
    topic = new_log(address, 2)
    write(address, topic, [b"x"] * 4, 2)
    lines = tmp_path / "lines"
    member = Path(__file__).with_name("member.py")
    command = [sys.executable, str(member), address.brokers, topic, topic]
    zombie = ServerProcess(
        "a member",
        [*command, str(SESSION_TIMEOUT_MIN_MS)],
        lines,
        lambda: "assigned 0,1" in lines.read_text(),
    )
    zombie.start()
    owner = Owner()
    options = SubscriptionOptions(session_timeout_ms=SESSION_TIMEOUT_MIN_MS)
    subscription = join(topic, owner, options)
    try:
        zombie.pause()

        def taken_over() -> bool:
            subscription.poll(50)
            return len(owner.mine) == 2

        eventually(taken_over, WAIT_MS, "the other member to own both")
        zombie.resume()

        def told() -> bool:
            subscription.poll(50)
            return "lost 0,1" in lines.read_text()

        eventually(told, WAIT_MS, "the zombie to be told")
    finally:
        zombie.kill()
        subscription.close()
    assert "revoked" not in lines.read_text()
