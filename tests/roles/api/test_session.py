"""The stream, with real sockets: every message of the protocol, resume, refusals, limits."""

import asyncio
import json
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import WSMsgType

from swapstats.model.health import Readiness
from swapstats.roles.api.options import ApiOptions
from swapstats.testing.eventually import eventually_async
from swapstats.testing.synthetic_updates import SyntheticUpdates

from .running import SPEC, WAIT_MS, WAIT_S, Literal, Running, Stream, document, of_tokens

QUICK = ApiOptions(coalesce_ms=20, overview_ms=20, heartbeat_ms=200)


def market_source(tokens: int = 50, seed: int = 1, **kwargs: bool) -> SyntheticUpdates:
    return SyntheticUpdates(SPEC, tokens=tokens, partitions=2, seed=seed, **kwargs)


async def test_hello_says_the_limits() -> None:
    async with Running(QUICK) as running:
        stream = await running.connect()
        assert {name: str(value) for name, value in stream.hello.items()} == {
            "type": "hello", "version": "1", "coalesce_ms": "20", "heartbeat_ms": "200",
            "subscriptions_max": "200", "frame_bytes_max": "65536",
        }  # fmt: skip


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("wide", [False, True])
async def test_snapshot_then_patches_give_the_market_exactly(quoted: bool, wide: bool) -> None:
    async with Running(QUICK) as running:
        source = market_source(wide=wide)
        await running.feed_all(list(source.everything()))
        stream = await running.connect("?numbers=string" if quoted else "")
        await stream.say({"subscribe": ["token:T7", "token:" + source.key(8)]})
        await stream.frame()
        for number in range(12):
            shard = number % 2
            await running.feed_all([of_tokens(source, shard, 3, 4)])
            channel, key = ("token:" + source.key(8), 8) if shard == 0 else ("token:T7", 7)
            index = running.market.by_key(source.key(key))
            assert index is not None
            held = await stream.until(channel, running.market.seq(index))
            assert held == document(running.market, source.key(key), quoted=quoted)
            amount = held["w24h"]["vol_token"]
            assert isinstance(amount, Literal) != quoted
        for channel in ("token:T7", "token:" + source.key(8)):
            assert stream.kinds[channel][0] == "snapshot"
            assert set(stream.kinds[channel][1:]) == {"patch"}


async def test_nothing_is_sent_when_only_the_moment_moves() -> None:
    async with Running(QUICK) as running:
        source = market_source()
        await running.feed_all(list(source.everything()))
        stream = await running.connect()
        await stream.say({"subscribe": "token:T7"})
        await stream.frame()
        index = running.market.by_key(source.key(7))
        assert index is not None
        again = of_tokens(source, 1, 3)
        again.rows[0] = running.market.rows[index]
        await running.feed_all([again, of_tokens(source, 0, 1)])
        # The heartbeat shows the moment; no frame comes before it.
        message = await stream.message()
        assert message["type"] == "heartbeat"
        assert stream.frames == 1
        await running.feed_all([of_tokens(source, 1, 3)])
        await stream.until("token:T7", running.market.seq(index))
        assert stream.data["token:T7"] == document(running.market, source.key(7))


async def test_heartbeats_come_when_nothing_else_does() -> None:
    async with Running(QUICK) as running:
        running.lag_ms = 17
        stream = await running.connect()
        for _ in range(3):
            assert await stream.message() == {"type": "heartbeat", "as_of": "0", "lag_ms": "17"}


async def test_overviews_send_their_table_when_it_changed() -> None:
    async with Running(QUICK) as running:
        source = market_source()
        await running.feed_all(list(source.everything()))
        stream = await running.connect("?numbers=string")
        channels = ["overview:5m", "overview:1h:trades:asc:3"]
        await stream.say({"subscribe": channels})
        while len(stream.data) < 2:
            await stream.frame()
        assert len(stream.data[channels[0]]["rows"]) == 50
        assert len(stream.data[channels[1]]["rows"]) == 3
        assert "lag_ms" not in stream.data[channels[0]]
        _, _, answer = await running.get("/api/overview?window=1h&sort=trades&order=asc&limit=3"
                                         "&numbers=string")  # fmt: skip
        del answer["lag_ms"]
        assert stream.data[channels[1]] == answer
        smallest = of_tokens(source, 0, 0)
        smallest.rows[:, :, 7:9] = 1
        await running.feed_all([smallest])
        while stream.data[channels[1]]["rows"][0]["token"] != source.key(0):
            await stream.frame()


