"""A few WebSocket clients that believe nothing: every patch must follow the one before it.

They read until standard input ends. Result: one JSON line.
"""

import argparse
import asyncio
import json
import sys
import time
from typing import Any, Final

import aiohttp

KEYS_S_MAX: Final = 60.0
"""A stream that has just begun has little to watch."""


class Seen:
    """What all clients got.

    Attributes:
        frames: frames read.
        patches: patches among their events.
        broken: events that did not follow the one before them, and error frames.
        first: the first thing that was wrong.
    """

    def __init__(self) -> None:
        self.frames = self.patches = self.broken = 0
        self.first = ""

    def wrong(self, what: str) -> None:
        """Count something that must not be."""
        self.broken += 1
        self.first = self.first or what[:300]

    def take(self, message: dict[str, Any], last: dict[str, tuple[str, int]]) -> None:
        """Check one message against the places its client stands at."""
        if message["type"].startswith("urn:"):
            self.wrong(json.dumps(message))
        if message["type"] != "frame":
            return
        self.frames += 1
        for event in message["events"]:
            channel, kind = event["channel"], event["event"]
            if kind == "patch":
                self.patches += 1
                if last.get(channel) != (event["stream"], event["prev"]):
                    self.wrong(f"{last.get(channel)} before {json.dumps(event)}")
            elif kind == "snapshot":
                stream, seq = last.get(channel, ("", 0))
                if stream == event["stream"] and event["seq"] < seq:
                    self.wrong(f"{seq} before {json.dumps(event)}")
            if kind in {"patch", "snapshot"}:
                last[channel] = (event["stream"], event["seq"])


async def watch(session: aiohttp.ClientSession, url: str, keys: list[str], seen: Seen) -> None:
    last: dict[str, tuple[str, int]] = {}
    async with session.ws_connect(f"{url}/ws", max_msg_size=0) as line:
        channels = [f"token:{key}" for key in keys]
        await line.send_json({"subscribe": [*channels, "overview:" + await widest(session, url)]})
        async for message in line:
            if message.type is not aiohttp.WSMsgType.TEXT:
                break
            seen.take(json.loads(message.data), last)


async def widest(session: aiohttp.ClientSession, url: str) -> str:
    async with session.get(f"{url}/api/status") as answer:
        return str((await answer.json())["windows"][-1])


async def measure(url: str, clients: int, tokens: int) -> dict[str, object]:
    seen = Seen()
    async with aiohttp.ClientSession() as session:
        name = await widest(session, url)
        path = f"/api/overview?window={name}&sort=trades&limit={tokens}"
        keys: list[str] = []
        until = time.monotonic() + KEYS_S_MAX
        while len(keys) < tokens and time.monotonic() < until:
            async with session.get(f"{url}{path}") as answer:
                keys = [row["token"] for row in (await answer.json())["rows"]]
            await asyncio.sleep(0.2)
        if len(keys) < tokens:
            raise RuntimeError(f"Expected {tokens} tokens to watch, was {len(keys)}")
        tasks = [
            asyncio.create_task(watch(session, url, keys[number::clients], seen))
            for number in range(clients)
        ]
        await asyncio.to_thread(sys.stdin.read)
        lost = sum(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return {
        "frames": seen.frames,
        "patches": seen.patches,
        "broken": seen.broken,
        "lost": lost,
        "first": seen.first,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--clients", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=25, help="busiest ones, shared out")
    given = parser.parse_args()
    json.dump(asyncio.run(measure(given.url, given.clients, given.tokens)), sys.stdout)


if __name__ == "__main__":
    main()
