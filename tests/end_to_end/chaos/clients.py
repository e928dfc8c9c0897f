"""Clients that watch a deployment all the time: streams that resume, and questions over HTTP."""

import asyncio
import contextlib
import json
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Sequence
from typing import Any

import aiohttp
from tests.end_to_end.chaos.deployment import Deployment
from tests.end_to_end.chaos.seen import Seen
from tests.roles.api.running import merged
from yarl import URL

REST_S = 0.1
ANSWER_S = 2.0
WATCHED = 12
SILENCE_S = 7.0
"""A heartbeat comes every 5 s; a stream that says nothing for this long is given up."""


async def rest(stop: asyncio.Event, seconds: float) -> None:
    """Wait, unless it is over."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


class StreamClient:
    """One WebSocket client; it comes back with what it knows.

    Args:
        name: for people.
        urls: of the APIs; it takes the next one after each break (one URL: stays with it).
        tokens: keys it watches, beside an overview.
        seen: where everything goes.

    Attributes:
        urls: of the APIs, the present one first.
        counts: of `connect`, `break`, `snapshot`, `patch`, `resumed`, and problems by name.
        gap_ms_max: longest time without any message.
        connected: whether it is now.
        tokens: keys it watches.
    """

    def __init__(self, name: str, urls: Sequence[str], tokens: Sequence[str], seen: Seen) -> None:
        self.name = name
        self.counts: Counter[str] = Counter()
        self.gap_ms_max = 0.0
        self.connected = False
        self.urls = list(urls)
        self.tokens = list(tokens)
        self._seen = seen
        self._moved: tuple[list[str], Seen] | None = None
        self._held: dict[str, tuple[str, int, dict[str, Any]]] = {}
        self._heard_s = time.monotonic()

    async def run(self, http: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        """Watch until `stop`."""
        while not stop.is_set():
            url = self.urls[0]
            try:
                await self._watch(http, url, stop)
            except (aiohttp.ClientError, OSError, TimeoutError):
                self.counts["refused"] += 1
            if not stop.is_set():
                self.counts["break"] += 1
            self.connected = False
            if self._moved is not None:
                self.urls, self._seen = self._moved
                self._moved = None
            else:
                self.urls = [*self.urls[1:], self.urls[0]]
            await rest(stop, REST_S)

    async def _watch(self, http: aiohttp.ClientSession, url: str, stop: asyncio.Event) -> None:
        address = f"{url}/ws?numbers=string"
        timeout = aiohttp.ClientWSTimeout(ws_close=0.5)
        async with (
            asyncio.timeout(ANSWER_S) as opening,
            http.ws_connect(address, timeout=timeout, max_msg_size=0) as socket,
        ):
            opening.reschedule(None)
            self.counts["connect"] += 1
            wanted: list[Any] = ["overview:5m"]
            for key in self.tokens:
                channel = f"token:{key}"
                held = self._held.get(channel)
                wanted.append(
                    channel
                    if held is None
                    else {"channel": channel, "stream": held[0], "seq": held[1]}
                )
            await socket.send_str(json.dumps({"subscribe": wanted}))
            while not stop.is_set() and self._moved is None:
                try:
                    message = await socket.receive(timeout=0.5)
                except TimeoutError:
                    if time.monotonic() - self._heard_s > SILENCE_S:
                        self.counts["silent"] += 1
                        return
                    continue
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return
                if not self._take(url, json.loads(message.data)):
                    return

    def _take(self, url: str, message: dict[str, Any]) -> bool:
        """Take a message in; False if the connection is of no more use."""
        now_s = time.monotonic()
        if self.connected:
            self.gap_ms_max = max(self.gap_ms_max, (now_s - self._heard_s) * 1_000)
        self._heard_s = now_s
        self.connected = True
        kind = message["type"]
        if kind.startswith("urn:"):
            self.counts[kind.rpartition(":")[2]] += 1
            return False
        if kind in ("frame", "heartbeat"):
            self._seen.place(f"{self.name} at {url}", "frames", message["as_of"], 0)
        for event in message.get("events", ()):
            self._take_event(event)
        return True

    def _take_event(self, event: dict[str, Any]) -> None:
        self.counts[event["event"]] += 1
        if event["event"] == "overview":
            return
        channel, stream, seq = event["channel"], event["stream"], int(event["seq"])
        held = self._held.get(channel)
        if event["event"] == "patch":
            if held is None or (stream, event["prev"]) != held[:2]:
                self._seen.complain(f"{self.name}: {channel} has {held and held[:2]}, got {event}")
                return
            data = merged(held[2], event["patch"])
        else:
            data = event["data"]
        if held is not None and stream == held[0] and seq < held[1]:
            self._seen.complain(f"{self.name}: {channel} seq {held[1]} then {seq} of {stream}")
        if held is not None and _went_back(held[0], stream):
            self._seen.complain(f"{self.name}: {channel} stream {held[0]} then {stream}")
        self._held[channel] = (stream, seq, data)
        what = f"{channel} of {stream.partition('-')[0]}"
        self._seen.place(self.name, what, data["as_of"], data["position"]["offset"])
        self._seen.numbers(self.name, data)

    def move(self, urls: Sequence[str], seen: Seen) -> None:
        """Leave for other APIs, with what is known; from any thread.

        Args:
            urls: of the APIs.
            seen: of the deployment they belong to.
        """
        self._moved = (list(urls), seen)


class Poller:
    """Asks one API for one token after another, and measures how often it is answered.

    Args:
        name: of the API.
        url: where it is.
        tokens: keys asked for in turn.
        seen: where answers go.

    Attributes:
        statuses: answers by status; 0 = none.
        gap_ms_max: longest time between two answers with 200.
        age_ms: of the moment in each answer, as it came.
    """

    def __init__(self, name: str, url: str, tokens: Sequence[str], seen: Seen) -> None:
        self.name = name
        self.statuses: Counter[int] = Counter()
        self.gap_ms_max = 0.0
        self.age_ms: list[int] = []
        self._url = url
        self._tokens = list(tokens)
        self._seen = seen
        self._turn = 0

    @property
    def availability(self) -> float:
        """Share of questions answered with 200."""
        return self.statuses[200] / max(1, self.statuses.total())

    async def run(self, http: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        """Ask until `stop`."""
        answered_s = time.monotonic()
        while not stop.is_set():
            status = await self._ask(http)
            self.statuses[status] += 1
            if status == 200:
                now_s = time.monotonic()
                self.gap_ms_max = max(self.gap_ms_max, (now_s - answered_s) * 1_000)
                answered_s = now_s
                self._seen.answered(now_s)
            await rest(stop, REST_S)

    async def _ask(self, http: aiohttp.ClientSession) -> int:
        self._turn += 1
        key = urllib.parse.quote(self._tokens[self._turn % len(self._tokens)], safe="")
        address = URL(f"{self._url}/api/tokens/{key}/stats?numbers=string", encoded=True)
        try:
            async with asyncio.timeout(ANSWER_S), http.get(address) as answer:
                body = await answer.read()
                status = answer.status
        except (aiohttp.ClientError, OSError, TimeoutError):
            return 0
        if status == 200:
            data = json.loads(body)
            place = data["position"]
            self.age_ms.append(time.time_ns() // 1_000_000 - data["as_of"])
            self._seen.place(
                f"HTTP {self.name}", f"p{place['partition']}", data["as_of"], place["offset"]
            )
            self._seen.numbers(f"HTTP {self.name}", data)
            self._seen.sample(data)
        return status


class Watchers:
    """All clients, on an event loop in a thread of their own.

    Args:
        clients: streams.
        pollers: questions.
    """

    def __init__(self, clients: Sequence[StreamClient], pollers: Sequence[Poller]) -> None:
        self.clients = list(clients)
        self.pollers = list(pollers)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._work, name="clients", daemon=True)
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End all; raises what ended them before."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        try:
            self._loop.run_until_complete(self._all())
        except BaseException as error:
            self._failure = error
        finally:
            self._loop.close()

    async def _all(self) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as http:
            runs = [client.run(http, self._stop) for client in self.clients]
            runs += [poller.run(http, self._stop) for poller in self.pollers]
            await asyncio.gather(*runs)


def _went_back(before: str, after: str) -> bool:
    """True if a stream is of an earlier owner; names tell a test what clients need not know."""
    (origin, _, old), (other, _, new) = before.split("-"), after.split("-")
    return origin == other and int(new, 16) < int(old, 16)


def watch(deployment: Deployment, seen: Seen, watched: int = WATCHED) -> Watchers:
    """A stream that stays with each API, one that wanders, and a poller of each API.

    Args:
        deployment: is answering.
        seen: where everything goes.
        watched: tokens each stream watches, half of them the busiest, half the quietest.
    """
    names = deployment.api_names()
    overview = deployment.ask(names[0], "/api/overview?window=24h&limit=500&sort=trades")
    keys = [row["token"] for row in overview["rows"]]
    tokens = [*keys[: watched // 2], *keys[-watched // 2 :]]
    urls = [deployment.url(name) for name in names]
    clients = [
        StreamClient(f"of {name}", [url], tokens, seen)
        for name, url in zip(names, urls, strict=True)
    ]
    clients.append(StreamClient("that wanders", urls, tokens, seen))
    pollers = [Poller(name, url, keys, seen) for name, url in zip(names, urls, strict=True)]
    return Watchers(clients, pollers)
