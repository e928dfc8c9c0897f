"""Answers of a REST API, put in classes."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from swapstats.adapters.sources.exchange.rate_budget import RateBudget
from swapstats.adapters.sources.exchange.rest import ANSWER_BYTES_MAX, Rest, words
from swapstats.adapters.sources.exchange.venue import Ask
from swapstats.errors import Rejected, Transient
from swapstats.testing.manual_clock import ManualClock


class Asked:
    """A REST API that answers as told, and who asks it by a clock in the test's hands."""

    def __init__(self, budget: RateBudget | None = None) -> None:
        self.clock = ManualClock()
        self.waits: list[float] = []
        self.answer: Callable[[], web.Response] = lambda: web.Response(body=b"yes")
        self.budget = budget or RateBudget(6_000, 60_000)
        self.seen: list[str | None] = []

    async def get(self, weight: int = 1, timeout_ms: int = 10_000) -> int:
        async with self._serving() as url, aiohttp.ClientSession() as http:
            rest = Rest(http, self.budget, self.clock, timeout_ms, self._sleep)
            return await rest.get(Ask(url, weight, len, {"X-KEY": "k"}))

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock.advance(int(seconds * 1_000))

    async def _serve(self, request: web.Request) -> web.Response:
        self.seen.append(request.headers.get("X-KEY"))
        return self.answer()

    @asynccontextmanager
    async def _serving(self) -> AsyncGenerator[str, None]:
        app = web.Application()
        app.router.add_get("/", self._serve)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
        finally:
            await runner.cleanup()


async def test_an_answer_is_read() -> None:
    asked = Asked()
    assert await asked.get() == 3
    assert asked.seen == ["k"]


async def test_the_budget_is_waited_for() -> None:
    asked = Asked(RateBudget(120, 60_000))
    for _ in range(3):
        await asked.get(weight=30)
    assert asked.waits == [30.0]


@pytest.mark.parametrize("status", [429, 418])
async def test_too_many_requests_stop_everybody_for_as_long_as_is_said(status: int) -> None:
    asked = Asked()
    asked.answer = lambda: web.Response(status=status, headers={"Retry-After": "7"})
    with pytest.raises(Transient, match=f"HTTP {status}") as caught:
        await asked.get()
    assert caught.value.retry_after_ms == 7_000
    asked.answer = lambda: web.Response(body=b"yes")
    await asked.get()
    assert asked.waits == [7.0]


async def test_a_refusal_without_a_number_is_taken_for_a_second() -> None:
    asked = Asked()
    asked.answer = lambda: web.Response(status=429, headers={"Retry-After": "soon"})
    with pytest.raises(Transient) as caught:
        await asked.get()
    assert caught.value.retry_after_ms == 1_000


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, Transient), (503, Transient), (403, Transient), (400, Rejected), (401, Rejected)],
)
async def test_failures_have_classes(status: int, kind: type[Exception]) -> None:
    asked = Asked()
    asked.answer = lambda: web.Response(status=status, text="why")
    with pytest.raises(kind, match=f"HTTP {status}: why"):
        await asked.get()


async def test_an_endless_answer_is_none() -> None:
    asked = Asked()
    asked.answer = lambda: web.Response(body=b"x" * (ANSWER_BYTES_MAX + 1))
    with pytest.raises(Transient, match="more than"):
        await asked.get()


async def test_nobody_there() -> None:
    asked = Asked()
    async with asked._serving() as url:
        pass
    async with aiohttp.ClientSession() as http:
        rest = Rest(http, asked.budget, asked.clock, 10_000, asked._sleep)
        with pytest.raises(Transient):
            await rest.get(Ask(url, 1, len))


def test_errors_have_words() -> None:
    assert words(OSError("gone")) == "gone"
    assert words(ConnectionResetError()) == "ConnectionResetError"
