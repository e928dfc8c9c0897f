"""What every subscription must do: the port's promises, on each adapter."""

import contextlib
import random
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from tests.adapters.kafka.rig import Owner, rows
from tests.conformance.conftest import SubscriptionAdapter

from swapstats.errors import OffsetGone, StoreError, Transient
from swapstats.model.record import MessageBlock
from swapstats.ports.swap_log import SwapLog
from swapstats.ports.swap_subscription import PartitionOwner, SwapSubscription
from swapstats.stack.kafka import SESSION_TIMEOUT_MIN_MS
from swapstats.testing.eventually import eventually

Subscribe = Callable[[PartitionOwner], SwapSubscription]
Found = dict[int, list[tuple[int, bytes]]]

PARTITIONS = 4
WAIT_MS = 60_000


@pytest.fixture
def log(
    subscription_adapter: SubscriptionAdapter, tmp_path: Path, closing: contextlib.ExitStack
) -> SwapLog:
    opened = subscription_adapter.log.writer(tmp_path, PARTITIONS)
    return closing.enter_context(contextlib.closing(opened))


@pytest.fixture
def subscribe(
    subscription_adapter: SubscriptionAdapter,
    tmp_path: Path,
    log: SwapLog,
    closing: contextlib.ExitStack,
) -> Subscribe:
    return lambda owner: closing.enter_context(
        contextlib.closing(subscription_adapter.subscribe(tmp_path, log, owner))
    )


@pytest.fixture
def member(subscription_adapter: SubscriptionAdapter, tmp_path: Path) -> list[str]:
    """Command of a further member; the test is skipped where one consumer has everything."""
    if subscription_adapter.member is None:
        pytest.skip(f"{subscription_adapter.log.name}: one consumer has all partitions")
    return subscription_adapter.member(tmp_path)


def append(log: SwapLog, messages: Sequence[bytes], partitions: Sequence[int]) -> None:
    block = MessageBlock.of(list(messages))
    log.append(block, np.array(partitions, dtype=np.int32), 1_000, {})


def append_some(log: SwapLog, count: int, seed: int = 1) -> Found:
    """Append messages over all partitions; returns what each then holds."""
    chance = random.Random(seed)
    kept: Found = {part: [] for part in range(PARTITIONS)}
    messages, partitions = [], []
    for at in range(count):
        part = chance.randrange(PARTITIONS)
        messages.append(b"%d:%d " % (seed, at) + chance.randbytes(chance.choice((0, 1, 50, 900))))
        partitions.append(part)
        kept[part].append((len(kept[part]), messages[-1]))
    append(log, messages, partitions)
    return kept


def poll(subscription: SwapSubscription, owner: Owner, found: Found) -> int:
    """Poll once; keep what came, and where the owner is then."""
    batches = subscription.poll(100)
    assert len({batch.partition for batch in batches}) == len(batches)
    for batch in batches:
        assert len(batch) > 0
        assert batch.partition in owner.mine
        found.setdefault(batch.partition, []).extend(rows(batch))
        owner.next[batch.partition] = batch.next_offset
    return sum(map(len, batches))


def poll_until(
    subscription: SwapSubscription, owner: Owner, condition: Callable[[Found], bool]
) -> Found:
    found: Found = {}

    def done() -> bool:
        poll(subscription, owner, found)
        return condition(found)

    eventually(done, WAIT_MS, "the records")
    return found


def count(found: Found) -> int:
    return sum(map(len, found.values()))


def test_all_partitions_come_whole_and_in_order(log: SwapLog, subscribe: Subscribe) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    kept = append_some(log, 3_000, seed)
    owner = Owner()
    subscription = subscribe(owner)
    assert subscription.partition_count == PARTITIONS
    assert poll_until(subscription, owner, lambda found: count(found) == 3_000) == kept
    assert [told for told, _ in owner.told] == ["assigned"] * len(owner.told)
    assert owner.mine == set(range(PARTITIONS))


