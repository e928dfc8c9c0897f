"""A real HTTP server on loopback that speaks for a fake node, or says what it is told to."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from tests.adapters.sources.evm.fake_chain import FakeChain, FakeNode

from swapstats.adapters.sources.evm.options import Provider

SECRET = "s3cret-k3y"


@dataclass
class HttpNode:
    """One server; `say`, if set, answers in place of the node."""

    node: FakeNode = field(default_factory=lambda: FakeNode(FakeChain(1, 20)))
    say: Callable[[Any], web.Response] | None = None
    hangs: bool = False
    url: str = ""
    asked: list[Any] = field(default_factory=list)

    @property
    def provider(self) -> Provider:
        return Provider(f"{self.url}/v3/{SECRET}?apikey={SECRET}")

    async def answer(self, request: web.Request) -> web.Response:
        assert request.path == f"/v3/{SECRET}"
        body = await request.read()
        self.asked.append(json.loads(body))
        if self.hangs:
            await asyncio.Event().wait()
        if self.say is not None:
            return self.say(self.asked[-1])
        answer = await self.node.post(body)
        headers = {"Retry-After": answer.retry_after} if answer.retry_after else None
        return web.Response(body=answer.body, status=answer.status, headers=headers)


@asynccontextmanager
async def serving(node: HttpNode) -> AsyncIterator[HttpNode]:
    """Serve on a free loopback port."""
    app = web.Application()
    app.router.add_post("/{path:.*}", node.answer)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        node.url = f"http://127.0.0.1:{port}"
        yield node
    finally:
        await runner.cleanup()


def refusal(message: str, code: int = -32000) -> Callable[[Any], web.Response]:
    """Refuses whatever is asked, batches as a whole."""

    def say(asked: Any) -> web.Response:
        call_id = None if isinstance(asked, list) else asked["id"]
        error = {"code": code, "message": message}
        return web.json_response({"jsonrpc": "2.0", "id": call_id, "error": error})

    return say
