import sys
from pathlib import Path

import pytest

from swapstats.errors import SwapstatsError, UsageError
from swapstats.stack.process import ServerProcess, free_port, listens

_SERVER = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    server.accept()[0].close()
"""


def _server(tmp_path: Path, port: int) -> ServerProcess:
    command = [sys.executable, "-c", _SERVER, str(port)]
    return ServerProcess("a server", command, tmp_path / "log", lambda: listens(port))


def test_a_server_answers_after_its_start_and_not_after_its_stop(tmp_path: Path) -> None:
    port = free_port()
    server = _server(tmp_path, port)
    server.start()
    assert listens(port)
    server.stop()
    assert not server.is_running
    assert not listens(port)


def test_a_killed_server_can_be_started_again(tmp_path: Path) -> None:
    port = free_port()
    server = _server(tmp_path, port)
    server.start()
    first = server.pid
    server.kill()
    server.start()
    assert server.pid != first
    server.stop()


def test_a_paused_server_is_stopped_all_the_same(tmp_path: Path) -> None:
    server = _server(tmp_path, free_port())
    server.start()
    server.pause()
    assert server.is_running
    server.stop()
    assert not server.is_running


def test_a_server_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    server = ServerProcess(
        "a server", [sys.executable, "-c", "exit('no room')"], tmp_path / "log", lambda: False
    )
    with pytest.raises(SwapstatsError, match="no room"):
        server.start()


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    server = ServerProcess("a server", ["/no/such"], tmp_path / "log", lambda: False)
    with pytest.raises(UsageError, match="/no/such"):
        server.start()
