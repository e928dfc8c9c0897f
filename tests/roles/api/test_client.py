"""One client: frames as the protocol has them, and how long it may not drain."""

import asyncio
from typing import Any, cast

import pytest

from swapstats.roles.api.client import Client, frame_bytes
from swapstats.roles.api.options import ApiOptions


class Transport:
    """A transport whose unsent bytes are set by the test."""

    def __init__(self) -> None:
        self.unsent = 0
        self.closing = False
        self.written = b""

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.closing

    def write(self, data: bytes) -> None:
        self.written += data


class Sub:
    """A subscription with one event to tell."""

    def __init__(self, event: bytes | None) -> None:
        self._event = event

    def event(self) -> bytes | None:
        return self._event


def client_of(transport: Transport, **limits: int) -> Client:
    options = ApiOptions(**cast("dict[str, Any]", limits))
    return Client(cast("asyncio.Transport", transport), quoted=False, options=options, now_ms=0)


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, b"\x81\x00"), (125, b"\x81\x7d"), (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"), (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)  # fmt: skip
def test_frames_of_every_length(size: int, head: bytes) -> None:
    assert frame_bytes(b"x" * size) == head + b"x" * size


def test_too_slow_is_counted_from_when_it_was_blocked_and_forgiven_when_it_drains() -> None:
    transport = Transport()
    client = client_of(transport, unsent_bytes_max=100, slow_client_ms=1_000)
    assert not client.is_too_slow(10)
    transport.unsent = 101
    assert not client.is_too_slow(50)
    assert not client.is_too_slow(1_049)
    transport.unsent = 100
    assert not client.is_too_slow(1_050)
    transport.unsent = 500
    assert not client.is_too_slow(1_060)
    assert not client.is_too_slow(2_059)
    assert client.is_too_slow(2_060)


def test_events_are_taken_up_to_the_frame_limit_and_the_rest_stays() -> None:
    client = client_of(Transport(), frame_bytes_max=10)
    subs = [Sub(b"123456"), Sub(None), Sub(b"abcdef"), Sub(b"rest")]
    for sub in subs:
        client.dirty[cast("Any", sub)] = None
    assert client.take_events() == [b"123456", b"abcdef"]
    assert list(client.dirty) == cast("list[Any]", subs[3:])
    assert client.take_events() == [b"rest"]
    assert client.take_events() == []


def test_nothing_is_written_once_it_closes() -> None:
    transport = Transport()
    client = client_of(transport)
    client.write(b"a", 5)
    transport.closing = True
    client.write(b"b", 6)
    transport.closing, client.closing = False, True
    client.write(b"c", 7)
    assert (transport.written, client.sent_ms) == (b"a", 5)
