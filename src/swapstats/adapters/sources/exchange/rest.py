"""Questions to an exchange's REST API, within its budget, with their failures put in classes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp

from swapstats.adapters.sources.exchange.rate_budget import RateBudget
from swapstats.adapters.sources.exchange.venue import Ask
from swapstats.errors import Rejected, Transient
from swapstats.ports.clock import Clock

AnswerT = TypeVar("AnswerT")

ANSWER_BYTES_MAX = 1 << 25
SHOWN_BYTES_MAX = 200
OK = 200
TOO_MANY_REQUESTS = frozenset({429, 418})
ANOTHER_TRY = frozenset({403, 408, 425})
"""Answers of a firewall or a hurried server: they say nothing about the question."""
SERVER_ERRORS = 500


class Rest:
    """The REST API of one exchange.

    Args:
        http: carries the requests.
        budget: what may be asked; shared by all who ask the same exchange.
        clock: monotonic clock.
        timeout_ms: how long an answer may take.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        budget: RateBudget,
        clock: Clock,
        timeout_ms: int,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._http = http
        self._budget = budget
        self._clock = clock
        self._timeout_ms = timeout_ms
        self._sleep = sleep

    async def get(self, ask: Ask[AnswerT]) -> AnswerT:
        """Ask, once the budget allows it.

        Raises:
            Transient: no answer, or one that says to come again.
            Rejected: asking again is no use.
        """
        while wait_ms := self._budget.take(ask.weight, self._clock.monotonic_ms()):
            await self._sleep(wait_ms / 1_000)
        try:
            async with asyncio.timeout(self._timeout_ms / 1_000):
                async with self._http.get(ask.url, headers=ask.headers) as answer:
                    body = await _body(answer)
        except TimeoutError as error:
            raise Transient(f"no answer within {self._timeout_ms / 1_000:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Transient(words(error)) from error
        self._check(answer, body)
        return ask.read(body)

    def _check(self, answer: aiohttp.ClientResponse, body: bytes) -> None:
        status = answer.status
        if status == OK:
            return
        if status in TOO_MANY_REQUESTS:
            wait_ms = self._budget.refused(
                _retry_after_ms(answer.headers.get("Retry-After")), self._clock.monotonic_ms()
            )
            raise Transient(f"HTTP {status}: too many requests", wait_ms)
        shown = body[:SHOWN_BYTES_MAX].decode(errors="replace")
        if status in ANOTHER_TRY or status >= SERVER_ERRORS:
            raise Transient(f"HTTP {status}: {shown}")
        raise Rejected(f"HTTP {status}: {shown}")


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := await answer.content.readany():
        size += len(piece)
        if size > ANSWER_BYTES_MAX:
            raise aiohttp.ClientPayloadError(f"an answer of more than {ANSWER_BYTES_MAX} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def _retry_after_ms(header: str | None) -> int:
    """How long to wait by a Retry-After header in seconds; 0 if it says nothing of use."""
    return int(header) * 1_000 if header is not None and header.isdecimal() else 0


def words(error: BaseException) -> str:
    """What went wrong, for people."""
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"HTTP {error.status}"
    return str(error) or type(error).__name__
