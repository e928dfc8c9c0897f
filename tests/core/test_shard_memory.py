"""What a shard says it holds."""

from tests.core.kernels.batches import T0_MS, swap
from tests.core.kernels.shards import feed, shard


def test_memory_counts_what_is_held() -> None:
    one = shard()
    feed(
        one,
        *(swap(number, number % 3 * 1_000, token_address=f"t{number % 5}") for number in range(90)),
    )
    memory = one.memory()
    assert (memory.pairs, memory.buckets, memory.tokens, memory.cells) == (90, 3, 5, 15)
    assert 90 * 12 <= memory.sets_bytes < memory.total_bytes
    one.tick(T0_MS + 10**9)
    assert (one.memory().pairs, one.memory().buckets, one.memory().tokens) == (0, 0, 5)


def test_bytes_grow_with_what_is_held() -> None:
    one = shard()
    before = one.memory()
    feed(one, *(swap(number, -number) for number in range(5_000)))
    after = one.memory()
    assert after.sets_bytes - before.sets_bytes >= 5_000 * 12
    assert after.total_bytes - before.total_bytes >= after.sets_bytes - before.sets_bytes
