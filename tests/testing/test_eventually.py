"""Polling by condition: true at once, true later, never true."""

import threading
import time

import pytest

from swapstats.testing.eventually import eventually, eventually_async


def test_returns_the_first_true_result_without_waiting() -> None:
    start_ns = time.monotonic_ns()
    assert eventually(lambda: [1, 2], 60_000, "a list") == [1, 2]
    assert time.monotonic_ns() - start_ns < 10_000_000_000


def test_waits_for_another_thread() -> None:
    done = threading.Event()
    polled = threading.Event()

    def condition() -> bool:
        polled.set()
        return done.is_set()

    def finish() -> None:
        polled.wait(60)
        done.set()

    worker = threading.Thread(target=finish)
    worker.start()
    assert eventually(condition, 60_000, "the worker to finish")
    worker.join()


def test_says_what_it_waited_for_and_what_it_saw() -> None:
    with pytest.raises(TimeoutError, match=r"^Expected a token within 20 ms, was \[\]$"):
        eventually(list, 20, "a token")


def test_asks_once_more_at_the_deadline() -> None:
    asked: list[int] = []
    with pytest.raises(TimeoutError):
        eventually(lambda: asked.append(1), 0, "anything")
    assert asked


async def test_polls_plain_conditions_and_coroutines() -> None:
    left = [0, 0, 7]

    async def coroutine() -> int:
        return left.pop(0)

    assert await eventually_async(coroutine, 60_000, "a number") == 7
    assert await eventually_async(lambda: "yes", 60_000, "a word") == "yes"


async def test_async_says_what_it_waited_for() -> None:
    with pytest.raises(TimeoutError, match="Expected a frame within 20 ms, was None"):
        await eventually_async(lambda: None, 20, "a frame")
