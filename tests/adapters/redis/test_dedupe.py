import contextlib
import random
from collections.abc import Iterator

import numpy as np
import pytest

from swapstats.adapters.redis.connection import RedisLine
from swapstats.adapters.redis.dedupe import RedisDedupe
from swapstats.core.kernels.dedup import CANCELLED, CONFLICT, DUPLICATE, NEW, REMOVED
from swapstats.errors import SettingsError, Transient
from swapstats.stack.process import free_port
from swapstats.testing.eventually import eventually

HORIZON_MS = 600_000
Delivery = tuple[int, int, int, int]
"""Offset, fingerprint, check, removed."""


@pytest.fixture
def dedupe(redis_url: str, prefix: str) -> Iterator[RedisDedupe]:
    with contextlib.closing(RedisDedupe(redis_url, prefix, HORIZON_MS)) as opened:
        yield opened


def decide(dedupe: RedisDedupe, deliveries: list[Delivery], partition: int = 0) -> list[int]:
    offsets, fingerprints, checks, removed = (
        [delivery[at] for delivery in deliveries] for at in range(4)
    )
    found = dedupe.decide(
        partition,
        np.array(offsets, dtype=np.int64),
        np.array(fingerprints, dtype=np.uint64),
        np.array(checks, dtype=np.uint32),
        np.array(removed, dtype=np.uint8),
    )
    assert found.dtype == np.uint8
    outcome: list[int] = found.tolist()
    return outcome


def expected(deliveries: list[Delivery]) -> list[int]:
    """What two grow-only sets say of every delivery, seen once each and in order."""
    checks: dict[int, int] = {}
    seen: dict[int, set[int]] = {}
    codes = []
    for _, fingerprint, check, removed in deliveries:
        sides = seen.setdefault(fingerprint, set())
        if checks.setdefault(fingerprint, check) != check:
            codes.append(CONFLICT)
        elif removed in sides:
            codes.append(DUPLICATE)
        elif removed:
            codes.append(REMOVED if 0 in sides else CANCELLED)
        else:
            codes.append(CANCELLED if 1 in sides else NEW)
        if codes[-1] != CONFLICT:
            sides.add(removed)
    return codes


def test_the_life_of_a_pair(dedupe: RedisDedupe) -> None:
    assert decide(dedupe, []) == []
    history = [(5, 1, 9, 0), (6, 1, 9, 0), (7, 1, 8, 0), (8, 1, 9, 1), (9, 1, 9, 1), (10, 1, 9, 0)]
    outcome = [NEW, DUPLICATE, CONFLICT, REMOVED, DUPLICATE, DUPLICATE]
    assert decide(dedupe, history) == outcome
    # Read again from any place on: nothing is decided in another way.
    for at in range(len(history)):
        assert decide(dedupe, history[at:]) == outcome[at:]


def test_a_removal_that_comes_first(dedupe: RedisDedupe) -> None:
    history = [(5, 1, 9, 1), (6, 1, 9, 0), (7, 1, 9, 0)]
    for _ in range(3):
        assert decide(dedupe, history) == [CANCELLED, CANCELLED, DUPLICATE]


def test_offsets_and_fingerprints_keep_all_their_bits(dedupe: RedisDedupe) -> None:
    far = (1 << 60) + 1
    top = (1 << 64) - 1
    assert decide(dedupe, [(far, top, 7, 0), (far + 1, top, 7, 0), (far, top - 1, 7, 0)]) == [
        NEW,
        DUPLICATE,
        NEW,
    ]


def test_partitions_are_apart(dedupe: RedisDedupe) -> None:
    assert decide(dedupe, [(5, 1, 9, 0)], 0) == [NEW]
    assert decide(dedupe, [(5, 1, 9, 0)], 1) == [NEW]
    assert decide(dedupe, [(6, 1, 9, 0)], 1) == [DUPLICATE]


def test_random_histories_with_crashes_equal_the_sets_in_memory(
    redis_url: str, prefix: str
) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    for round_number in range(6):
        pairs = [(chance.randrange(1, 1 << 64), chance.randrange(1 << 30)) for _ in range(400)]
        history: list[Delivery] = []
        for offset in range(3_000):
            fingerprint, check = chance.choice(pairs)
            if chance.random() < 0.05:
                check ^= 1
            history.append((offset * 3, fingerprint, check, int(chance.random() < 0.4)))
        truth = expected(history)
        with contextlib.closing(
            RedisDedupe(redis_url, f"{prefix}-{round_number}", HORIZON_MS)
        ) as dedupe:
            reached, at = 0, 0
            while reached < len(history):
                end = min(len(history), at + chance.choice((1, 50, 1_300, 2_500)))
                assert decide(dedupe, history[at:end]) == truth[at:end]
                reached = max(reached, end)
                # A crash: back to an older checkpoint.
                at = chance.randrange(end + 1) if chance.random() < 0.4 else end


def test_a_pair_is_forgotten_after_the_horizon(
    redis_url: str, prefix: str, line: RedisLine
) -> None:
    with contextlib.closing(RedisDedupe(redis_url, prefix, 150)) as dedupe:
        assert decide(dedupe, [(1, 1, 1, 0)]) == [NEW]
        eventually(lambda: not line.call("KEYS", f"*{prefix}*"), 60_000, "the pair to be forgotten")
        assert decide(dedupe, [(2, 1, 1, 0)]) == [NEW]
    with pytest.raises(SettingsError, match="horizon"):
        RedisDedupe(redis_url, prefix, 0)


def test_what_was_told_of_a_duplicate_is_told_for_as_long(
    dedupe: RedisDedupe, line: RedisLine, prefix: str
) -> None:
    history = [(1, 1, 1, 0), (2, 1, 1, 0)]
    assert decide(dedupe, history[:1]) == [NEW]
    (key,) = line.call("KEYS", f"*{prefix}*")
    line.call("PEXPIRE", key, 60_000)  # as if most of the horizon had passed
    assert decide(dedupe, history[:1]) == [NEW]
    assert line.call("PTTL", key) <= 60_000
    assert decide(dedupe, history[1:]) == [DUPLICATE]
    assert line.call("PTTL", key) > 60_000


def test_redis_away_is_transient(prefix: str) -> None:
    away = f"redis://127.0.0.1:{free_port()}/0"
    with (
        contextlib.closing(RedisDedupe(away, prefix, HORIZON_MS)) as dedupe,
        pytest.raises(Transient),
    ):
        decide(dedupe, [(1, 1, 1, 0)])


def test_keys_of_a_partition_lie_in_one_slot(cluster_url: str, prefix: str) -> None:
    with contextlib.closing(RedisDedupe(cluster_url, prefix, HORIZON_MS)) as dedupe:
        deliveries = [(at, at + 1, 1, 0) for at in range(2_000)]
        assert decide(dedupe, deliveries, 3) == [NEW] * 2_000
