import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from swapstats.adapters.redis.streams import RedisSwapLog
from swapstats.adapters.redis.streams_subscription import RedisStreamsSubscription
from swapstats.errors import InvariantBroken, OffsetGone, SettingsError, Transient, UsageError
from swapstats.model.record import MessageBlock
from swapstats.stack.redis import RedisServer
from swapstats.testing.eventually import eventually

PARTITIONS = 4


@dataclass
class Owner:
    """Takes partitions over where `reached` says, as a checkpoint store would."""

    reached: dict[int, int]
    told: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    mine: set[int] = field(default_factory=set)
    busy: Callable[[], object] | None = None

    def assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
        if self.busy is not None:
            self.busy()
        self.told.append(("assigned", tuple(partitions)))
        self.mine |= set(partitions)
        return {partition: self.reached.get(partition, 0) for partition in partitions}

    def revoked(self, partitions: Sequence[int]) -> None:
        self.told.append(("revoked", tuple(partitions)))
        self.mine -= set(partitions)

    def lost(self, partitions: Sequence[int]) -> None:
        self.told.append(("lost", tuple(partitions)))
        self.mine -= set(partitions)


Join = Callable[..., RedisStreamsSubscription]


@pytest.fixture
def log(redis_url: str, prefix: str) -> Iterator[RedisSwapLog]:
    with contextlib.closing(RedisSwapLog(redis_url, prefix, PARTITIONS)) as opened:
        yield opened


@pytest.fixture
def join(log: RedisSwapLog, redis_url: str, prefix: str) -> Iterator[Join]:
    with contextlib.ExitStack() as stack:

        def joined(owner: Owner, **options: int) -> RedisStreamsSubscription:
            return stack.enter_context(
                contextlib.closing(
                    RedisStreamsSubscription(redis_url, prefix, "group", owner, **options)  # type: ignore[arg-type]
                )
            )

        yield joined


def append(log: RedisSwapLog, messages: int, first: int = 0) -> None:
    """So many numbered messages, partition = number modulo PARTITIONS."""
    numbers = range(first, first + messages)
    log.append(
        MessageBlock.of([b"%d" % number for number in numbers]),
        np.array([number % PARTITIONS for number in numbers], dtype=np.int32),
        1_000,
        {},
    )


def drain(subscription: RedisStreamsSubscription, reached: dict[int, int]) -> list[int]:
    """Polls once; what was read counts as done at once."""
    numbers = []
    for batch in subscription.poll(20):
        assert batch.offsets[0] == reached.get(batch.partition, 0)
        reached[batch.partition] = batch.next_offset
        numbers += [int(batch.message(at)) for at in range(len(batch))]
    return numbers


def test_one_member_reads_everything_in_order(log: RedisSwapLog, join: Join) -> None:
    append(log, 100)
    reached: dict[int, int] = {}
    owner = Owner(reached)
    subscription = join(owner)
    assert subscription.partition_count == PARTITIONS
    seen = drain(subscription, reached)
    assert sorted(seen) == list(range(100))
    for part in range(PARTITIONS):
        assert [number for number in seen if number % PARTITIONS == part] == list(
            range(part, 100, PARTITIONS)
        )
    assert subscription.poll(0) == []
    assert subscription.end_offsets() == dict.fromkeys(range(PARTITIONS), 25)
    assert subscription.start_offsets() == dict.fromkeys(range(PARTITIONS), 0)
    subscription.commit(reached)
    subscription.close()
    subscription.close()
    everything = tuple(range(PARTITIONS))
    assert owner.told == [("assigned", everything), ("revoked", everything)]
    with pytest.raises(InvariantBroken):
        subscription.poll(0)


def test_a_poll_waits_for_the_first_record(log: RedisSwapLog, join: Join) -> None:
    reached: dict[int, int] = {}
    subscription = join(Owner(reached))
    subscription.poll(0)
    appender = threading.Timer(0.1, append, (log, 4))
    appender.start()
    seen = list(subscription.poll(20_000))
    appender.join()
    assert len(seen) == 4


def test_reading_begins_where_the_owner_says(log: RedisSwapLog, join: Join) -> None:
    append(log, 40)
    reached = {0: 10, 1: 9, 2: 3, 3: 0}
    seen = drain(join(Owner(reached)), reached)
    assert sorted(seen) == sorted(
        number for number in range(40) if number // 4 >= {0: 10, 1: 9, 2: 3, 3: 0}[number % 4]
    )


