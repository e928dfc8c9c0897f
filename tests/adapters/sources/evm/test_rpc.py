"""JSON-RPC against a real HTTP server: calls, batches, refusals, garbage."""

import asyncio
import json
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.adapters.sources.evm.fake_chain import CHAIN_ID, FakeChain, FakeNode
from tests.adapters.sources.evm.http_node import SECRET, HttpNode, refusal, serving

from swapstats.adapters.sources.evm.options import Provider
from swapstats.adapters.sources.evm.rpc import Call, RpcClient
from swapstats.adapters.sources.evm.rpc_errors import (
    RpcError,
    RpcGarbage,
    RpcRateLimited,
    RpcRefused,
    RpcTimeout,
    RpcUnreachable,
)
from swapstats.adapters.sources.evm.transport import HttpAnswer, HttpTransport

CALLS = [Call("eth_getBlockByNumber", (hex(number), False)) for number in range(12)]
Say = Callable[[Any], web.Response]


class Client:
    """A client of a real server, and how long it was asked to wait."""

    def __init__(self, http: aiohttp.ClientSession, node: HttpNode, batch: int = 5) -> None:
        self.waits: list[float] = []
        transport = HttpTransport(http, node.provider, 5_000)
        self.rpc = RpcClient(transport, node.provider, batch, lambda: 0.0, self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


@asynccontextmanager
async def client_of(node: HttpNode, batch: int = 5) -> AsyncIterator[Client]:
    async with serving(node), aiohttp.ClientSession() as http:
        yield Client(http, node, batch)


async def test_a_call_gives_its_result_as_json() -> None:
    async with client_of(HttpNode()) as client:
        assert json.loads(await client.rpc.call("eth_chainId")) == hex(CHAIN_ID)
        block = await client.rpc.call("eth_getBlockByNumber", "0x3", False)
        assert json.loads(block)["number"] == "0x3"
        assert await client.rpc.call("eth_getBlockByNumber", "0xffff", False) == b"null"


async def test_batches_are_answered_in_order_whatever_order_the_node_has() -> None:
    node = HttpNode()
    async with client_of(node) as client:
        answers = await client.rpc.call_all(CALLS)
    assert [int(json.loads(one)["number"], 16) for one in answers] == list(range(12))
    assert [len(one) for one in node.asked] == [5, 5, 2]


async def test_a_node_that_takes_no_batches_is_asked_one_by_one() -> None:
    node = HttpNode()
    node.node.takes_batches = False
    async with client_of(node) as client:
        answers = await client.rpc.call_all(CALLS)
    assert [int(json.loads(one)["number"], 16) for one in answers] == list(range(12))


async def test_batches_grow_again_after_a_while() -> None:
    node = HttpNode()
    node.node.takes_batches = False
    async with client_of(node) as client:
        await client.rpc.call_all(CALLS)
        node.node.takes_batches = True
        await client.rpc.call_all(CALLS * 100)
        node.asked.clear()
        await client.rpc.call_all(CALLS)
    assert isinstance(node.asked[0], list)


async def test_a_batch_that_takes_too_long_is_smaller_the_next_time() -> None:
    """The same batch again would take too long again, and nothing would ever come of it."""

    class Slow(FakeNode):
        async def post(self, body: bytes) -> HttpAnswer:
            if body.count(b"jsonrpc") > 3:
                raise RpcTimeout("Expected an answer in time, was none")
            return await super().post(body)

    slow = Slow(FakeChain(1, 12))
    rpc = RpcClient(slow, Provider("http://node"), 12, lambda: 0.0, asyncio.sleep)
    for _ in range(2):
        with pytest.raises(RpcTimeout):
            await rpc.call_all(CALLS)
    assert len(await rpc.call_all(CALLS)) == 12


async def test_a_refusal_within_a_batch_is_that_calls_own() -> None:
    async with client_of(HttpNode()) as client:
        logs = Call("eth_getLogs", ({"blockHash": "0xunknown", "topics": [[]]},))
        settled = await client.rpc.settle_all([CALLS[0], logs, CALLS[1]])
        assert [isinstance(one, RpcRefused) for one in settled] == [False, True, False]
        with pytest.raises(RpcRefused, match="unknown block"):
            await client.rpc.call_all([CALLS[0], logs, CALLS[1]])


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (-32000, "query returned more than 10000 results", RpcRefused),
        (-32005, "query returned more than 10000 results", RpcRefused),
        (-32005, "daily request count exceeded", RpcRateLimited),
        (429, "compute units", RpcRateLimited),
        (-32029, "too many", RpcRateLimited),
        (3, "execution reverted", RpcRefused),
    ],
)
async def test_refusals_and_rate_limits_are_told_apart(
    code: int, message: str, expected: type[RpcError]
) -> None:
    async with client_of(HttpNode(say=refusal(message, code))) as client:
        with pytest.raises(expected):
            await client.rpc.call("eth_getLogs", {})


