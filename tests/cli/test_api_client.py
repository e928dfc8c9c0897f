"""The way to a running service: answers, refusals, and nobody there."""

import socket
import threading
from collections.abc import Iterator

import pytest
from tests.end_to_end.service_process import ServiceProcess

from swapstats.cli.api_client import fetch_json
from swapstats.errors import Transient, UsageError


def test_an_answer(service: ServiceProcess) -> None:
    for base in (service.url, service.url + "/"):
        found = fetch_json(base, "/api/overview", {"limit": "1", "numbers": "string"})
        assert found["rows"][0]["token"] == "BTC"
        assert found["rows"][0]["vol_usd"] == "15"


@pytest.mark.parametrize(
    ("path", "query", "told"),
    [
        ("/api/tokens/nobody/stats", {}, "nobody"),
        ("/api/tokens/BTC/stats", {"windows": "7m"}, "7m"),
        ("/api/tokens/TWIN/stats", {}, r"0xa, 0xb|0xb, 0xa"),
        ("/api/nothing", {}, "/api/nothing|[Nn]o"),
    ],
)
def test_a_refusal_is_told_in_the_words_of_the_api(
    service: ServiceProcess, path: str, query: dict[str, str], told: str
) -> None:
    with pytest.raises(UsageError, match=told) as refused:
        fetch_json(service.url, path, query)
    assert str(refused.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "127.0.0.1:8080", "http://", "ftp://x/"])
def test_nobody_there(url: str) -> None:
    with pytest.raises(Transient, match=r"Expected a running service at .* start `swapstats run`"):
        fetch_json(url, "/api/overview", {})


@pytest.fixture(params=[b"+PONG\r\n", b"", b"HTTP/1.1 200 OK\r\n\r\nno JSON"])
def stranger(request: pytest.FixtureRequest) -> Iterator[str]:
    """Something else listens there, and says this."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4_096)
                connection.sendall(request.param)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_somebody_else_there(stranger: str) -> None:
    with pytest.raises(Transient, match="Expected a running service at"):
        fetch_json(stranger, "/api/overview", {})


@pytest.fixture
def unready() -> Iterator[str]:
    """A service that is not ready yet."""
    body = b'{"title":"not ready","detail":"restoring after a start","progress":0.25}'
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4_096)
                head = f"HTTP/1.1 503 No\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                connection.sendall(head + body)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_a_service_that_is_not_ready_is_worth_another_try(unready: str) -> None:
    with pytest.raises(Transient, match="restoring after a start"):
        fetch_json(unready, "/api/overview", {})
