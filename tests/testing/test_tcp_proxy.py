"""The proxy: forwards, holds everything while it is cut, and delivers it afterwards."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from swapstats.testing.eventually import eventually
from swapstats.testing.tcp_proxy import TcpProxy

WAIT_MS = 60_000


class Echo:
    """A server that says everything back and keeps what it heard."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.heard = b""
        self.ended = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with line:
            while data := line.recv(1 << 16):
                self.heard += data
                line.sendall(data)
        self.ended += 1

    def close(self) -> None:
        with contextlib.suppress(OSError):  # closed before
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


def dial(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT_MS / 1_000)


def read(line: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        found += line.recv(count - len(found))
    return found


def test_it_forwards_both_ways(echo: Echo) -> None:
    with TcpProxy(echo.port) as proxy, dial(proxy) as line:
        sent = bytes(range(256)) * 2_000
        threading.Thread(target=line.sendall, args=(sent,), daemon=True).start()
        assert read(line, len(sent)) == sent
        assert proxy.connections == 1


def test_nothing_passes_while_it_is_cut_and_all_of_it_after(echo: Echo) -> None:
    with TcpProxy(echo.port) as proxy, dial(proxy) as line:
        line.sendall(b"before")
        assert read(line, 6) == b"before"
        proxy.cut()
        assert proxy.is_cut
        line.sendall(b"meanwhile")
        with dial(proxy) as other:  # accepted, and silent
            other.sendall(b"hello")
            line.settimeout(0.2)
            with pytest.raises(TimeoutError):
                line.recv(1)
            assert echo.heard == b"before"
            proxy.mend()
            line.settimeout(WAIT_MS / 1_000)
            assert read(line, 9) == b"meanwhile"
            assert read(other, 5) == b"hello"


def test_what_a_sender_gave_up_arrives_late(echo: Echo) -> None:
    with TcpProxy(echo.port) as proxy:
        with dial(proxy) as line:
            line.sendall(b"first")
            assert read(line, 5) == b"first"
            proxy.cut()
            line.sendall(b"late")
        assert echo.heard == b"first"
        proxy.mend()
        eventually(lambda: echo.heard == b"firstlate", WAIT_MS, "the late command")
        eventually(lambda: echo.ended == 1, WAIT_MS, "the end of the connection")


def test_without_a_server_the_connection_ends(echo: Echo) -> None:
    echo.close()
    with TcpProxy(echo.port) as proxy, dial(proxy) as line:
        assert line.recv(1) == b""


def test_closing_twice_is_harmless(echo: Echo) -> None:
    proxy = TcpProxy(echo.port)
    proxy.start()
    proxy.close()
    proxy.close()
