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


async def test_what_waits_is_bounded_in_bytes_too() -> None:
    one = Inbox(100, 10)
    assert one.put(1, [b"xxxx", b"xxxx"])
    assert not one.put(1, [b"xx", b"x", b""])
    waiting = asyncio.create_task(one.wait_for_room())
    await asyncio.sleep(0)
    assert one.take(1) == [Run(1, [b"xxxx"])]
    await asyncio.sleep(0)
    assert not waiting.done()
    assert one.take(2) == [Run(1, [b"xxxx", b"xx"])]
    await waiting
    assert one.put(1, [b"x" * 10])
    assert not one.put(1, [b"x"])


async def test_what_is_no_news_waits_to_be_roused() -> None:
    one = Inbox(10, 1 << 20)
    one.rouse()
    waiting = asyncio.create_task(one.wait_for_news(60_000))
    await asyncio.sleep(0)
    one.put(1, [b"a"], wakes=False)
    one.put(2, [b"b"], wakes=False)
    await asyncio.sleep(0)
    assert not waiting.done()
    one.rouse()
    await waiting
    assert one.take(10) == [Run(1, [b"a"]), Run(2, [b"b"])]


async def test_no_room_is_news_in_any_case() -> None:
    one = Inbox(1, 1 << 20)
    assert not one.put(1, [b"a", b"b"], wakes=False)
    await one.wait_for_news(60_000)
    assert one.take(10) == [Run(1, [b"a"])]


async def test_what_was_left_by_who_took_is_news() -> None:
    one = Inbox(10, 1 << 20)
    one.put(1, [b"a", b"b"], wakes=False)
    one.take(1)
    await one.wait_for_news(60_000)
    assert one.take(10) == [Run(1, [b"b"])]


async def test_a_shorter_wait_is_not_held_up_by_a_longer_one() -> None:
    one = Inbox(10, 1 << 20)
    waiting = asyncio.create_task(one.wait_for_news(60_000))
    await asyncio.sleep(0)
    one.tell()
    await waiting
    async with asyncio.timeout(30):
        await one.wait_for_news(1)


async def test_one_who_gave_up_waiting_is_not_woken() -> None:
    one = Inbox(10, 1 << 20)
    waiting = asyncio.create_task(one.wait_for_news(60_000))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    one.tell()
    await one.wait_for_news(60_000)
