import random

import pytest

from swapstats.adapters.redis.connection import RedisLine
from swapstats.adapters.redis.leases import PartitionLeases
from swapstats.testing.eventually import eventually


def leases(
    line: RedisLine, prefix: str, member: str, *, partitions: int = 12, session_ms: int = 60_000
) -> PartitionLeases:
    return PartitionLeases(line, prefix, "group", member, partitions, session_ms)


def test_the_first_member_has_everything(line: RedisLine, prefix: str) -> None:
    one = leases(line, prefix, "one")
    first = one.renew()
    assert (first.went_on, first.share, first.mine) == (False, 12, tuple(range(12)))
    assert one.renew().went_on
    assert one.touch()


def test_a_second_member_gets_what_the_first_gives_up(line: RedisLine, prefix: str) -> None:
    one, two = leases(line, prefix, "one"), leases(line, prefix, "two")
    one.renew()
    assert two.renew().mine == ()
    told = one.renew()
    assert told.share == 6
    assert told.mine == tuple(range(12))
    one.release([6, 7, 8, 9, 10, 11])
    two.release([0, 1])
    assert two.renew().mine == (6, 7, 8, 9, 10, 11)
    assert one.renew().mine == (0, 1, 2, 3, 4, 5)
    one.leave()
    assert two.renew().mine == tuple(range(12))


def test_a_member_not_heard_of_has_lost_everything(line: RedisLine, prefix: str) -> None:
    one = leases(line, prefix, "one", session_ms=100)
    two = leases(line, prefix, "two")
    one.renew()
    assert two.renew().mine == ()
    eventually(lambda: len(two.renew().mine) == 12, 60_000, "the partitions of the dead")
    assert not one.touch()
    again = one.renew()
    assert not again.went_on
    assert again.mine == ()


def test_a_late_member_gets_back_what_nobody_took(line: RedisLine, prefix: str) -> None:
    one = leases(line, prefix, "one", session_ms=50)
    one.renew()
    eventually(lambda: not one.touch(), 60_000, "the session to end")
    again = one.renew()
    assert not again.went_on
    assert again.mine == tuple(range(12))


@pytest.mark.parametrize("partitions", [1, 7, 48])
def test_random_members_share_all_partitions_and_none_twice(
    line: RedisLine, prefix: str, partitions: int
) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    members = [leases(line, prefix, f"m{at}", partitions=partitions) for at in range(5)]
    living: set[int] = set()
    for _ in range(60):
        number = chance.randrange(5)
        if number in living and chance.random() < 0.2:
            members[number].leave()
            living.discard(number)
        else:
            share = members[number].renew()
            living.add(number)
            members[number].release(list(share.mine[share.share :]))
        held = [at for number in sorted(living) for at in _held(line, prefix, f"m{number}")]
        assert len(held) == len(set(held))
    for _ in range(2):
        for number in sorted(living):
            share = members[number].renew()
            members[number].release(list(share.mine[share.share :]))
    if living:
        held = [at for number in living for at in _held(line, prefix, f"m{number}")]
        assert sorted(held) == list(range(partitions))


def _held(line: RedisLine, prefix: str, member: str) -> list[int]:
    found = line.call("HGETALL", f"{{{prefix}:log}}:group:group:leases")
    return [int(at) for at, holder in found.items() if holder == member.encode()]