async def test_all_patches_of_a_pass_share_one_frame() -> None:
    async with Running(ApiOptions(coalesce_ms=300)) as running:
        source = market_source()
        await running.feed_all(list(source.everything()))
        stream = await running.connect()
        await stream.say({"subscribe": [f"token:T{one}" for one in (1, 2, 3, 4)]})
        frame = await stream.frame()
        assert len(frame["events"]) == 4
        loop = asyncio.get_running_loop()
        await running.feed_all([of_tokens(source, 0, 1), of_tokens(source, 1, 0, 1)])
        assert len((await stream.frame())["events"]) == 3
        begun = loop.time()
        for _ in range(5):
            await running.feed_all([of_tokens(source, 0, 1, 2)])
        frame = await stream.frame()
        assert [event["channel"] for event in frame["events"]] == ["token:T2", "token:T4"]
        assert loop.time() - begun > 0.1
        assert stream.data["token:T4"] == document(running.market, source.key(4))


async def test_unsubscribed_channels_are_silent() -> None:
    async with Running(QUICK) as running:
        source = market_source()
        await running.feed_all(list(source.everything()))
        stream = await running.connect()
        await stream.say({"subscribe": ["token:T1", "token:T3", "overview:5m"]})
        while len(stream.data) < 3:
            await stream.frame()
        await stream.say({"unsubscribe": ["token:T1", "overview:5m", "never"]})
        while (message := await stream.message())["type"] != "unsubscribed":
            pass
        assert message["channels"] == ["token:T1", "overview:5m", "never"]
        await running.feed_all([of_tokens(source, 1, 0, 1)])
        frame = await stream.frame()
        assert [event["channel"] for event in frame["events"]] == ["token:T3"]
        await stream.say({"unsubscribe": "token:T3"})
        assert (await stream.message())["type"] == "unsubscribed"
        subscriptions = running.server._hub.subscriptions
        assert (subscriptions._tokens, subscriptions._overviews) == ({}, {})


async def test_two_channels_of_one_token_each_have_their_own_line() -> None:
    async with Running(QUICK) as running:
        source = market_source()
        await running.feed_all(list(source.everything()))
        stream = await running.connect()
        by_key = "token:" + source.key(7)
        await stream.say({"subscribe": "token:T7"})
        await stream.frame()
        await running.feed_all([of_tokens(source, 1, 3)])
        await stream.say({"subscribe": by_key})
        while by_key not in stream.data:
            await stream.frame()
        await running.feed_all([of_tokens(source, 1, 3)])
        seq = running.market.seq(running.market.by_key(source.key(7)) or 0)
        assert await stream.until(by_key, seq) == await stream.until("token:T7", seq)


async def test_a_new_epoch_brings_a_snapshot() -> None:
    async with Running(QUICK) as running:
        source = market_source()
        await running.feed_all(list(source.everything()))
        stream = await running.connect()
        await stream.say({"subscribe": "token:T7"})
        await stream.frame()
        line = stream.place["token:T7"][0]
        update = of_tokens(source, 1, 3)
        await running.feed_all([replace(update, epoch=9, seq=(9 << 32) + 1)])
        await stream.until("token:T7", (9 << 32) + 1)
        assert stream.kinds["token:T7"] == ["snapshot", "snapshot"]
        assert stream.place["token:T7"][0] != line


async def test_resume_at_another_instance_gives_a_patch() -> None:
    source = market_source(seed=4)
    async with Running(QUICK) as first, Running(QUICK) as second:
        updates = list(source.everything())
        await first.feed_all(updates)
        await second.feed_all(updates)
        stream = await first.connect()
        await stream.say({"subscribe": "token:T7"})
        updates = [of_tokens(source, 1, 3)]
        await first.feed_all(updates)
        await second.feed_all(updates)
        await stream.until("token:T7", updates[0].seq)
        place = stream.place["token:T7"]
        missed = [of_tokens(source, 1, 3, number) for number in range(4, 10)]
        await second.feed_all(missed)
        # Nobody watched the token at the second instance; it knows the base all the same.
        other = await second.connect()
        other.data, other.place = dict(stream.data), dict(stream.place)
        await other.say({"subscribe": "token:T7", "stream": place[0], "seq": place[1]})
        await other.frame()
        assert other.kinds["token:T7"] == ["patch"]
        assert other.data["token:T7"] == document(second.market, source.key(7))
        # A base without anything new is confirmed by an empty patch.
        seq = other.place["token:T7"][1]
        await other.say({"subscribe": [{"channel": "token:T7", "stream": place[0], "seq": seq}]})
        frame = await other.frame()
        assert frame["events"][0]["patch"] == {}
        assert other.place["token:T7"] == (place[0], seq)


