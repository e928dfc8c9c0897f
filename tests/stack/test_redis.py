import contextlib
from pathlib import Path

import pytest

from swapstats.adapters.redis.connection import RedisLine
from swapstats.errors import Transient, UsageError
from swapstats.stack.redis import RedisServer, redis_program, running_redis


def _has_redis() -> bool:
    try:
        redis_program()
    except UsageError:
        return False
    return True


needs_redis = pytest.mark.skipif(not _has_redis(), reason="no redis-server: apt install it")


@needs_redis
def test_what_is_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    server = RedisServer(tmp_path, fsync="always")
    server.start()
    with contextlib.closing(RedisLine(server.url)) as line:
        line.call("SET", "a", "1")
        server.kill()
        with pytest.raises(Transient):
            line.call("GET", "a")
        server.start()
        assert line.call("GET", "a") == b"1"
    server.stop()
    assert not server.is_running


@needs_redis
def test_without_a_file_nothing_survives(tmp_path: Path) -> None:
    server = RedisServer(tmp_path, appendonly=False)
    server.start()
    with contextlib.closing(RedisLine(server.url)) as line:
        line.call("SET", "a", "1")
        server.stop()
        server.start()
        assert line.call("GET", "a") is None
    server.stop()


@needs_redis
def test_a_paused_server_answers_nobody_until_it_goes_on(tmp_path: Path) -> None:
    with running_redis(tmp_path) as server:
        with contextlib.closing(RedisLine(server.url, timeout_ms=200)) as line:
            line.call("SET", "a", "1")
            server.pause()
            with pytest.raises(Transient):
                line.call("GET", "a")
            server.resume()
            assert line.call("GET", "a") == b"1"
        pid = server.pid
    assert not server.is_running
    assert not Path(f"/proc/{pid}").exists()


@needs_redis
def test_it_listens_on_loopback_and_keeps_everything(tmp_path: Path) -> None:
    with running_redis(tmp_path) as server, contextlib.closing(RedisLine(server.url)) as line:
        settings = {
            name: line.call("CONFIG", "GET", name)[1]
            for name in ("bind", "save", "appendonly", "appendfsync", "maxmemory-policy")
        }
    assert settings == {
        "bind": b"127.0.0.1",
        "save": b"",
        "appendonly": b"yes",
        "appendfsync": b"everysec",
        "maxmemory-policy": b"noeviction",
    }


def test_a_missing_program_is_said_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="apt install redis-server"):
        RedisServer(tmp_path)
