"""How often connections are read."""

import asyncio
import socket

from swapstats.adapters.sources.exchange.pace import REST_BYTES_MAX, Pace


class Options:
    """Notes from how many bytes on it is called readable."""

    def __init__(self, error: OSError | None = None) -> None:
        self.set: list[int] = []
        self.error = error
        self.woken = asyncio.Event()

    def setsockopt(self, level: int, optname: int, value: int, /) -> None:
        assert (level, optname) == (socket.SOL_SOCKET, socket.SO_RCVLOWAT)
        self.set.append(value)
        if value == 1:
            self.woken.set()
        if self.error is not None:
            raise self.error


async def test_connections_rest_and_read_on_together() -> None:
    one, other = Options(), Options()
    pace = Pace(1)
    for each in (one, other, one):
        pace.rest(each)
    assert (one.set, other.set) == ([REST_BYTES_MAX], [REST_BYTES_MAX])
    await one.woken.wait()
    assert (one.set, other.set) == ([REST_BYTES_MAX, 1], [REST_BYTES_MAX, 1])
    pace.rest(one)
    assert one.set[-1] == REST_BYTES_MAX


async def test_a_closed_one_does_not_keep_others_from_reading_on() -> None:
    closed, other = Options(OSError("closed")), Options()
    pace = Pace(1)
    pace.rest(closed)
    pace.rest(other)
    await other.woken.wait()
    assert other.set == [REST_BYTES_MAX, 1]


async def test_a_rest_ends_for_all_and_says_so() -> None:
    one, other = Options(), Options()
    ends: list[list[int]] = []
    over = asyncio.Event()

    def on_end() -> None:
        ends.append([one.set[-1], other.set[-1]])
        over.set()

    pace = Pace(1, on_end)
    assert not pace.is_resting
    pace.rest(one)
    pace.rest(other)
    assert pace.is_resting
    await over.wait()
    assert ends == [[1, 1]]
    assert not pace.is_resting


async def test_no_rest() -> None:
    one = Options()
    pace = Pace(0)
    pace.rest(one)
    assert one.set == []
    assert not pace.is_resting
