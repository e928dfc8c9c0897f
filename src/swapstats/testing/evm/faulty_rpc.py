"""A provider of JSON-RPC on loopback in front of a real node, with every fault providers have.

It answers from the node, but for what its plan says. It remembers what it answered, so that it can
answer again for a branch that the node has left, as providers behind a balancer do.
"""

import asyncio
import contextlib
import json
from collections import Counter
from typing import Any, Final

import aiohttp
from aiohttp import web

from swapstats.testing.evm.rpc_answers import Answers, Call
from swapstats.testing.evm.rpc_faults import Fault, FaultPlan, Provider
from swapstats.testing.threaded_server import ThreadedServer

_BODY_BYTES_MAX: Final = 1 << 26
_HANG_S: Final = 600.0


class FaultyRpc(ThreadedServer):
    """One provider, served from a thread of its own.

    Args:
        node_url: the node behind it.
        seed: of faults left to chance.

    Attributes:
        url: where it answers, once started.
        plan: its faults; change them at any time.
        calls: calls that came, by method.
    """

    def __init__(self, node_url: str, seed: int = 0) -> None:
        super().__init__("rpc")
        self.url = ""
        self.plan = FaultPlan(seed)
        self.calls: Counter[str] = Counter()
        self._node_url = node_url
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._answers: Answers | None = None

    def set(self, provider: Provider) -> None:
        """Let it be another from now on."""
        self.plan.provider = provider

    async def _open(self) -> None:
        self._session = aiohttp.ClientSession()
        self._answers = Answers(self._ask_node, self.plan)
        application = web.Application(client_max_size=_BODY_BYTES_MAX)
        application.router.add_post("/{rest:.*}", self._serve)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def _shut(self) -> None:
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _ask_node(self, method: str, params: list[Any]) -> dict[str, Any]:
        """Answer of the node: a dictionary with `result` or `error`."""
        assert self._session is not None
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with self._session.post(self._node_url, json=body) as answer:
            found: dict[str, Any] = await answer.json()
        return {name: found[name] for name in ("result", "error") if name in found}

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        bodies = asked if isinstance(asked, list) else [asked]
        methods = [body["method"] for body in bodies]
        self.calls.update(methods)
        fault = self.plan.of_request(methods)
        if fault in {"too_many", "unavailable", "hang", "drop"}:
            return await self._refuse(request, fault)
        assert self._answers is not None
        batch_max = self.plan.provider.batch_max
        if batch_max is not None and len(bodies) > batch_max:
            self.plan.counts["batch too large"] += 1
            error = {"code": -32600, "message": f"batch of more than {batch_max} calls"}
            return web.json_response({"jsonrpc": "2.0", "id": None, "error": error})
        answers = []
        for body in bodies:
            found = await self._answers.answer(Call(body["method"], body.get("params", [])))
            answers.append({"jsonrpc": "2.0", "id": body.get("id"), **found})
        content = json.dumps(answers if isinstance(asked, list) else answers[0]).encode()
        if fault in {"cut", "garbage"}:
            return await self._spoil(request, fault, content)
        return web.Response(body=content, content_type="application/json")

    async def _refuse(self, request: web.Request, fault: Fault | None) -> web.StreamResponse:
        self.plan.counts[str(fault)] += 1
        if fault == "too_many":
            return web.Response(status=429, text="slow down", headers={"Retry-After": "0"})
        if fault == "unavailable":
            return web.Response(status=503, text="<html>no server is available</html>")
        if fault == "hang":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _HANG_S)
        _abort(request)
        return web.Response(status=500)

    async def _spoil(
        self, request: web.Request, fault: Fault | None, content: bytes
    ) -> web.StreamResponse:
        self.plan.counts[str(fault)] += 1
        if fault == "garbage":
            return web.Response(text="<html>welcome</html>", content_type="text/html")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(content)
        await response.prepare(request)
        await response.write(content[: len(content) // 2])
        _abort(request)
        return response


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
