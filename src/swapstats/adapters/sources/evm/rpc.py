"""JSON-RPC with one node: calls and batches.

What a node says is cleaned of every part of the URL it was asked by, which may hold a secret key.
"""

import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec

from swapstats.adapters.sources.evm.options import Provider
from swapstats.adapters.sources.evm.rpc_errors import (
    RETRY_AFTER_MS,
    RpcError,
    RpcGarbage,
    RpcRateLimited,
    RpcRefused,
    RpcTimeout,
    RpcUnreachable,
    retry_ms,
)
from swapstats.adapters.sources.evm.transport import HttpAnswer, Transport

AnswerT = TypeVar("AnswerT")

WAIT_MS_MAX: Final = 5_000
"""A longer wait is not made in the middle of a step; it gives the step up."""
GROW_CALLS: Final = 500
SAID_CHARS_MAX: Final = 200
SAID_BYTES_MAX: Final = 1 << 16
SECRET_CHARS_MIN: Final = 4
TOO_MANY_REQUESTS: Final = 429
SERVER_ERROR: Final = 500
RATE_CODES: Final = frozenset({429, -32029, -32097})
LIMIT_EXCEEDED: Final = -32005
"""Used by some for the rate of calls, by others for the size of an answer."""
SIZE_WORDS: Final = ("result", "range", "log", "block", "size")


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
        has_waited = False
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
            except RpcTimeout:
                self._batch_calls = max(1, size // 2)  # so many would be too many again
                raise
            except RpcRateLimited as limited:
                self._batch_calls = max(1, size // 2)
                is_stuck = not settled or (has_waited and size == 1)
                if is_stuck or limited.retry_after_ms > WAIT_MS_MAX:
                    raise
                has_waited = True
                # What is settled would have to be asked for again.
                await self._sleep(limited.retry_after_ms / 1_000)
            else:
                has_waited = False
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
        said = text[:SAID_BYTES_MAX].decode(errors="replace")
        for secret in self._secrets:
            said = said.replace(secret, "***")
        return ascii("".join(sign if sign.isprintable() else " " for sign in said))[:SAID_CHARS_MAX]


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
