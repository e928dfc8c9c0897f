import contextlib

import pytest

from swapstats.adapters.redis.connection import (
    COMMAND_BYTES_MAX,
    FIELDS_MAX,
    RedisLine,
    Script,
    portions,
    tagged,
)
from swapstats.errors import SettingsError, StoreError, StoreFull, Transient
from swapstats.stack.process import free_port
from swapstats.stack.redis import RedisServer

_ECHO = Script("return ARGV[1]")


def test_a_script_runs_though_redis_forgot_it(line: RedisLine) -> None:
    assert line.run(_ECHO, [], "a") == b"a"
    line.call("SCRIPT", "FLUSH")
    assert line.run(_ECHO, [], "b") == b"b"
    line.call("SCRIPT", "FLUSH")
    calls: list[tuple[list[str], tuple[bytes]]] = [([], (b"%d" % at,)) for at in range(2_500)]
    assert list(line.run_each(_ECHO, calls)) == [b"%d" % at for at in range(2_500)]


def test_a_transaction_is_one_moment(line: RedisLine, prefix: str) -> None:
    assert line.together(("INCR", prefix), ("INCR", prefix)) == [1, 2]


def test_nobody_there_is_transient_and_says_what_to_do() -> None:
    port = free_port()
    with (
        contextlib.closing(RedisLine(f"redis://:hidden@127.0.0.1:{port}/0")) as line,
        pytest.raises(Transient, match=f"{port}.*start it or check its address") as caught,
    ):
        line.call("PING")
    assert "hidden" not in str(caught.value)
    assert caught.value.retry_after_ms > 0


def test_a_wrong_password_is_a_setting(own_redis: RedisServer) -> None:
    with contextlib.closing(RedisLine(own_redis.url)) as line:
        line.call("CONFIG", "SET", "requirepass", "right")
    wrong = own_redis.url.replace("redis://", "redis://:wrong@")
    with (
        contextlib.closing(RedisLine(wrong)) as line,
        pytest.raises(SettingsError, match="password"),
    ):
        line.call("PING")


def test_a_key_of_another_kind_is_said(line: RedisLine, prefix: str) -> None:
    line.call("SET", prefix, "text")
    with pytest.raises(StoreError, match="prefix") as caught:
        line.call("HGETALL", prefix)
    assert not isinstance(caught.value, StoreFull)


def test_full_memory_is_store_full(own_redis: RedisServer) -> None:
    with contextlib.closing(RedisLine(own_redis.url)) as line:
        line.call("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(StoreFull, match="maxmemory"):
            line.call("SET", "a", "1")
        with pytest.raises(StoreFull, match="maxmemory"):
            list(line.run_each(Script("redis.call('SET', KEYS[1], '1')"), [(["a"], ())]))


@pytest.mark.parametrize("url", ["127.0.0.1:6379", "http://127.0.0.1", "redis://a:port/x"])
def test_an_address_of_something_else_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="redis://"):
        RedisLine(url)


def test_a_prefix_must_not_break_the_hash_tag() -> None:
    assert tagged("a", 3) == "{a:3}"
    for bad in ("", "a{b", "a}"):
        with pytest.raises(SettingsError, match="prefix"):
            tagged(bad, 3)


def test_portions_are_bounded_and_lose_nothing() -> None:
    pairs = [(b"%d" % at, bytes(at * 100)) for at in range(300)]
    pairs += [(b"n%d" % at, b"") for at in range(5_000)]
    pairs += [(b"huge", bytes(3 * COMMAND_BYTES_MAX))]
    found = list(portions(iter(pairs)))
    flat = [argument for portion in found for argument in portion]
    assert list(zip(flat[::2], flat[1::2], strict=True)) == pairs
    for portion in found:
        assert len(portion) <= 2 * FIELDS_MAX
        assert sum(map(len, portion[1::2])) <= COMMAND_BYTES_MAX or len(portion) == 2
    assert list(portions(iter(()))) == []
