"""Passes over clients: one frame each, shared where equal, and no mercy for the slow."""

import asyncio
import base64
import json
import os

from aiohttp import WSMsgType

from swapstats.roles.api.options import ApiOptions
from swapstats.roles.api.watch import TokenSub
from swapstats.testing.eventually import eventually_async
from swapstats.testing.synthetic_updates import SyntheticUpdates

from .running import SPEC, WAIT_MS, WAIT_S, Running, document, of_tokens

TOKENS = 120


def text_frame(payload: bytes) -> bytes:
    head = bytes([0x81, 0x80 | 126]) + len(payload).to_bytes(2, "big")
    return head + b"\0\0\0\0" + payload


class Deaf:
    """A raw client that subscribes and reads only when told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int, channels: list[str]) -> "Deaf":
        # A small limit: asyncio stops reading the socket at twice as much.
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4_096)
        key = base64.b64encode(os.urandom(16))
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text_frame(json.dumps({"subscribe": channels}).encode()))
        return cls(reader, writer)

    async def rest(self) -> bytes:
        async with asyncio.timeout(WAIT_S):
            parts = []
            while part := await self.reader.read(65_536):
                parts.append(part)
            return b"".join(parts)


SLOW = ApiOptions(
    coalesce_ms=10,
    slow_client_ms=500,
    close_ms=1_500,
    unsent_bytes_max=20_000,
    socket_buffer_bytes=16_384,
    ping_ms=60_000,
)


async def test_a_client_that_never_reads_costs_bounded_memory_and_is_closed_with_1013() -> None:
    async with Running(SLOW) as running:
        source = SyntheticUpdates(SPEC, tokens=TOKENS, partitions=2)
        await running.feed_all(list(source.everything()))
        channels = ["token:" + source.key(token) for token in range(TOKENS)]
        good = await running.connect()
        await good.say({"subscribe": channels[:5]})
        deaf = [await Deaf.connect(running.port, channels) for _ in range(3)]
        hub = running.server._hub
        await eventually_async(lambda: len(hub) == 4, WAIT_MS, "all clients")
        worst_bytes = worst_dirty = 0
        while "slow_client" not in running.metrics.drops:
            await running.feed_all([source.update(0, 60), source.update(1, 60)])
            await good.frame()
            for client in hub._clients:
                worst_bytes = max(worst_bytes, client.unsent_bytes)
                worst_dirty = max(worst_dirty, len(client.dirty))
        # At most what was allowed plus the frame begun below it.
        assert 20_000 < worst_bytes < 20_000 + SLOW.frame_bytes_max
        assert worst_dirty <= TOKENS
        assert running.metrics.drops["coalesced"] > 0
        # One of them wakes up in time to read why it was closed.
        assert (await deaf[0].rest()).endswith(b"\x88\x0a\x03\xf5too slow")
        await eventually_async(lambda: len(hub) == 1, WAIT_MS, "the deaf to be forgotten")
        for one in deaf:
            one.writer.close()
        # The one that reads was served all along, and is exact.
        await running.feed_all([source.update(0, 60), source.update(1, 60)])
        for token in range(5):
            index = running.market.by_key(source.key(token))
            assert index is not None
            held = await good.until(channels[token], running.market.seq(index))
            assert held == document(running.market, source.key(token))


async def test_a_client_that_reads_late_gets_merged_patches_that_fit() -> None:
    options = ApiOptions(coalesce_ms=10, unsent_bytes_max=1_000, socket_buffer_bytes=4_096)
    async with Running(options) as running:
        source = SyntheticUpdates(SPEC, tokens=TOKENS, partitions=2, wide=True)
        await running.feed_all(list(source.everything()))
        channels = ["token:" + source.key(token) for token in range(TOKENS)]
        stream = await running.connect()
        await stream.say({"subscribe": channels})
        # aiohttp's client reads on by itself only up to its buffer.
        published = 0
        while running.metrics.drops.get("coalesced", 0) < 20:
            await running.feed_all([source.update(0, 60), source.update(1, 60)])
            published += 2
        for token, channel in enumerate(channels):
            index = running.market.by_key(source.key(token))
            assert index is not None
            held = await stream.until(channel, running.market.seq(index))
            assert held == document(running.market, source.key(token))
        assert len(stream.kinds[channels[0]]) < published


async def test_equal_frames_are_built_once() -> None:
    async with Running(ApiOptions(coalesce_ms=50)) as running:
        source = SyntheticUpdates(SPEC, tokens=10, partitions=2)
        await running.feed_all(list(source.everything()))
        streams = [await running.connect() for _ in range(8)]
        for stream in streams:
            await stream.say({"subscribe": "token:T3"})
            await stream.frame()
        hub = running.server._hub
        subs = [next(iter(client.subs.values())) for client in hub._clients]
        bases = {id(sub.base) for sub in subs if isinstance(sub, TokenSub)}
        assert len(bases) == 1
        await running.feed_all([of_tokens(source, 1, 1)])
        frames = [await stream.frame() for stream in streams]
        assert all(frame == frames[0] for frame in frames)
        assert running.metrics.frame_count == 16


async def test_a_fault_with_one_client_closes_it_and_serves_the_others() -> None:
    async with Running(ApiOptions(coalesce_ms=20)) as running:
        source = SyntheticUpdates(SPEC, tokens=10, partitions=2)
        await running.feed_all(list(source.everything()))
        first, second = await running.connect(), await running.connect()
        for stream in (first, second):
            await stream.say({"subscribe": "token:T3"})
            await stream.frame()

        class Broken:
            def event(self) -> bytes:
                raise ZeroDivisionError

        hub = running.server._hub
        client = next(iter(hub._clients))
        hub.subscriptions._mark(client, Broken())  # type: ignore[arg-type]
        message = await first.socket.receive(timeout=WAIT_S)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1011)
        await running.feed_all([of_tokens(source, 1, 1)])
        await second.frame()
        assert second.data["token:T3"] == document(running.market, source.key(3))


async def test_clients_that_vanish_leave_nothing_behind() -> None:
    async with Running(ApiOptions(coalesce_ms=20)) as running:
        source = SyntheticUpdates(SPEC, tokens=10, partitions=2)
        await running.feed_all(list(source.everything()))
        deaf = [
            await Deaf.connect(running.port, ["token:T1", "token:T3", "overview:5m"])
            for _ in range(20)
        ]
        hub = running.server._hub
        await eventually_async(
            lambda: sum(len(client.subs) for client in hub._clients) == 60, WAIT_MS, "all subs"
        )
        for one in deaf:
            one.writer.transport.abort()
        await eventually_async(lambda: len(hub) == 0, WAIT_MS, "all to be forgotten")
        subscriptions = hub.subscriptions
        assert (subscriptions._tokens, subscriptions._overviews) == ({}, {})
        assert (subscriptions.pending, subscriptions._waiting) == ({}, {})
        assert not subscriptions._watched.any()
