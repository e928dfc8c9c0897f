"""JSON-RPC over HTTP with one node: calls, batches, and errors that say what to do about them.

- RpcError: the question has no answer
    - RpcUnreachable: no connection, no answer in time, or a server's own trouble: ask another node
        - RpcTimeout: no answer in time: ask for less, or another node
    - RpcRateLimited: asked too often: wait as long as it says
    - RpcRefused: the node says no: ask for less, or another node
    - RpcGarbage: the answer is none: ask another node
    - RpcMissing: the node does not know the block: later, or another node

A URL may hold a secret key: errors name the host only, and what a node says is cleaned of every
part of the URL it was asked by.
"""

import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

import aiohttp
import msgspec

from swapstats.adapters.sources.evm.options import Provider
from swapstats.errors import Transient

AnswerT = TypeVar("AnswerT")

ANSWER_BYTES_MAX: Final = 1 << 26
RETRY_AFTER_MS: Final = 1_000
RETRY_AFTER_MS_MAX: Final = 300_000
WAIT_MS_MAX: Final = 5_000
"""A longer wait is not made in the middle of a step; it gives the step up."""
GROW_CALLS: Final = 500
SAID_CHARS_MAX: Final = 200
SECRET_CHARS_MIN: Final = 4
TOO_MANY_REQUESTS: Final = 429
SERVER_ERROR: Final = 500
RATE_CODES: Final = frozenset({429, -32029, -32097})
LIMIT_EXCEEDED: Final = -32005
"""Used by some for the rate of calls, by others for the size of an answer."""
SIZE_WORDS: Final = ("result", "range", "log", "block", "size")


class RpcError(Transient):
    """A question that a node did not answer."""


class RpcUnreachable(RpcError):
    """No connection, or the server has trouble of its own."""


class RpcTimeout(RpcUnreachable):
    """No answer in time."""


class RpcRateLimited(RpcError):
    """Asked too often; `retry_after_ms` says when to come back."""


