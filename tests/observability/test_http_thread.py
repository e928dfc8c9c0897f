"""The operators' HTTP server, over real sockets: addresses, limits, clean stop."""

import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from swapstats.errors import SettingsError
from swapstats.observability.http_thread import (
    CONNECTIONS_MAX,
    Answer,
    HttpThread,
    Request,
    parse_address,
)
from swapstats.testing.eventually import eventually


def echo(request: Request) -> Answer:
    query = ",".join(f"{name}={value}" for name, value in sorted(request.query.items()))
    return Answer(200, f"{request.path} {query} {request.headers.get('x-mark', '-')}".encode())


@contextmanager
def serving(answer: Callable[[Request], Answer] = echo) -> Iterator[HttpThread]:
    server = HttpThread("127.0.0.1", 0, answer, name="test server")
    try:
        yield server
    finally:
        server.close()


def raw(server: HttpThread, message: bytes) -> bytes:
    with socket.create_connection((server.host, server.port), timeout=30) as connection:
        connection.sendall(message)
        chunks = iter(lambda: connection.recv(65_536), b"")
        return b"".join(chunks)


@pytest.mark.parametrize(
    ("text", "host_default", "address"),
    [
        ("127.0.0.1:9091", "x", ("127.0.0.1", 9091)),
        (" localhost:0 ", "x", ("localhost", 0)),
        (":6060", "127.0.0.1", ("127.0.0.1", 6060)),
        ("[::1]:65535", "x", ("::1", 65_535)),
    ],
)
def test_addresses(text: str, host_default: str, address: tuple[str, int]) -> None:
    assert parse_address(text, host_default) == address


@pytest.mark.parametrize(
    "text", ["", "9091", "host", "host:", "host:-1", "host:65536", "::1:80", "host:٣", "a:b"]
)
def test_texts_that_are_no_address(text: str) -> None:
    with pytest.raises(SettingsError, match=r"Expected an address such as 127\.0\.0\.1:9091, was"):
        parse_address(text, "127.0.0.1")


def test_hands_over_path_query_and_headers() -> None:
    with serving() as server:
        request = urllib.request.Request(f"http://{server.address}/a/b?x=1&y=&x=2")
        request.add_header("X-Mark", "here")
        with urllib.request.urlopen(request, timeout=30) as response:
            assert response.read() == b"/a/b x=2,y= here"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Cache-Control"] == "no-store"


def test_head_has_the_length_and_no_body() -> None:
    with serving() as server:
        answer = raw(server, b"HEAD /abc HTTP/1.0\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200")
    assert b"Content-Length: 7" in head
    assert body == b""


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (b"POST / HTTP/1.0\r\n\r\n", b"501"),
        (b"GET /?" + b"a&" * 20 + b" HTTP/1.0\r\n\r\n", b"400"),
        (b"GET http://[bad/ HTTP/1.0\r\n\r\n", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
    ],
)
def test_requests_that_make_no_sense(message: bytes, status: bytes) -> None:
    with serving() as server:
        assert status in raw(server, message)
        assert raw(server, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 200")


def test_a_mistake_of_the_owner_is_a_500_and_the_server_lives() -> None:
    def answer(request: Request) -> Answer:
        if request.path == "/wrong":
            raise KeyError("gone")
        return echo(request)

    with serving(answer) as server:
        assert b"500" in raw(server, b"GET /wrong HTTP/1.0\r\n\r\n")
        assert b"Expected an answer, was KeyError: 'gone'" in raw(
            server, b"GET /wrong HTTP/1.0\r\n\r\n"
        )
        assert raw(server, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 200")


def test_listens_on_ipv6() -> None:
    try:
        server = HttpThread("::1", 0, echo, name="test server")
    except SettingsError:
        pytest.skip("this machine has no IPv6")
    try:
        assert server.address == f"[::1]:{server.port}"
        assert raw(server, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 200")
    finally:
        server.close()


def test_an_address_of_another_machine_is_refused_with_words() -> None:
    with pytest.raises(SettingsError, match=r"192\.0\.2\.1:0, which this machine does not have"):
        HttpThread("192.0.2.1", 0, echo, name="test server")


def test_connections_beyond_the_limit_are_closed_and_later_ones_served() -> None:
    with serving() as server:
        idle = [
            socket.create_connection((server.host, server.port), timeout=30)
            for _ in range(CONNECTIONS_MAX)
        ]
        assert _closed_unanswered(server)
        for connection in idle:
            connection.close()
        eventually(lambda: not _closed_unanswered(server), 60_000, "room for a connection")


def _closed_unanswered(server: HttpThread) -> bool:
    try:
        return raw(server, b"GET / HTTP/1.0\r\n\r\n") == b""
    except ConnectionError:
        return True


def test_close_does_not_wait_for_silent_clients() -> None:
    with serving() as server:
        with socket.create_connection((server.host, server.port), timeout=30) as silent:
            raw(server, b"GET / HTTP/1.0\r\n\r\n")
            start_ns = time.monotonic_ns()
            server.close()
            assert time.monotonic_ns() - start_ns < 20_000_000_000
            assert silent.recv(1) == b""
        server.close()
        with pytest.raises(ConnectionError):
            raw(server, b"GET / HTTP/1.0\r\n\r\n")


def test_a_slow_answer_does_not_block_others() -> None:
    entered, release = threading.Event(), threading.Event()

    def answer(request: Request) -> Answer:
        if request.path == "/slow":
            entered.set()
            release.wait(30)
        return echo(request)

    with serving(answer) as server:
        slow: list[bytes] = []
        client = threading.Thread(
            target=lambda: slow.append(raw(server, b"GET /slow HTTP/1.0\r\n\r\n"))
        )
        client.start()
        assert entered.wait(30)
        assert raw(server, b"GET /quick HTTP/1.0\r\n\r\n").endswith(b"/quick  -")
        assert not slow
        release.set()
        client.join(30)
        assert slow[0].endswith(b"/slow  -")
