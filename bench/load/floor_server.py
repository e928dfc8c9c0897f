"""The floor: the least an aiohttp server can do under the same loads, in the same run.

HTTP: constant bytes of the sizes measured before. WebSocket: every 100 ms one frame to each
client, of constant size and constant but for the count of the client's probe token, which it
reads from the standard input. No windows, no log, no JSON.
"""

import argparse
import asyncio
import os
import re
import sys
from struct import pack

import uvloop
from aiohttp import WSMsgType, web

SPAN_S = 0.1
_PROBE = re.compile(r"token:(probe-[^\"]+)")
_TOKEN = re.compile(rb'"token_address":"([^"]+)"')


class Floor:
    """The constant answers and the clients."""

    def __init__(self, stats_bytes: int, overview_bytes: int, frame_bytes: int) -> None:
        self.stats = b"s" * stats_bytes
        self.overview = b"o" * overview_bytes
        self.frame_bytes = frame_bytes
        self.counts: dict[str, int] = {}
        self.clients: dict[asyncio.Transport, str] = {}

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request."""
        if request.path == "/ws":
            return await self.stream(request)
        body = self.overview if request.path == "/api/overview" else self.stats
        return web.Response(body=body, headers={"Content-Type": "application/json"})

    async def stream(self, request: web.BaseRequest) -> web.StreamResponse:
        """Take a client in."""
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        transport = request.transport
        assert transport is not None
        async for message in ws:
            found = _PROBE.search(message.data) if message.type is WSMsgType.TEXT else None
            if found is not None:
                self.clients[transport] = found[1]
        self.clients.pop(transport, None)
        return ws

    async def count(self) -> None:
        """Count the probe swaps."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        async for line in reader:
            found = _TOKEN.search(line)
            if found is not None:
                name = found[1].decode()
                self.counts[name] = self.counts.get(name, 0) + 1

    def frame(self, name: str) -> bytes:
        """Make the frame of one probe token."""
        text = (
            f'{{"type":"frame","events":[{{"event":"patch","channel":"token:{name}","patch":'
            f'{{"w24h":{{"trades":{self.counts.get(name, 0)}}}}}}}]}}'
        ).encode()
        payload = text + b" " * (self.frame_bytes - len(text))
        if len(payload) < 126:
            return bytes((0x81, len(payload))) + payload
        return pack("!BBH", 0x81, 126, len(payload)) + payload

    async def send(self) -> None:
        """Write a frame to each client every span."""
        loop = asyncio.get_running_loop()
        due = loop.time() + SPAN_S
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            due = max(due + SPAN_S, loop.time())
            frames = {name: self.frame(name) for name in set(self.clients.values())}
            for transport, name in list(self.clients.items()):
                if not transport.is_closing():
                    transport.write(frames[name])


async def serve(given: argparse.Namespace) -> None:
    floor = Floor(given.stats_bytes, given.overview_bytes, given.frame_bytes)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        web.Server(floor.answer, access_log=None), "127.0.0.1", 0, backlog=2_048
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    parent = os.getppid()
    tasks = [asyncio.create_task(floor.count()), asyncio.create_task(floor.send())]
    while os.getppid() == parent:
        await asyncio.sleep(0.5)
    for task in tasks:
        task.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stats-bytes", type=int, default=900)
    parser.add_argument("--overview-bytes", type=int, default=12_000)
    parser.add_argument("--frame-bytes", type=int, default=2_000)
    uvloop.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