@pytest.mark.parametrize("origin", ["log", "another log"])
async def test_resume_from_an_unknown_base_gives_a_snapshot(origin: str) -> None:
    source = market_source()
    updates = [*source.everything(), of_tokens(source, 1, 3)]
    async with Running(QUICK, origin=origin) as running, Running(QUICK) as plain:
        await running.feed_all(updates)
        await plain.feed_all(updates)
        line = plain.market.version(plain.market.by_key(source.key(7)) or 0).stream
        stream = await running.connect()
        await stream.say({"subscribe": "token:T7", "stream": line, "seq": 1 << 32})
        await stream.frame()
        assert stream.kinds["token:T7"] == ["snapshot"]


async def test_an_instance_that_is_behind_shows_nothing_older() -> None:
    source = market_source()
    updates = list(source.everything())
    async with Running(QUICK) as ahead, Running(QUICK) as behind:
        await behind.feed_all(updates)
        updates += [of_tokens(source, 1, 3), of_tokens(source, 1, 3)]
        await ahead.feed_all(updates)
        stream = await ahead.connect()
        await stream.say({"subscribe": "token:T7"})
        await stream.frame()
        line, seq = stream.place["token:T7"]
        other = await behind.connect()
        other.data, other.place = dict(stream.data), dict(stream.place)
        await other.say({"subscribe": "token:T7", "stream": line, "seq": seq})
        assert (await other.message())["type"] == "heartbeat"
        await behind.feed_all(updates[-2:])
        assert await other.until("token:T7", seq) == stream.data["token:T7"]
        await other.frame()
        assert other.kinds["token:T7"] == ["patch"]


async def test_a_wait_for_newer_numbers_ends() -> None:
    source = market_source()
    async with Running(replace(QUICK, resume_wait_ms=100)) as running:
        await running.feed_all(list(source.everything()))
        line = running.market.version(running.market.by_key(source.key(7)) or 0).stream
        stream = await running.connect()
        await stream.say({"subscribe": "token:T7", "stream": line, "seq": 1 << 62})
        problem = await stream.problem()
        assert (problem["status"], problem["channel"]) == ("503", "token:T7")
        assert problem["type"] == "urn:swapstats:problem:behind"
        await stream.say({"subscribe": "token:T7"})
        await stream.frame()
        assert stream.kinds["token:T7"] == ["snapshot"]


@pytest.mark.parametrize(
    ("message", "name", "status"),
    [
        ("{", "bad-message", 400),
        ('{"subscribe":1}', "bad-message", 400),
        ('{"subscribe":"price:X"}', "unknown-channel", 400),
        ('{"subscribe":"overview:7m"}', "unknown-window", 400),
        ('{"subscribe":"overview:5m:x:asc:1"}', "unknown-channel", 400),
        ('{"subscribe":"token:nobody"}', "unknown-token", 404),
        ('{"subscribe":"token:SAME"}', "ambiguous-symbol", 409),
    ],
)
async def test_a_bad_message_is_told_and_the_connection_stays(
    message: str, name: str, status: int
) -> None:
    async with Running(QUICK) as running:
        source = market_source(100)
        await running.feed_all(list(source.everything()))
        stream = await running.connect()
        await stream.socket.send_str(message)
        problem = await stream.problem()
        assert problem["type"] == f"urn:swapstats:problem:{name}"
        assert int(problem["status"]) == status
        assert problem["title"]
        assert problem["detail"].startswith("Expected")
        if name != "bad-message":
            assert problem["channel"] == json.loads(message)["subscribe"]
        if status == 409:
            assert {row["symbol"] for row in problem["candidates"]} == {"SAME"}
        await stream.say({"subscribe": ["token:T7", "token:nobody", "token:T8"]})
        assert (await stream.problem())["channel"] == "token:nobody"
        await eventually_async(lambda: _read_until(stream, 2), WAIT_MS, "both snapshots")


async def _read_until(stream: Stream, count: int) -> bool:
    await stream.frame()
    return len(stream.data) >= count


async def test_binary_messages_are_refused() -> None:
    async with Running(QUICK) as running:
        stream = await running.connect()
        await stream.socket.send_bytes(b'{"subscribe":"overview:5m"}')
        assert (await stream.problem())["type"] == "urn:swapstats:problem:bad-message"


async def test_too_large_a_message_closes_with_1009() -> None:
    async with Running(ApiOptions(command_bytes_max=1_000)) as running:
        stream = await running.connect()
        await stream.socket.send_str('"' + "x" * 998 + '"')
        assert (await stream.problem())["type"] == "urn:swapstats:problem:bad-message"
        await stream.socket.send_str("x" * 1_001)
        message = await stream.socket.receive(timeout=WAIT_S)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1009)