def test_members_share_and_hand_over_without_loss(log: RedisSwapLog, join: Join) -> None:
    reached: dict[int, int] = {}
    seen: list[int] = []
    owners = [Owner(reached) for _ in range(3)]
    members = [join(owners[0], session_ms=600)]
    count = 0

    def round_of_all() -> None:
        nonlocal count
        append(log, 20, count)
        count += 20
        for member in members:
            seen.extend(drain(member, reached))

    round_of_all()
    assert owners[0].mine == set(range(PARTITIONS))
    for more in (1, 2):
        members.append(join(owners[more], session_ms=600))

        def shared() -> bool:
            round_of_all()
            sizes = sorted(len(owner.mine) for owner in owners[: len(members)])
            return sum(sizes) == PARTITIONS and sizes[-1] - sizes[0] <= 1

        eventually(shared, 60_000, "every member to have its share")
        assert not set.intersection(owners[0].mine, owners[1].mine)
    members.pop(0).close()
    assert owners[0].told[-1][0] == "revoked"

    def taken() -> bool:
        round_of_all()
        return owners[1].mine | owners[2].mine == set(range(PARTITIONS))

    eventually(taken, 60_000, "the partitions of who left")

    def read() -> bool:
        round_of_all()
        return len(seen) == count

    eventually(read, 60_000, "everything to be read")
    assert sorted(seen) == list(range(count))
    assert not any(kind == "lost" for owner in owners for kind, _ in owner.told)


def test_a_member_that_hangs_loses_its_partitions(log: RedisSwapLog, join: Join) -> None:
    reached: dict[int, int] = {}
    hanging, other = Owner(reached), Owner(reached)
    zombie = join(hanging, session_ms=300, poll_max_ms=100)
    zombie.poll(0)
    assert hanging.mine == set(range(PARTITIONS))
    heir = join(other, session_ms=300)
    eventually(lambda: (heir.poll(20), other.mine == set(range(PARTITIONS)))[1], 60_000, "the heir")
    # What it is told first is that it has lost what it had.
    zombie.poll(0)
    assert hanging.told[1] == ("lost", tuple(range(PARTITIONS)))


def test_a_long_restore_costs_no_partition(log: RedisSwapLog, join: Join) -> None:
    reached: dict[int, int] = {}
    slow, other = Owner(reached), Owner(reached)
    heir = join(other, session_ms=200)
    waits = threading.Event()
    slow.busy = lambda: waits.wait(1.0)
    member = join(slow, session_ms=200)
    member.poll(0)
    assert slow.mine == set(range(PARTITIONS))
    heir.poll(0)
    assert other.mine == set()
    member.poll(0)
    assert not any(kind == "lost" for kind, _ in slow.told)


def test_an_owner_that_cannot_take_over_is_asked_again(log: RedisSwapLog, join: Join) -> None:
    append(log, 8)
    reached: dict[int, int] = {}
    owner = Owner(reached)
    failures = [Transient("Expected a store, was none", 1)] * 2

    def fail() -> None:
        if failures:
            raise failures.pop()

    owner.busy = fail
    subscription = join(owner, session_ms=300)
    seen: list[int] = []

    def polled() -> bool:
        with contextlib.suppress(Transient):
            seen.extend(drain(subscription, reached))
        return len(seen) == 8

    eventually(polled, 60_000, "the owner to take over")
    assert failures == []


def test_redis_away_is_transient_then_lost_then_taken_again(
    tmp_path: object, own_redis: RedisServer, prefix: str
) -> None:
    reached: dict[int, int] = {}
    owner = Owner(reached)
    with (
        contextlib.closing(RedisSwapLog(own_redis.url, prefix, PARTITIONS)) as log,
        contextlib.closing(
            RedisStreamsSubscription(own_redis.url, prefix, "group", owner, session_ms=300)
        ) as subscription,
    ):
        append(log, 8)
        assert sorted(drain(subscription, reached)) == list(range(8))
        own_redis.kill()

        def lost() -> bool:
            with pytest.raises(Transient):
                subscription.poll(20)
            return owner.told[-1][0] == "lost"

        eventually(lost, 60_000, "the partitions to be given up")
        own_redis.start()
        append(log, 8, 8)
        seen: list[int] = []

        def read() -> bool:
            seen.extend(drain(subscription, reached))
            return len(seen) == 8

        eventually(read, 60_000, "the rest to be read")
    assert owner.told[-1][0] == "revoked"


def test_a_trimmed_offset_is_said(log: RedisSwapLog, join: Join) -> None:
    append(log, 8)
    append(log, 8, 8)
    assert log.trim(2_000, 0, [2] * PARTITIONS) == 8
    with pytest.raises(OffsetGone, match="accept-gap"):
        join(Owner({})).poll(0)


def test_what_cannot_work_is_refused(redis_url: str, prefix: str) -> None:
    with pytest.raises(UsageError, match="swap log"):
        RedisStreamsSubscription(redis_url, prefix, "group", Owner({}))
    with pytest.raises(SettingsError, match="session"):
        RedisStreamsSubscription(redis_url, prefix, "group", Owner({}), session_ms=1)