def test_records_come_as_they_are_appended(log: SwapLog, subscribe: Subscribe) -> None:
    owner = Owner()
    subscription = subscribe(owner)
    found = poll_until(subscription, owner, lambda _: len(owner.mine) == PARTITIONS)
    assert found == {}
    for at in range(20):
        append(log, [b"%d" % at], [at % PARTITIONS])
        came = poll_until(subscription, owner, lambda found: count(found) == 1)
        assert came == {at % PARTITIONS: [(at // PARTITIONS, b"%d" % at)]}


def test_nothing_new_is_an_empty_poll_in_time(log: SwapLog, subscribe: Subscribe) -> None:
    owner = Owner()
    subscription = subscribe(owner)
    append_some(log, 10)
    poll_until(subscription, owner, lambda found: count(found) == 10)
    began = time.monotonic()
    assert subscription.poll(300) == []
    assert 0.2 < time.monotonic() - began < 2
    assert subscription.poll(0) == []


def test_reading_begins_where_the_owner_says(log: SwapLog, subscribe: Subscribe) -> None:
    kept = append_some(log, 400)
    starts = dict(enumerate((0, 7, 50, len(kept[3]))))
    owner = Owner(starts)
    expected = {part: kept[part][at:] for part, at in starts.items() if kept[part][at:]}
    wanted = count(expected)
    assert poll_until(subscribe(owner), owner, lambda found: count(found) == wanted) == expected


def test_a_next_subscription_goes_on(log: SwapLog, subscribe: Subscribe) -> None:
    kept = append_some(log, 500)
    first = Owner()
    subscription = subscribe(first)
    found = poll_until(subscription, first, lambda found: count(found) >= 100)
    subscription.close()
    second = Owner(next=dict(first.next))
    left = 500 - count(found)
    more = poll_until(subscribe(second), second, lambda found: count(found) == left)
    joined = {part: found.get(part, []) + more.get(part, []) for part in kept}
    assert joined == kept


def test_offsets_are_known_while_the_owner_is_told(
    log: SwapLog,
    subscribe: Subscribe,
    subscription_adapter: SubscriptionAdapter,
    tmp_path: Path,
) -> None:
    append(log, [b"x"] * 24, [at % PARTITIONS for at in range(24)])
    append(log, [b"x"] * 16, [at % PARTITIONS for at in range(16)])
    subscription_adapter.delete(tmp_path, log, 6)
    starts: dict[int, int] = {}

    class Asking(Owner):
        def assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
            starts.update({part: subscription.start_offsets()[part] for part in partitions})
            assert all(subscription.end_offsets()[part] == 10 for part in partitions)
            self.starts = starts
            return super().assigned(partitions)

    owner = Asking()
    subscription = subscribe(owner)
    found = poll_until(subscription, owner, lambda found: count(found) == 4 * PARTITIONS)
    assert starts == dict.fromkeys(range(PARTITIONS), 6)
    assert {part: at[0][0] for part, at in found.items()} == starts
    append(log, [b"y"], [1])
    poll_until(subscription, owner, lambda found: count(found) == 1)
    assert subscription.end_offsets() == {0: 10, 1: 11, 2: 10, 3: 10}
    assert subscription.start_offsets() == starts


def test_an_offset_that_is_gone_is_said(
    log: SwapLog,
    subscribe: Subscribe,
    subscription_adapter: SubscriptionAdapter,
    tmp_path: Path,
) -> None:
    append(log, [b"x"] * 24, [at % PARTITIONS for at in range(24)])
    append(log, [b"x"] * 16, [at % PARTITIONS for at in range(16)])
    subscription_adapter.delete(tmp_path, log, 6)
    owner = Owner({0: 3, 1: 6, 2: 6, 3: 6})
    with pytest.raises(OffsetGone, match=r"offset 3 of partition 0.*begins at 6.*--accept-gap"):
        poll_until(subscribe(owner), owner, lambda _: False)


def test_an_offset_beyond_the_end_is_said(log: SwapLog, subscribe: Subscribe) -> None:
    append(log, [b"x"] * 8, [at % PARTITIONS for at in range(8)])
    owner = Owner({2: 5})
    with pytest.raises((OffsetGone, StoreError), match=r"offset 5"):
        poll_until(subscribe(owner), owner, lambda _: False)


def test_large_messages_come(log: SwapLog, subscribe: Subscribe) -> None:
    chance = random.Random(5)
    messages = [chance.randbytes(3 << 20), b"", chance.randbytes(2 << 20), b"small"]
    append(log, messages, [1, 1, 1, 2])
    owner = Owner()
    found = poll_until(subscribe(owner), owner, lambda found: count(found) == 4)
    assert found == {1: list(enumerate(messages[:3])), 2: [(0, b"small")]}


def test_arrays_are_the_readers_own(log: SwapLog, subscribe: Subscribe) -> None:
    append(log, [b"abc"], [0])
    owner = Owner()
    subscription = subscribe(owner)
    batches = eventually(lambda: subscription.poll(100), WAIT_MS, "a batch")
    batches[0].buffer[:] = 0
    batches[0].append_ms[:] = 0
    batches[0].offsets[:] = 0
    assert rows(log.read(0, 0, 100)) == [(0, b"abc")]


def test_close_gives_everything_up_once(log: SwapLog, subscribe: Subscribe) -> None:
    append_some(log, 10)
    owner = Owner()
    subscription = subscribe(owner)
    poll_until(subscription, owner, lambda found: count(found) == 10)
    subscription.close()
    subscription.close()
    assert owner.mine == set()
    assert sorted(p for told, parts in owner.told if told == "revoked" for p in parts) == [
        0, 1, 2, 3,
    ]  # fmt: skip
    assert not [told for told, _ in owner.told if told == "lost"]


def test_held_back_records_wait_and_nothing_is_lost(log: SwapLog, subscribe: Subscribe) -> None:
    """Partitions are taken over, and stay, while their records are held back."""
    kept = append_some(log, 30, 1)
    owner = Owner()
    subscription = subscribe(owner)

    def taken_over() -> bool:
        assert subscription.poll(50, hold=True) == []
        return owner.mine == set(range(PARTITIONS))

    eventually(taken_over, WAIT_MS, "all partitions")
    assert poll_until(subscription, owner, lambda found: count(found) == 30) == kept
    append(log, [b"more %d" % at for at in range(40)], [at % PARTITIONS for at in range(40)])
    for _ in range(5):
        assert subscription.poll(50, hold=True) == []
    more = poll_until(subscription, owner, lambda found: count(found) == 40)
    assert {part: len(rows) for part, rows in more.items()} == dict.fromkeys(range(PARTITIONS), 10)
    assert [told for told, _ in owner.told] == ["assigned"] * len(owner.told)


def test_an_owner_that_cannot_take_over_yet_is_asked_again(
    log: SwapLog, subscribe: Subscribe
) -> None:
    kept = append_some(log, 100)

    class Unready(Owner):
        tries = 0

        def assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
            self.tries += 1
            if self.tries < 3:
                raise Transient("Expected the store, was away", retry_after_ms=50)
            return super().assigned(partitions)

    owner = Unready()
    subscription = subscribe(owner)
    failures = 0
    found: Found = {}

    def done() -> bool:
        nonlocal failures
        try:
            poll(subscription, owner, found)
        except Transient:
            failures += 1
        return count(found) == 100

    eventually(done, WAIT_MS, "the records")
    assert failures == 2
    assert found == kept


def test_what_the_owner_raises_on_giving_up_is_raised(log: SwapLog, subscribe: Subscribe) -> None:
    class Failing(Owner):
        def revoked(self, partitions: Sequence[int]) -> None:
            super().revoked(partitions)
            raise Transient("Expected the store, was away")

    append_some(log, 10)
    owner = Failing()
    subscription = subscribe(owner)
    poll_until(subscription, owner, lambda found: count(found) == 10)
    with pytest.raises(Transient, match="was away"):
        subscription.close()
    subscription.close()


def test_lag_tools_see_what_was_committed(
    log: SwapLog,
    subscribe: Subscribe,
    subscription_adapter: SubscriptionAdapter,
    tmp_path: Path,
) -> None:
    kept = append_some(log, 60)
    owner = Owner()
    subscription = subscribe(owner)
    poll_until(subscription, owner, lambda found: count(found) == 60)
    subscription.commit(owner.next)
    subscription.commit({})
    committed = subscription_adapter.committed
    if committed is None:
        return
    subscription.poll(10)
    ends = {part: len(records) for part, records in kept.items()}
    eventually(
        lambda: {part: committed(tmp_path, part) for part in kept} == ends, WAIT_MS, "the commit"
    )
    # What was committed decides nothing: a next consumer begins where its owner says.
    subscription.close()
    again = Owner()
    assert poll_until(subscribe(again), again, lambda found: count(found) == 60) == kept


@contextlib.contextmanager
def running_member(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], deque[str]]]:
    """A further member, and the lines it has written so far."""
    lines: deque[str] = deque()

    def read(output: IO[str]) -> None:
        lines.extend(line.strip() for line in output)

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        reader = threading.Thread(target=read, args=(process.stdout,))
        reader.start()

        try:
            yield process, lines
        finally:
            process.kill()
            process.wait()
            reader.join()


@pytest.mark.usefixtures("member")
def test_two_members_share_and_hand_over_without_loss(log: SwapLog, subscribe: Subscribe) -> None:
    """Both owners keep their places in one store, as shards do by their checkpoints."""
    places: dict[int, int] = {}
    first, second = Owner(next=places), Owner(next=places)
    found: Found = {}
    kept: Found = {part: [] for part in range(PARTITIONS)}
    appended = 0

    def more() -> None:
        nonlocal appended
        parts = list(range(PARTITIONS))
        append(log, [b"%d:%d" % (appended, part) for part in parts], parts)
        for part in parts:
            kept[part].append((appended, b"%d:%d" % (appended, part)))
        appended += 1

    subscriptions = {"first": (subscribe(first), first)}

    def step(condition: Callable[[], bool]) -> bool:
        more()
        for subscription, owner in subscriptions.values():
            poll(subscription, owner, found)
        assert not first.mine & second.mine
        return condition()

    eventually(lambda: step(lambda: len(first.mine) == PARTITIONS), WAIT_MS, "one owner of all")
    subscriptions["second"] = (subscribe(second), second)
    shared = PARTITIONS // 2
    eventually(
        lambda: step(lambda: len(first.mine) == len(second.mine) == shared), WAIT_MS, "two owners"
    )
    stayed = {parts for told, parts in first.told if told == "revoked"}
    assert sum(map(len, stayed)) == shared, "who keeps a partition is not interrupted"
    subscriptions.pop("first")[0].close()
    eventually(lambda: step(lambda: len(second.mine) == PARTITIONS), WAIT_MS, "one owner of all")
    eventually(lambda: step(lambda: True) and count(found) >= 100, WAIT_MS, "some records")
    wanted = count(kept)

    def drained() -> bool:
        poll(subscriptions["second"][0], second, found)
        return count(found) >= wanted

    eventually(drained, WAIT_MS, "all records")
    assert found == kept
    assert not [told for told, _ in first.told + second.told if told == "lost"]


def test_partitions_of_a_killed_member_come_back(
    log: SwapLog, subscribe: Subscribe, member: list[str]
) -> None:
    kept = append_some(log, 200)
    owner = Owner()
    subscription = subscribe(owner)
    found = poll_until(subscription, owner, lambda found: count(found) == 200)
    with running_member(member) as (process, lines):

        def shared() -> bool:
            poll(subscription, owner, found)
            return len(owner.mine) == PARTITIONS // 2 and any("assigned" in s for s in lines)

        eventually(shared, WAIT_MS, "the other member to own half")
        process.kill()
        killed = time.monotonic()

        def back() -> bool:
            poll(subscription, owner, found)
            return len(owner.mine) == PARTITIONS

        eventually(back, WAIT_MS, "all partitions")
        took_ms = (time.monotonic() - killed) * 1_000
    print(f"took over {took_ms:.0f} ms after the kill")
    assert took_ms < SESSION_TIMEOUT_MIN_MS + 2_000
    assert found == kept
