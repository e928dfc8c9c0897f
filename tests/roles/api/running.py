"""A real API server on a free port, fed with synthetic updates, and a stream client that checks.

The client applies patches as a user's would and refuses whatever breaks the protocol: a `prev` it
does not hold, a seq or a moment that goes back, a frame sooner than announced.
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import aiohttp
import numpy as np
from yarl import URL

from swapstats.adapters.system_clock import SystemClock
from swapstats.core.market import Market
from swapstats.core.patch import data_text
from swapstats.model.archive_status import ArchiveStatus, DiskParts
from swapstats.model.effects import StatsUpdate
from swapstats.model.health import (
    DependencyStatus,
    Health,
    PartitionState,
    Readiness,
    ServiceState,
    SourceState,
)
from swapstats.model.series import SeriesAnswer
from swapstats.model.stats import WindowStats
from swapstats.model.window import WindowSpec
from swapstats.roles.api.answers import Sources
from swapstats.roles.api.feed import ApiFeed
from swapstats.roles.api.options import ApiOptions
from swapstats.roles.api.server import ApiServer
from swapstats.testing.eventually import eventually_async
from swapstats.testing.synthetic_updates import START_MS, SyntheticUpdates

SPEC = WindowSpec(5_000, (300_000, 3_600_000, 86_400_000))
WAIT_MS = 60_000
WAIT_S = WAIT_MS / 1_000


class Counting:
    """Metrics that keep what they were told."""

    def __init__(self) -> None:
        self.client_counts: list[int] = []
        self.drops: dict[str, int] = {}
        self.frame_count = 0
        self.requests: list[tuple[str, int]] = []
        self.stale = 0

    def clients(self, count: int) -> None:
        self.client_counts.append(count)

    def dropped(self, count: int, reason: str) -> None:
        self.drops[reason] = self.drops.get(reason, 0) + count

    def frames(self, count: int, size_bytes: int) -> None:
        assert size_bytes > 0
        self.frame_count += count

    def request(self, route: str, status: int, elapsed_ms: float) -> None:
        assert elapsed_ms >= 0
        self.requests.append((route, status))

    def stale_updates(self, count: int) -> None:
        self.stale += count


class Running:
    """One server with its own market; what it is told can be set.

    Args:
        options: limits.
        partitions: of the log.
        origin: life of the log.
        page: folder of the page's files.
    """

    def __init__(
        self,
        options: ApiOptions | None = None,
        *,
        partitions: int = 2,
        origin: str = "log",
        page: Path | None = None,
        spec: WindowSpec = SPEC,
    ) -> None:
        self.health = Health(healthy=True)
        self.dependencies: tuple[DependencyStatus, ...] = ()
        self.readiness = Readiness(ready=True)
        self.lag_ms = 0
        self.series: Callable[[str, int], Any] = self._series
        self.service: Callable[[], ServiceState] = self._service
        self.archive: Callable[[], Any] = self._archive
        self.metrics = Counting()
        self.market = Market(spec, partitions, origin=origin)
        self.feed = ApiFeed()
        self.server = ApiServer(
            options or ApiOptions(coalesce_ms=20),
            self.market,
            self.feed,
            Sources(
                lambda: self.health,
                lambda: self.readiness,
                self._told,
                lambda: self.lag_ms,
                self._series_told,
                lambda: self.dependencies,
                self._archive_told,
            ),
            SystemClock(),
            metrics=self.metrics,
            page=page,
        )
        self.port = 0
        self.http = aiohttp.ClientSession()
        self._streams: list[Stream] = []

    async def _series(self, key: str, span_ms: int) -> SeriesAnswer:
        one = WindowStats((1 << 70) + 1, 10**18 + 1, 3, 2, 1, 5, (1 << 70) - 4, 1)
        return SeriesAnswer(START_MS + span_ms, START_MS + 5_000, 5_000, [(START_MS, one)])

    def _told(self) -> ServiceState:
        return self.service()

    async def _series_told(self, key: str, span_ms: int) -> SeriesAnswer:
        answer: SeriesAnswer = await self.series(key, span_ms)
        return answer

    async def _archive(self) -> ArchiveStatus:
        return ArchiveStatus(
            (DiskParts("raw_swaps", "default", 2, 30, 4_000, "2026-11-21 00:00:00"),),
            "raw_swaps/202611_1_1_0",
            "2026-11-21 00:00:00",
            1,
            0,
            3,
            None,
        )

    async def _archive_told(self) -> ArchiveStatus:
        answer: ArchiveStatus = await self.archive()
        return answer

    def _service(self) -> ServiceState:
        return ServiceState(
            SourceState("demo", "live", "a market made up"),
            (PartitionState(0, 5, 6, START_MS, True),),
            {"ingested": 7},
            ("mind the gap",),
        )

    async def __aenter__(self) -> Self:
        self.port = await self.server.start("127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        stopping = asyncio.ensure_future(self.server.stop(1_000))
        for stream in self._streams:
            await stream.socket.close()
        await stopping
        await self.http.close()

    def url(self, path: str) -> URL:
        return URL(f"http://127.0.0.1:{self.port}{path}", encoded=True)

    async def feed_all(self, updates: list[StatsUpdate]) -> None:
        """Publish updates and wait until the market has them."""
        for update in updates:
            self.feed.publish(update)
        last = {update.partition: update.seq for update in updates}
        await eventually_async(
            lambda: all(self.market.place(part).seq >= seq for part, seq in last.items()),
            WAIT_MS,
            "the market to take the updates",
        )

    async def get(
        self, path: str, *, headers: dict[str, str] | None = None, method: str = "GET"
    ) -> tuple[int, Any, Any]:
        """Ask over HTTP; returns status, headers, and the body read exactly if it is JSON."""
        async with self.http.request(method, self.url(path), headers=headers) as answer:
            text = await answer.text()
            is_json = "json" in answer.headers.get("Content-Type", "") and text
            return answer.status, answer.headers, exactly(text) if is_json else text

    async def connect(self, query: str = "", headers: dict[str, str] | None = None) -> "Stream":
        """Open a stream and read its hello."""
        socket = await self.http.ws_connect(
            self.url("/ws" + query), headers=headers, max_msg_size=0, timeout=_quick()
        )
        stream = Stream(socket)
        self._streams.append(stream)
        stream.hello = await stream.message()
        return stream


def _quick() -> aiohttp.ClientWSTimeout:
    return aiohttp.ClientWSTimeout(ws_close=1.0)


class Literal(str):
    """A number as it was written."""

    __slots__ = ()

    def __int__(self) -> int:
        return int(str(self))


def exactly(text: str) -> Any:
    """Read JSON, numbers kept as they were written."""
    return json.loads(text, parse_float=Literal, parse_int=Literal)


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


class Stream:
    """A client of `/ws`.

    Attributes:
        data: newest data by channel, patches applied.
        place: (stream, seq) by channel.
        kinds: events by channel, in order.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.hello: Any = None
        self.data: dict[str, Any] = {}
        self.place: dict[str, tuple[str, int]] = {}
        self.kinds: dict[str, list[str]] = {}
        self.frames = 0
        self._as_of = 0

    async def say(self, message: Any) -> None:
        await self.socket.send_str(json.dumps(message))

    async def message(self) -> Any:
        """Read the next message, whatever it is; a frame's events are taken in."""
        message = exactly(await self.socket.receive_str(timeout=WAIT_S))
        if message["type"] == "frame":
            self.frames += 1
            assert message["events"]
            for event in message["events"]:
                self._take(event)
        if message["type"] in ("frame", "heartbeat"):
            assert int(message["as_of"]) >= self._as_of
            self._as_of = int(message["as_of"])
        return message

    async def frame(self) -> Any:
        """Read on to the next frame."""
        while (message := await self.message())["type"] != "frame":
            assert message["type"] in ("heartbeat", "unsubscribed"), message
        return message

    async def problem(self) -> Any:
        """Read on to the next problem."""
        while not (message := await self.message())["type"].startswith("urn:"):
            pass
        return message

    async def until(self, channel: str, seq: int) -> Any:
        """Read on until a channel holds at least this seq; returns its data."""
        while self.place.get(channel, ("", -1))[1] < seq:
            await self.frame()
        return self.data[channel]

    def _take(self, event: Any) -> None:
        channel, kind, seq = event["channel"], event["event"], int(event["seq"])
        self.kinds.setdefault(channel, []).append(kind)
        held = self.place.get(channel)
        before = self.data.get(channel)
        if kind == "patch":
            assert held == (event["stream"], int(event["prev"])), "another base than the one held"
            assert seq > held[1] or event["patch"] == {}
            self.data[channel] = merged(before, event["patch"])
        else:
            assert kind in ("snapshot", "overview")
            self.data[channel] = event["data"]
            if kind == "snapshot":
                assert event["token"] == event["data"]["token"]
        self.place[channel] = (event.get("stream", ""), seq)
        if before is not None:
            assert int(self.data[channel]["as_of"]) >= int(before["as_of"]), "back in time"
            assert held is not None
            assert seq >= held[1]


def of_tokens(source: SyntheticUpdates, partition: int, *tokens: int) -> StatsUpdate:
    """Make the next update of a shard for these tokens, by their numbers within it."""
    return source.update_of(partition, np.array(tokens, dtype=np.int32))


def document(market: Market, key: str, *, quoted: bool = False) -> Any:
    """What a client must hold of a token in the end."""
    index = market.by_key(key)
    assert index is not None
    return exactly(data_text(market.version(index), market.spec.names, quoted=quoted))