class RpcRefused(RpcError):
    """The node refuses.

    Args:
        message: for people.
        code: its error code.
        said: its own words, cleaned.
    """

    def __init__(self, message: str, code: int = 0, said: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.said = said


class RpcGarbage(RpcError):
    """The answer is not what was asked for."""


class RpcMissing(RpcError):
    """The node does not know the block that was asked for, not yet or not any more."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One HTTP answer.

    Attributes:
        status: HTTP status.
        body: as it came.
        retry_after: the header of that name, if there is one.
    """

    status: int
    body: bytes
    retry_after: str | None = None


class Transport(Protocol):
    """Carries one request to one node."""

    async def post(self, body: bytes) -> HttpAnswer:
        """Carry a request.

        Raises:
            RpcUnreachable: there is no answer.
            RpcRefused: the answer is larger than is good.
        """
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """One call."""

    method: str
    params: Sequence[Any]


class _ErrorBody(msgspec.Struct, frozen=True):
    code: int = 0
    message: str = ""


class _Answer(msgspec.Struct, frozen=True):
    id: int | None = None
    result: msgspec.Raw = msgspec.Raw()
    error: _ErrorBody | None = None


class HttpTransport:
    """Requests over aiohttp; follows no redirects, which could carry a key elsewhere.

    Args:
        http: session to use.
        provider: whom to ask.
        timeout_ms: for one request, from connecting to the last byte.
        answer_bytes_max: answers are not read further.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        provider: Provider,
        timeout_ms: int,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
    ) -> None:
        self._http = http
        self._provider = provider
        self._timeout_ms = timeout_ms
        self._answer_bytes_max = answer_bytes_max

    async def post(self, body: bytes) -> HttpAnswer:
        """Carry a request.

        Raises:
            RpcUnreachable: there is no answer.
            RpcRefused: the answer is larger than is good.
        """
        host = self._provider.host
        try:
            async with self._http.post(
                self._provider.url,
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=self._timeout_ms / 1_000),
                allow_redirects=False,
            ) as answer:
                content = bytearray()
                while piece := await answer.content.readany():
                    content += piece
                    if len(content) > self._answer_bytes_max:
                        raise RpcRefused(
                            f"Expected an answer of {self._answer_bytes_max} bytes at most, "
                            f"{host} sends more"
                        )
                retry_after = answer.headers.get("Retry-After")
                return HttpAnswer(answer.status, bytes(content), retry_after)
        except TimeoutError:
            raise RpcTimeout(
                f"Expected an answer of {host} within {self._timeout_ms} ms, was none"
            ) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Not chained: an error of the client may show the URL.
            raise RpcUnreachable(
                f"Expected an answer of {host}, was {type(error).__name__}"
            ) from None


class RpcClient:
    """Calls to one node.

    Args:
        transport: carries requests.
        provider: whom it carries them to.
        batch_calls_max: calls in one request; fewer where a node refuses so many.
        now_s: wall clock, for a Retry-After that is a date.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        transport: Transport,
        provider: Provider,
        batch_calls_max: int,
        now_s: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._transport = transport
        self._host = provider.host
        self._secrets = _secrets(provider.url)
        self._batch_calls = self._batch_calls_max = batch_calls_max
        self._answered = 0
        self._sleep = sleep
        self._now_s = now_s
        self._ids = itertools.count(1)

    @property
    def host(self) -> str:
        """Whom it asks, for people."""
        return self._host

    async def call(self, method: str, *params: Any) -> bytes:
        """Call once; gives the result as JSON.

        Raises:
            RpcError: there is no result.
        """
        call_id = next(self._ids)
        answer = await self._transport.post(_encode(_request(call_id, Call(method, params))))
        decoded = self._decoded(answer, _Answer)
        if decoded.error is None and decoded.id != call_id:
            raise RpcGarbage(f"Expected the answer to call {call_id} of {self._host}, was another")
        return self._result(decoded)

    async def call_all(self, calls: Sequence[Call]) -> list[bytes]:
        """Call many, in batches; gives their results in order.

        Raises:
            RpcError: one of them has no result.
        """
        results = []
        for settled in await self.settle_all(calls):
            if isinstance(settled, RpcError):
                raise settled
            results.append(settled)
        return results

    async def settle_all(self, calls: Sequence[Call]) -> list[bytes | RpcRefused]:
        """Call many, in batches; gives the result or the refusal of each, in order.

        Raises:
            RpcError: anything but a refusal of single calls.
        """
        settled: list[bytes | RpcRefused] = []
        while len(settled) < len(calls):
            size = min(self._batch_calls, len(calls) - len(settled))
            chunk = calls[len(settled) : len(settled) + size]
            try:
                if size == 1:
                    settled.append(await self._settle(chunk[0]))
                else:
                    settled += await self._batch(chunk)
            except RpcRefused:
                self._batch_calls = size // 2
            except RpcRateLimited as limited:
                self._batch_calls = max(1, size // 2)
                if not settled or limited.retry_after_ms > WAIT_MS_MAX:
                    raise
                # What is settled would have to be asked for again.
                await self._sleep(limited.retry_after_ms / 1_000)
            else:
                self._grow(size)
        return settled

    def _grow(self, answered: int) -> None:
        """Try larger batches again after a while, whatever it was that made them smaller."""
        if self._batch_calls < self._batch_calls_max:
            self._answered += answered
            if self._answered >= GROW_CALLS:
                self._answered = 0
                self._batch_calls = min(self._batch_calls_max, 2 * self._batch_calls)

    async def _settle(self, call: Call) -> bytes | RpcRefused:
        try:
            return await self.call(call.method, *call.params)
        except RpcRefused as refusal:
            return refusal

    async def _batch(self, calls: Sequence[Call]) -> list[bytes | RpcRefused]:
        ids = [next(self._ids) for _ in calls]
        requests = [_request(call_id, call) for call_id, call in zip(ids, calls, strict=True)]
        answer = await self._transport.post(_encode(requests))
        if not answer.body.lstrip().startswith(b"["):
            self._result(self._decoded(answer, _Answer))
            raise RpcRefused(f"Expected {self._host} to take a batch, was one answer for all")
        by_id = {one.id: one for one in self._decoded(answer, list[_Answer])}
        settled: list[bytes | RpcRefused] = []
        for call_id in ids:
            one = by_id.get(call_id)
            if one is None:
                raise RpcGarbage(f"Expected {self._host} to answer each call of a batch")
            try:
                settled.append(self._result(one))
            except RpcRefused as refusal:
                settled.append(refusal)
        return settled

    def _decoded(self, answer: HttpAnswer, kind: type[AnswerT]) -> AnswerT:
        if answer.status == TOO_MANY_REQUESTS:
            raise RpcRateLimited(
                f"Expected {self._host} to answer, was asked to wait",
                retry_ms(answer.retry_after, self._now_s()),
            )
        try:
            decoded = msgspec.json.decode(answer.body, type=kind)
        except (msgspec.MsgspecError, RecursionError):
            if answer.status >= SERVER_ERROR:
                raise RpcUnreachable(
                    f"Expected an answer of {self._host}, was HTTP {answer.status}"
                ) from None
            if answer.status >= 300:
                raise RpcRefused(
                    f"Expected an answer of {self._host}, was HTTP {answer.status}", answer.status
                ) from None
            raise RpcGarbage(
                f"Expected a JSON-RPC answer of {self._host}, was {self._said(answer.body)}"
            ) from None
        return decoded

    def _result(self, answer: _Answer) -> bytes:
        error = answer.error
        if error is not None:
            if _is_rate_limit(error):
                raise RpcRateLimited(
                    f"Expected {self._host} to answer, was asked to wait", RETRY_AFTER_MS
                )
            said = self._said(error.message.encode())
            raise RpcRefused(f"{self._host} refuses: {said} (code {error.code})", error.code, said)
        if not bytes(answer.result):
            raise RpcGarbage(f"Expected a result of {self._host}, was none")
        return bytes(answer.result)

    def _said(self, text: bytes) -> str:
        """What a node said, short, printable and without anything from its URL."""
        said = text[: 4 * SAID_CHARS_MAX].decode(errors="replace")
        for secret in self._secrets:
            said = said.replace(secret, "***")
        return ascii("".join(sign if sign.isprintable() else " " for sign in said))[:SAID_CHARS_MAX]


def retry_ms(header: str | None, now_s: float) -> int:
    """Read a Retry-After header, seconds or a date; within reason, whatever it says.

    >>> retry_ms("7", 0.0), retry_ms(None, 0.0), retry_ms("soon", 0.0), retry_ms("99999999", 0.0)
    (7000, 1000, 1000, 300000)
    >>> retry_ms("Thu, 01 Jan 1970 00:01:00 GMT", 20.0)
    40000
    """
    if header is None:
        return RETRY_AFTER_MS
    try:
        wait_ms = int(header) * 1_000
    except ValueError:
        try:
            wait_ms = int((parsedate_to_datetime(header).timestamp() - now_s) * 1_000)
        except (ValueError, OverflowError):
            return RETRY_AFTER_MS
    return max(0, min(wait_ms, RETRY_AFTER_MS_MAX)) or RETRY_AFTER_MS


def _is_rate_limit(error: _ErrorBody) -> bool:
    if error.code in RATE_CODES:
        return True
    said = error.message.lower()
    return error.code == LIMIT_EXCEEDED and not any(word in said for word in SIZE_WORDS)


def _secrets(url: str) -> list[str]:
    """Every part of a URL that may be a key, the longest first."""
    parts = urlsplit(url)
    found = {url, parts.path, parts.query, parts.username or "", parts.password or ""}
    found.update(parts.path.split("/"))
    for pair in parts.query.split("&"):
        found.update(pair.split("=", 1))
    found.update({unquote(text) for text in found})
    return sorted((text for text in found if len(text) >= SECRET_CHARS_MIN), key=len, reverse=True)


def _request(call_id: int, call: Call) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call_id, "method": call.method, "params": call.params}


_encode = msgspec.json.Encoder().encode