async def test_subscriptions_per_client_are_bounded() -> None:
    async with Running(ApiOptions(coalesce_ms=20, subscriptions_max=3)) as running:
        source = market_source()
        await running.feed_all(list(source.everything()))
        stream = await running.connect()
        await stream.say({"subscribe": ["token:T1", "token:T2", "overview:5m", "token:T3"]})
        problem = await stream.problem()
        assert (problem["status"], problem["channel"]) == ("429", "token:T3")
        # One that is held already is begun anew; after an end there is room.
        await stream.say({"subscribe": "token:T2"})
        await stream.say({"unsubscribe": "token:T1"})
        await stream.say({"subscribe": "token:T3"})
        while "token:T3" not in stream.data:
            message = await stream.message()
            assert not message["type"].startswith("urn:")


async def test_distinct_overviews_of_all_clients_are_bounded() -> None:
    async with Running(ApiOptions(coalesce_ms=20, overview_channels_max=2)) as running:
        stream, other = await running.connect(), await running.connect()
        await stream.say({"subscribe": ["overview:5m", "overview:1h"]})
        await stream.frame()
        await other.say({"subscribe": ["overview:1h", "overview:24h"]})
        problem = await other.problem()
        assert (problem["status"], problem["channel"]) == ("429", "overview:24h")
        await stream.say({"unsubscribe": "overview:5m"})
        while (await stream.message())["type"] != "unsubscribed":
            pass
        await other.say({"subscribe": "overview:24h"})
        while "overview:24h" not in other.data:
            await other.frame()


async def test_too_many_clients_are_refused_at_the_handshake() -> None:
    async with Running(ApiOptions(clients_max=2)) as running:
        first, _ = await running.connect(), await running.connect()
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await running.connect()
        assert caught.value.status == 503
        assert caught.value.headers is not None
        assert caught.value.headers["Retry-After"] == "1"
        await first.socket.close()
        await eventually_async(
            lambda: running.metrics.client_counts[-1] == 1, WAIT_MS, "the client to leave"
        )
        await running.connect()


async def test_only_pages_of_this_host_may_open_a_stream() -> None:
    options = ApiOptions(allowed_origins=("https://good.example",))
    async with Running(options) as running:
        host = f"127.0.0.1:{running.port}"
        for origin in (f"http://{host}", f"https://{host}", "https://good.example"):
            await running.connect(headers={"Origin": origin})
        for origin in ("http://evil.example", "null", "http://127.0.0.1:1", f"http://{host}.e.x",
                       "https://good.example.evil.example", "http://[bad"):  # fmt: skip
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await running.connect(headers={"Origin": origin})
            assert caught.value.status == 403
        _, headers, _ = await running.get("/healthz", headers={"Origin": "http://evil.example"})
        assert not [name for name in headers if name.lower().startswith("access-control")]


async def test_a_plain_request_is_told_what_is_needed() -> None:
    async with Running() as running:
        status, headers, problem = await running.get("/ws")
        assert (status, headers["Upgrade"]) == (426, "websocket")
        assert problem["type"] == "urn:swapstats:problem:upgrade-required"
        status, _, _ = await running.get("/ws", headers={"Upgrade": "websocket"})
        assert status == 400
        status, _, _ = await running.get("/ws?numbers=roman")
        assert status == 400


async def test_subscribing_before_the_state_is_restored_is_503_and_works_after() -> None:
    async with Running(QUICK) as running:
        running.readiness = Readiness(ready=False, progress=0.25, reason="reading the log")
        source = market_source()
        stream = await running.connect()
        await stream.say({"subscribe": "token:T7"})
        problem = await stream.problem()
        assert (problem["status"], problem["progress"]) == ("503", "0.25")
        assert (problem["channel"], problem["detail"]) == ("token:T7", "reading the log")
        # Published and ready in one breath: what was published is there at once.
        for update in source.everything():
            running.feed.publish(update)
        running.readiness = Readiness(ready=True)
        await stream.say({"subscribe": "token:T7"})
        await stream.frame()


async def test_commands_beyond_the_rate_wait() -> None:
    async with Running(ApiOptions(commands_per_s=20, commands_burst=5)) as running:
        stream = await running.connect()
        begun = asyncio.get_running_loop().time()
        for _ in range(15):
            await stream.say({"unsubscribe": []})
        for _ in range(15):
            while (await stream.message())["type"] != "unsubscribed":
                pass
        assert asyncio.get_running_loop().time() - begun > 0.35


async def test_one_who_answers_pings_stays_and_one_who_does_not_is_cut_off() -> None:
    async with Running(ApiOptions(ping_ms=400, heartbeat_ms=100)) as running:
        stream = await running.connect()
        # aiohttp's client answers pings while it reads.
        reading = asyncio.ensure_future(_read_on(stream))
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        async with asyncio.timeout(WAIT_S):
            await reader.read()
        writer.close()
        await eventually_async(
            lambda: running.metrics.client_counts[-1] == 1, WAIT_MS, "the dead one to be forgotten"
        )
        assert not reading.done()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _read_on(stream: Stream) -> None:
    while True:
        await stream.message()