def http_answer(body: bytes, status: int = 200, **headers: str) -> Say:
    return lambda _asked: web.Response(
        body=body,
        status=status,
        headers={key.replace("_", "-"): value for key, value in headers.items()},
    )


@pytest.mark.parametrize(
    ("say", "expected"),
    [
        (http_answer(b"", 429, Retry_After="9"), RpcRateLimited),
        (http_answer(b"<html>", 502), RpcUnreachable),
        (http_answer(b'{"id":1,"error":{"code":-32000,"message":"range"}}', 400), RpcRefused),
        (http_answer(b'{"id":1,"error":{"code":-32000,"message":"range"}}', 500), RpcRefused),
        (http_answer(b"no such key", 401), RpcRefused),
        (http_answer(b"", 307, Location="/x"), RpcRefused),
        (http_answer(b"<html>"), RpcGarbage),
        (http_answer(b""), RpcGarbage),
        (http_answer(b"{}"), RpcGarbage),
        (http_answer(b"null"), RpcGarbage),
        (http_answer(b"[]"), RpcGarbage),
        (http_answer(b'{"id":99,"result":"0x1"}'), RpcGarbage),
        (http_answer(b'{"id":1,"result":'), RpcGarbage),
        (http_answer(b"[" * 100_000), RpcGarbage),
        (http_answer(b'{"id":1,"result":' + b"[" * 100_000), RpcGarbage),
    ],
)
async def test_every_answer_that_is_none_has_its_error(say: Say, expected: type[RpcError]) -> None:
    async with client_of(HttpNode(say=say)) as client:
        with pytest.raises(expected):
            await client.rpc.call("eth_chainId")


@pytest.mark.parametrize("body", [b"[]", b"[{}]", b"[1]", b'[{"id":1}]', b"[null]"])
async def test_a_batch_that_is_not_answered_whole_is_garbage(body: bytes) -> None:
    async with client_of(HttpNode(say=http_answer(body))) as client:
        with pytest.raises(RpcGarbage):
            await client.rpc.call_all(CALLS[:2])


async def test_a_wait_in_the_middle_is_waited_for_with_smaller_batches() -> None:
    node = HttpNode()
    answered = 0

    def limited(asked: Any) -> web.Response:
        nonlocal answered
        if len(asked) > 3 and answered:
            return web.Response(status=429, headers={"Retry-After": "2"})
        answered += 1
        answers = [
            {"id": one["id"], "result": node.node.eth_getBlockByNumber(*one["params"])}
            for one in asked
        ]
        return web.json_response(answers)

    node.say = limited
    async with client_of(node) as client:
        answers = await client.rpc.call_all(CALLS[:11])
        assert [int(json.loads(one)["number"], 16) for one in answers] == list(range(11))
        assert client.waits == [2.0]


async def test_a_node_that_asks_to_wait_again_and_again_is_given_up() -> None:
    node = HttpNode()

    def once(asked: Any) -> web.Response:
        if len(node.asked) > 1:
            return web.Response(status=429, headers={"Retry-After": "2"})
        return web.json_response([{"id": one["id"], "result": None} for one in asked])

    node.say = once
    async with client_of(node) as client:
        with pytest.raises(RpcRateLimited):
            await client.rpc.call_all(CALLS)
        assert client.waits == [2.0, 2.0]


async def test_a_wait_at_once_is_for_another_node_to_make_up_for() -> None:
    say = http_answer(b"", 429, Retry_After="3")
    async with client_of(HttpNode(say=say)) as client:
        with pytest.raises(RpcRateLimited) as caught:
            await client.rpc.call_all(CALLS)
        assert caught.value.retry_after_ms == 3_000
        assert client.waits == []


async def test_nothing_that_is_said_or_printed_holds_the_key() -> None:
    saying = f"bad key {SECRET} at /v3/{SECRET}?apikey={SECRET} " + "x" * 780 + SECRET
    for say in (refusal(saying), http_answer(saying.encode()), http_answer(saying.encode(), 403)):
        async with client_of(HttpNode(say=say)) as client:
            with pytest.raises(RpcError) as caught:
                await client.rpc.call("eth_chainId")
        printed = "".join(traceback.format_exception(caught.value))
        assert SECRET not in printed
        assert len(str(caught.value)) < 400
