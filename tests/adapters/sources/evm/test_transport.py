"""Requests over real HTTP: bounded, timed, and silent about the key in the URL."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from tests.adapters.sources.evm.http_node import SECRET, HttpNode, serving

from swapstats.adapters.sources.evm.options import Provider
from swapstats.adapters.sources.evm.rpc_errors import (
    RpcError,
    RpcRefused,
    RpcTimeout,
    RpcUnreachable,
)
from swapstats.adapters.sources.evm.transport import HttpTransport
from swapstats.stack.process import free_port

BODY = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}'


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_status_body_and_the_wish_to_wait_come_through(http: aiohttp.ClientSession) -> None:
    def say(_asked: object) -> web.Response:
        return web.Response(body=b"slow", status=429, headers={"Retry-After": "7"})

    async with serving(HttpNode(say=say)) as node:
        answer = await HttpTransport(http, node.provider, 5_000).post(BODY)
    assert (answer.status, answer.body, answer.retry_after) == (429, b"slow", "7")


async def test_an_answer_that_does_not_come_is_given_up(http: aiohttp.ClientSession) -> None:
    async with serving(HttpNode(hangs=True)) as node:
        with pytest.raises(RpcTimeout, match="within 50 ms, was none") as caught:
            await HttpTransport(http, node.provider, 50).post(BODY)
    assert_no_secret(caught.value)


async def test_nobody_there(http: aiohttp.ClientSession) -> None:
    provider = Provider(f"http://127.0.0.1:{free_port()}/{SECRET}")
    with pytest.raises(RpcUnreachable, match=r"of 127.0.0.1:\d+, was") as caught:
        await HttpTransport(http, provider, 5_000).post(BODY)
    assert_no_secret(caught.value)


async def test_an_answer_without_end_is_not_read_to_its_end(http: aiohttp.ClientSession) -> None:
    async with serving(HttpNode(say=lambda _: web.Response(body=b"x" * 100_000))) as node:
        with pytest.raises(RpcRefused, match="1000 bytes at most"):
            await HttpTransport(http, node.provider, 5_000, answer_bytes_max=1_000).post(BODY)


async def test_redirects_are_not_followed(http: aiohttp.ClientSession) -> None:
    def say(_asked: object) -> web.Response:
        return web.Response(status=307, headers={"Location": f"/elsewhere/{SECRET}"})

    async with serving(HttpNode(say=say)) as node:
        answer = await HttpTransport(http, node.provider, 5_000).post(BODY)
        assert (answer.status, len(node.asked)) == (307, 1)


def assert_no_secret(error: RpcError) -> None:
    """Nothing that is printed of an error may hold the key."""
    assert SECRET not in str(error)
    assert error.__suppress_context__
