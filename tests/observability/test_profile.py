"""The profiling port, over real sockets."""

import contextlib
import http.client
import threading
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from swapstats.errors import SettingsError
from swapstats.observability.profile import ProfileServer
from swapstats.testing.eventually import eventually

Fetched = tuple[int, str]


@pytest.fixture
def server() -> Iterator[ProfileServer]:
    opened = ProfileServer("127.0.0.1:0")
    yield opened
    opened.close()
    tracemalloc.stop()


def fetch(server: ProfileServer, path: str, **headers: str) -> Fetched:
    host, _, port = server.address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", f"/debug/pprof/{path}", headers=named)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("address", ["0.0.0.0:0", "192.0.2.1:0", "example.org:0", "[::]:0"])
def test_refuses_an_address_others_can_reach(address: str) -> None:
    with pytest.raises(SettingsError, match="Expected a loopback address such as 127"):
        ProfileServer(address)


def test_no_host_means_loopback() -> None:
    server = ProfileServer(":0")
    try:
        assert server.address.startswith("127.0.0.1:")
    finally:
        server.close()


def test_index_links_to_pages_that_exist(server: ProfileServer) -> None:
    status, body = fetch(server, "")
    assert status == 200
    for page in ("heap", "threads"):
        assert f'href="{page}"' in body
        assert fetch(server, page)[0] == 200
    assert 'href="profile?seconds=5&amp;format=text"' in body


def test_unknown_pages_are_404(server: ProfileServer) -> None:
    assert fetch(server, "cmdline")[0] == 404


def test_profile_in_both_formats(server: ProfileServer) -> None:
    stop = threading.Event()
    worker = threading.Thread(target=_work_until, args=(stop,), name="worker")
    worker.start()
    try:
        status, folded = fetch(server, "profile?seconds=1&mode=wall&hz=50")
        assert status == 200
        assert any(
            line.startswith("worker;") and "_work_until (" in line for line in folded.splitlines()
        )
        status, table = fetch(server, "profile?seconds=1&format=text")
        assert status == 200
        assert "_work_until (" in table
    finally:
        stop.set()
        worker.join()


def _work_until(stop: threading.Event) -> None:
    while not stop.is_set():
        sum(range(100))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("seconds=0", "Expected seconds from 1 to 60, was '0'"),
        ("seconds=61", "Expected seconds from 1 to 60, was '61'"),
        ("seconds=soon", "Expected seconds from 1 to 60, was 'soon'"),
        ("seconds=1&hz=5000", "Expected hz from 1 to 1000, was '5000'"),
        ("seconds=1&format=svg", "Expected format of folded, text, was 'svg'"),
        ("seconds=1&mode=off", "Expected mode of cpu, wall, was 'off'"),
    ],
)
def test_limits_of_a_profile(server: ProfileServer, query: str, words: str) -> None:
    assert fetch(server, f"profile?{query}") == (400, words + "\n")


def test_one_profile_at_a_time_and_close_ends_it() -> None:
    server = ProfileServer("127.0.0.1:0")
    first: list[Fetched] = []

    def ask() -> None:
        with contextlib.suppress(http.client.HTTPException, ConnectionError):
            while (answer := fetch(server, "profile?seconds=60"))[0] == 409:
                pass  # it came while a question below was being answered
            first.append(answer)

    client = threading.Thread(target=ask)
    client.start()
    try:
        second = eventually(
            lambda: (answer := fetch(server, "heap"))[0] == 409 and answer, 60_000, "a 409"
        )
        assert second == (
            409, "Expected one profile at a time, was asked for a second: try again\n",
        )  # fmt: skip
        assert fetch(server, "profile?seconds=1")[0] == 409
        assert fetch(server, "threads")[0] == 200
    finally:
        start_ns = time.monotonic_ns()
        server.close()
        assert time.monotonic_ns() - start_ns < 20_000_000_000
        client.join(60)
    assert not client.is_alive()
    assert [status for status, _ in first] in ([200], [])


def test_heap_says_what_to_do_while_tracing_is_off(server: ProfileServer) -> None:
    status, body = fetch(server, "heap")
    assert status == 200
    assert "bytes  resident\n" in body
    assert "resident at its peak" in body
    assert body.count("since the last run") == 3
    assert "Allocations are not traced. ?trace=start begins to" in body
    assert not tracemalloc.is_tracing()


def test_heap_names_the_lines_that_hold_memory(server: ProfileServer) -> None:
    fetch(server, "heap?trace=start")
    assert tracemalloc.is_tracing()
    held = [bytes(1_000) for _ in range(5_000)]
    status, body = fetch(server, "heap")
    assert status == 200
    line = next(line for line in body.splitlines() if "test_profile.py" in line)
    held_bytes, blocks = (int(word.replace(",", "")) for word in line.split()[:2])
    assert held_bytes >= 5_000_000
    assert blocks >= len(held)
    assert fetch(server, "heap?trace=stop")[1].count("Allocations are not traced") == 1
    assert not tracemalloc.is_tracing()


def test_heap_takes_no_other_word(server: ProfileServer) -> None:
    assert fetch(server, "heap?trace=on") == (400, "Expected trace of start, stop, was 'on'\n")


def test_threads_shows_every_stack(server: ProfileServer) -> None:
    stop = threading.Event()
    worker = threading.Thread(target=_work_until, args=(stop,), name="worker", daemon=True)
    worker.start()
    try:
        body = fetch(server, "threads")[1]
    finally:
        stop.set()
        worker.join()
    assert "(MainThread)" in body
    (part,) = [part for part in body.split("thread ") if "(worker, daemon)" in part]
    assert "_work_until" in part


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:6060"}, 200),
        ({"Host": "[::1]:6060"}, 200),
        ({"Host": "127.0.0.1"}, 200),
        ({"Host": "evil.example:6060"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Sec_Fetch_Site": "same-origin"}, 200),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
    ],
)
def test_web_pages_cannot_ask(server: ProfileServer, headers: dict[str, str], status: int) -> None:
    assert fetch(server, "", **headers)[0] == status
