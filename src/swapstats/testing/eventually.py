"""Waiting for a condition instead of for a time: the one place where tests may sleep."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TypeVar, overload

ResultT = TypeVar("ResultT")

POLL_FIRST_MS = 1
POLL_MAX_MS = 50
"""Polls start close together, for conditions that hold at once, and thin out to this."""


def eventually(condition: Callable[[], ResultT], timeout_ms: int, what: str) -> ResultT:
    """Poll a condition until it is true; the calling thread blocks meanwhile.

    Args:
        condition: called until it is true, the last time at the deadline; what it raises is
            raised on.
        timeout_ms: how long to wait, in milliseconds.
        what: what is waited for, such as "the server to answer".

    Returns:
        The first true result.

    Raises:
        TimeoutError: the condition stayed false; the message holds its last result.

    >>> eventually(lambda: "ready", 1_000, "the server to answer")
    'ready'
    """
    pause_ms = POLL_FIRST_MS
    deadline_ns = time.monotonic_ns() + timeout_ms * 1_000_000
    while True:
        last_try = time.monotonic_ns() >= deadline_ns
        result = condition()
        if result:
            return result
        if last_try:
            raise TimeoutError(f"Expected {what} within {timeout_ms} ms, was {result!r}")
        time.sleep(pause_ms / 1_000)
        pause_ms = min(2 * pause_ms, POLL_MAX_MS)


@overload
async def eventually_async(
    condition: Callable[[], Awaitable[ResultT]], timeout_ms: int, what: str
) -> ResultT: ...
@overload
async def eventually_async(
    condition: Callable[[], ResultT], timeout_ms: int, what: str
) -> ResultT: ...
async def eventually_async(
    condition: Callable[[], ResultT | Awaitable[ResultT]], timeout_ms: int, what: str
) -> ResultT:
    """Poll a condition, plain or a coroutine function, while the event loop goes on.

    Args:
        condition: called until it is true, the last time at the deadline; what it raises is
            raised on.
        timeout_ms: how long to wait, in milliseconds.
        what: what is waited for.

    Returns:
        The first true result.

    Raises:
        TimeoutError: the condition stayed false; the message holds its last result.
    """
    pause_ms = POLL_FIRST_MS
    deadline_ns = time.monotonic_ns() + timeout_ms * 1_000_000
    while True:
        last_try = time.monotonic_ns() >= deadline_ns
        outcome = condition()
        result: ResultT = await outcome if isawaitable(outcome) else outcome
        if result:
            return result
        if last_try:
            raise TimeoutError(f"Expected {what} within {timeout_ms} ms, was {result!r}")
        await asyncio.sleep(pause_ms / 1_000)
        pause_ms = min(2 * pause_ms, POLL_MAX_MS)
