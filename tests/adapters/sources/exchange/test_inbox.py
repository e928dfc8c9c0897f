"""Frames that wait."""

import asyncio

from swapstats.adapters.sources.exchange.inbox import Inbox, Run


def test_frames_come_out_in_runs_of_their_connection() -> None:
    one = Inbox(10, 1 << 20)
    for number, frame in [(1, b"a"), (1, b"b"), (2, b"c"), (1, b"d")]:
        assert one.put(number, [frame])
    one.end(1)
    assert one.take(3) == [Run(1, [b"a", b"b"]), Run(2, [b"c"])]
    assert one.take(3) == [Run(1, [b"d"], has_ended=True)]
    assert one.take(3) == []


async def test_a_full_inbox_takes_nothing_until_half_of_it_is_gone() -> None:
    one = Inbox(4, 1 << 20)
    assert [one.put(1, [b"x"]) for _ in range(5)] == [True] * 4 + [False]
    one.end(1)
    waiting = asyncio.create_task(one.wait_for_room())
    one.take(1)
    await asyncio.sleep(0)
    assert not waiting.done()
    one.take(3)
    await waiting
    assert one.put(1, [b"x"])


async def test_news_wake_whoever_waits() -> None:
    one = Inbox(4, 1 << 20)
    await one.wait_for_news(1)
    waiting = asyncio.create_task(one.wait_for_news(60_000))
    await asyncio.sleep(0)
    one.tell()
    await waiting
    one.put(1, [b"x"])
    await one.wait_for_news(60_000)


def test_of_many_frames_as_many_are_taken_as_there_is_room_for() -> None:
    one = Inbox(3, 1 << 20)
    assert one.put(1, [b"a", b"b"])
    assert not one.put(2, [b"c", b"d"])
    assert not one.put(2, [b"d"])
    assert one.take(10) == [Run(1, [b"a", b"b"]), Run(2, [b"c"])]
    assert one.put(2, [b"d"])
