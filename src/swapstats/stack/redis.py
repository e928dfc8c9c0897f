"""A real Redis on loopback: `redis-server` with an append-only file in a directory.

It is for development and tests; it never serves the network. Nothing is kept by snapshots: what
Redis acknowledged lies in the append-only file, so a restart in the same directory brings it back.
"""

import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from swapstats.errors import UsageError
from swapstats.stack.process import ServerProcess, free_port

Fsync = Literal["always", "everysec"]

_ANSWER_S = 1.0
_START_MS = 20_000


class RedisServer(ServerProcess):
    """One Redis, not started yet: `start`, `stop`, `kill`, `pause` and `resume` it.

    Args:
        directory: where its files are kept; created if there is none.
        appendonly: keep what is written over a restart.
        fsync: when the append-only file is forced to the disk. Under `everysec` a power loss costs
            up to two seconds, and a kill of the process what it held back while the disk was busy;
            under `always` neither costs anything that was acknowledged.
        port: loopback port, kept over restarts; None = one that is free now.
        options: further arguments of `redis-server`.

    Attributes:
        port: where it listens.
        url: how a client reaches it.

    Raises:
        UsageError: the program is not installed.
    """

    def __init__(
        self,
        directory: Path,
        appendonly: bool = True,
        *,
        fsync: Fsync = "everysec",
        port: int | None = None,
        options: Sequence[str] = (),
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port() if port is None else port
        self.url = f"redis://127.0.0.1:{self.port}/0"
        command = [
            redis_program(),
            *("--bind", "127.0.0.1"),
            *("--port", str(self.port)),
            *("--dir", str(directory.absolute())),
            *("--appendonly", "yes" if appendonly else "no"),
            *("--appendfsync", fsync),
            *("--save", ""),
            *("--daemonize", "no"),
            *("--maxmemory-policy", "noeviction"),
            *options,
        ]
        super().__init__("Redis", command, directory / "redis.log", self._pongs, start_ms=_START_MS)

    def _pongs(self) -> bool:
        """True once it answers commands; while it reads its file it refuses them."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=_ANSWER_S) as line:
                line.settimeout(_ANSWER_S)
                line.sendall(b"PING\r\n")
                return line.recv(64).startswith(b"+PONG")
        except OSError:
            return False


@contextmanager
def running_redis(
    directory: Path, *, appendonly: bool = True, options: Sequence[str] = ()
) -> Iterator[RedisServer]:
    """Run a Redis for as long as the block lasts."""
    server = RedisServer(directory, appendonly, options=options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def redis_program() -> str:
    """Path of `redis-server`.

    Raises:
        UsageError: it is not installed.
    """
    found = shutil.which("redis-server")
    if found is None:
        raise UsageError(
            "Expected the program redis-server, was none on the path: install it "
            "(Debian and Ubuntu: apt install redis-server)"
        )
    return found
