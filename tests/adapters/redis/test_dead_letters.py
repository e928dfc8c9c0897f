"""What is Redis' own about dead letters; the port's promises: tests/conformance."""

import contextlib

import pytest

from swapstats.adapters.redis.connection import RedisLine
from swapstats.adapters.redis.dead_letters import RedisDeadLetterReader, RedisDeadLetters
from swapstats.errors import StoreCorrupt, Transient
from swapstats.model.effects import DeadLetter
from swapstats.stack.process import free_port


def letter(offset: int, size: int = 10) -> DeadLetter:
    return DeadLetter(1, offset, 1_000 + offset, "bad_side", "Expected buy", b"x" * size)


def test_beyond_a_number_the_oldest_go_first(redis_url: str, prefix: str) -> None:
    with contextlib.closing(RedisDeadLetters(redis_url, prefix, letters_max=5)) as store:
        store.put([letter(at) for at in range(3)])
        store.put([letter(at) for at in range(2, 9)])
        assert [found.offset for found in store.scan()] == [8, 7, 6, 5, 4]
        assert store.counts() == {"bad_side": 5}
        # One that is older than all that is kept goes at once.
        store.put([letter(0)])
        assert store.counts() == {"bad_side": 5}


def test_beyond_a_size_too_but_the_newest_is_kept(redis_url: str, prefix: str) -> None:
    with contextlib.closing(RedisDeadLetters(redis_url, prefix, bytes_max=10_000)) as store:
        store.put([letter(at, 1_000) for at in range(40)])
        kept = [found.offset for found in store.scan()]
        assert kept == list(range(39, 39 - len(kept), -1))
        assert 7 <= len(kept) <= 9
        store.put([letter(50, 20_000)])
        assert [found.offset for found in store.scan()] == [50]
        assert store.trim(0) == 1
        store.put([letter(at, 1_000) for at in range(8)])
        assert len(list(store.scan())) == 8, "what is gone is not counted any more"


def test_many_letters_at_once(redis_url: str, prefix: str) -> None:
    with contextlib.closing(RedisDeadLetters(redis_url, prefix)) as store:
        store.put([letter(at, 700) for at in range(3_500)])
        assert store.counts() == {"bad_side": 3_500}
        assert store.trim(10) == 3_490


def test_foreign_bytes_are_told(redis_url: str, prefix: str, line: RedisLine) -> None:
    with contextlib.closing(RedisDeadLetters(redis_url, prefix)) as store:
        store.put([letter(1)])
        line.call("HSET", f"{{{prefix}:letters}}:letters", f"{1:08d}:{1:020d}", "something")
        with pytest.raises(StoreCorrupt, match="something else writes"):
            list(store.scan())


def test_redis_away_is_transient(prefix: str) -> None:
    away = f"redis://127.0.0.1:{free_port()}/0"
    with (
        contextlib.closing(RedisDeadLetterReader(away, prefix)) as store,
        pytest.raises(Transient),
    ):
        store.counts()


def test_letters_of_a_log_lie_in_one_slot(cluster_url: str, prefix: str) -> None:
    with contextlib.closing(RedisDeadLetters(cluster_url, prefix, letters_max=2)) as store:
        store.put([letter(at) for at in range(3)])
        assert [found.offset for found in store.scan()] == [2, 1]
