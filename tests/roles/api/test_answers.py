"""The shapes of docs/API.md over real HTTP, exact to the last digit."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from swapstats.errors import Transient
from swapstats.model.archive_status import ArchiveStatus
from swapstats.model.health import DependencyStatus, Health, Readiness, ServiceState
from swapstats.model.series import SeriesAnswer
from swapstats.model.stats import FIELDS, from_row
from swapstats.roles.api.answers import no_archive
from swapstats.roles.api.options import ApiOptions
from swapstats.testing.eventually import eventually_async
from swapstats.testing.synthetic_updates import START_MS, SyntheticUpdates

from .running import SPEC, WAIT_MS, Literal, Running, of_tokens

DIGITS = {"vol_usd": 6, "buy_usd": 6, "sell_usd": 6, "vol_token": 18}
AMOUNTS = set(DIGITS)


def source_of(tokens: int = 60, **kwargs: bool) -> SyntheticUpdates:
    return SyntheticUpdates(SPEC, tokens=tokens, partitions=2, seed=3, **kwargs)


def scaled(text: str, digits: int) -> int:
    """Read a decimal without any rounding."""
    whole, _, rest = text.partition(".")
    assert len(rest) <= digits
    return int(whole + rest.ljust(digits, "0"))


@pytest.mark.parametrize("numbers", ["literal", "string"])
async def test_token_stats_are_exact_and_shaped_as_documented(numbers: str) -> None:
    async with Running() as running:
        running.lag_ms = 42
        source = source_of(wide=True)
        await running.feed_all(list(source.everything()))
        for token in (3, 8, 9):
            status, headers, answer = await running.get(
                f"/api/tokens/{source.key(token)}/stats?numbers={numbers}"
            )
            assert (status, headers["Content-Type"]) == (200, "application/json")
            assert list(answer) == [
                "token", "symbol", "as_of", "end", "position", "lag_ms", "w5m", "w1h", "w24h",
            ]  # fmt: skip
            index = running.market.by_key(source.key(token))
            assert index is not None
            partition, place = running.market.position(index)
            assert (answer["token"], answer["symbol"]) == (source.key(token), source.symbol(token))
            assert (int(answer["as_of"]), int(answer["end"])) == (place.t_ms, place.end_ms)
            assert answer["position"] == {"partition": str(partition), "offset": str(place.offset)}
            assert answer["lag_ms"] == "42"
            for number, name in enumerate(("w5m", "w1h", "w24h")):
                assert list(answer[name]) == [*FIELDS, "complete_since"]
                assert int(answer[name]["complete_since"]) == START_MS
                expected = from_row(running.market.rows[index, number])
                for field in FIELDS:
                    text = answer[name][field]
                    is_text = numbers == "string" and field in AMOUNTS
                    assert isinstance(text, Literal) != is_text
                    assert scaled(str(text), DIGITS.get(field, 0)) == getattr(expected, field)


async def test_windows_come_in_the_order_asked_for() -> None:
    async with Running() as running:
        await running.feed_all(list(source_of().everything()))
        for query, names in (
            ("windows=24h,5m", ["w24h", "w5m"]),
            ("windows=1h", ["w1h"]),
            ("windows=60m,1h,3600s", ["w1h"]),
            ("", ["w5m", "w1h", "w24h"]),
        ):
            _, _, answer = await running.get(f"/api/tokens/T7/stats?{query}")
            assert [name for name in answer if name.startswith("w")] == names
        for query in ("windows=", "windows=7m", "windows=5m,", "windows=x"):
            status, headers, problem = await running.get(f"/api/tokens/T7/stats?{query}")
            assert (status, headers["Content-Type"]) == (400, "application/problem+json")
            assert problem["type"] == "urn:swapstats:problem:unknown-window"
            assert problem["known"] == ["5m", "1h", "24h"]


async def test_ids_are_key_then_listed_symbol_then_unique_symbol() -> None:
    source = source_of()
    listed = {"GOLD": source.key(5), "T7": source.key(6), "LOST": "1:0xnever"}
    async with Running(ApiOptions(listed=listed)) as running:
        await running.feed_all(list(source.everything()))
        for text, token in (("GOLD", 5), ("T7", 6), ("T11", 11), (source.key(7), 7)):
            _, _, answer = await running.get(f"/api/tokens/{quote(text, safe='')}/stats")
            assert answer["token"] == source.key(token)
        for text in ("LOST", "nobody", "t11"):
            status, _, problem = await running.get(f"/api/tokens/{text}/stats")
            assert (status, problem["type"]) == (404, "urn:swapstats:problem:unknown-token")
        status, _, problem = await running.get("/api/tokens/SAME/stats?numbers=string")
        assert (status, problem["type"]) == (409, "urn:swapstats:problem:ambiguous-symbol")
        volumes = [scaled(row["vol_usd"], 6) for row in problem["candidates"]]
        assert volumes == sorted(volumes, reverse=True)
        assert int(problem["candidates_total"]) == len(volumes) == 3


async def test_ten_thousand_odd_keys_are_each_found_by_their_own_path() -> None:
    source = source_of(10_000, odd_keys=True)
    async with Running() as running:
        await running.feed_all(list(source.everything()))
        assert len(running.market) == 10_000
        keys = {source.key(token) for token in range(10_000)}
        assert len(keys) == 10_000
        for token in range(0, 10_000, 17):
            key = source.key(token)
            path = f"/api/tokens/{quote(key, safe='')}/stats?windows=5m"
            status, _, answer = await running.get(path)
            assert (status, answer["token"]) == (200, key), key


async def test_a_silent_token_is_200_with_zeros() -> None:
    async with Running() as running:
        source = source_of()
        silent = of_tokens(source, 0, 1)
        silent.rows[:] = 0
        await running.feed_all([silent])
        status, _, answer = await running.get("/api/tokens/T2/stats")
        assert status == 200
        for name in ("w5m", "w1h", "w24h"):
            del answer[name]["complete_since"]
            assert set(answer[name].values()) == {"0"}
        _, _, overview = await running.get("/api/overview")
        assert (overview["tokens_total"], overview["rows"]) == ("0", [])


async def test_overview_and_search_answer_as_documented() -> None:
    async with Running(ApiOptions(overview_limit_max=20, search_limit_max=10)) as running:
        await running.feed_all(list(source_of().everything()))
        status, _, answer = await running.get(
            "/api/overview?window=1h&sort=buy&order=asc&limit=7&numbers=string"
        )
        assert status == 200
        assert list(answer) == [
            "window", "sort", "order", "as_of", "end", "lag_ms", "tokens_total", "rows",
        ]  # fmt: skip
        buys = [int(row["buy"]) for row in answer["rows"]]
        assert len(buys) == 7
        assert buys == sorted(buys)
        assert isinstance(answer["rows"][0]["vol_usd"], str)
        assert len((await running.get("/api/overview"))[2]["rows"]) == 20
        status, _, answer = await running.get("/api/tokens?query=t1&limit=5")
        assert (status, answer["query"], len(answer["tokens"])) == (200, "t1", 5)
        assert all(row["symbol"].startswith("T1") for row in answer["tokens"])
        assert len((await running.get("/api/tokens"))[2]["tokens"]) == 10


async def test_the_lag_is_of_now_even_if_nothing_else_moved() -> None:
    async with Running() as running:
        await running.feed_all(list(source_of().everything()))
        for lag_ms in (0, 5, 1_000):
            running.lag_ms = lag_ms
            for path in ("/api/overview", "/api/tokens/T7/stats", "/api/status"):
                assert int((await running.get(path))[2]["lag_ms"]) == lag_ms


async def test_series_answer_as_documented() -> None:
    async with Running() as running:
        await running.feed_all(list(source_of().everything()))
        status, _, answer = await running.get("/api/tokens/T7/series?span=30m")
        assert status == 200
        assert list(answer) == ["token", "symbol", "as_of", "end", "step_ms", "points"]
        assert int(answer["as_of"]) == START_MS + 1_800_000
        (point,) = answer["points"]
        assert list(point) == ["start", *FIELDS]
        assert scaled(str(point["vol_usd"]), 6) == (1 << 70) + 1
        assert str(point["vol_token"]) == "1.000000000000000001"
        for span in ("2h", "0s", "1ms", "x", ""):
            status, _, problem = await running.get(f"/api/tokens/T7/series?span={span}")
            assert (status, problem["type"]) == (400, "urn:swapstats:problem:bad-parameter")
        assert (await running.get("/api/tokens/nobody/series"))[0] == 404


def raising(error: Exception) -> Callable[[str, int], Any]:
    async def series(key: str, span_ms: int) -> SeriesAnswer:
        raise error

    return series


async def test_series_that_take_too_long_or_fail_are_503_and_others_500() -> None:
    async with Running(ApiOptions(series_timeout_ms=50)) as running:
        await running.feed_all(list(source_of().everything()))

        async def never(key: str, span_ms: int) -> SeriesAnswer:
            await asyncio.Event().wait()
            raise AssertionError

        for reader, status, wait in (
            (never, 503, "1"),
            (raising(Transient("not now", 2_500)), 503, "3"),
            (raising(KeyError("the inside of the house")), 500, None),
        ):
            running.series = reader
            found, headers, problem = await running.get("/api/tokens/T7/series")
            assert (found, headers.get("Retry-After")) == (status, wait)
            assert "house" not in str(problem)


async def test_series_in_work_are_bounded() -> None:
    async with Running(ApiOptions(series_pending_max=2)) as running:
        await running.feed_all(list(source_of().everything()))
        let_go, begun = asyncio.Event(), 0
        plain = running.series

        async def slow(key: str, span_ms: int) -> Any:
            nonlocal begun
            begun += 1
            await let_go.wait()
            return await plain(key, span_ms)

        running.series = slow
        asked = [asyncio.ensure_future(running.get("/api/tokens/T7/series")) for _ in range(2)]
        await eventually_async(lambda: begun == 2, WAIT_MS, "two series in work")
        status, headers, problem = await running.get("/api/tokens/T7/series")
        assert (status, headers["Retry-After"]) == (503, "1")
        assert problem["type"] == "urn:swapstats:problem:busy"
        let_go.set()
        assert [answer[0] for answer in await asyncio.gather(*asked)] == [200, 200]
        assert (await running.get("/api/tokens/T7/series"))[0] == 200


async def test_status_answers_as_documented() -> None:
    async with Running(ApiOptions(version="1.2.3")) as running:
        await running.feed_all(list(source_of().everything()))
        status, _, answer = await running.get("/api/status")
        assert status == 200
        assert answer == {
            "version": "1.2.3",
            "as_of": str(running.market.as_of_ms),
            "lag_ms": "0",
            "ready": True,
            "reason": None,
            "source": {"name": "demo", "state": "live", "detail": "a market made up"},
            "windows": ["5m", "1h", "24h"],
            "step_ms": "5000",
            "tokens": "60",
            "partitions": [
                {"partition": "0", "offset": "5", "end_offset": "6", "as_of": str(START_MS),
                 "ready": True}
            ],
            "counters": {"ingested": "7"},
            "warnings": ["mind the gap"],
        }  # fmt: skip
        running.service = ServiceState
        assert (await running.get("/api/status"))[2]["source"] is None


async def test_health_and_readiness() -> None:
    async with Running() as running:
        assert (await running.get("/healthz"))[2] == {"healthy": True}
        told = (await running.get("/readyz"))[2]
        assert told.pop("lag_ms") is not None
        assert told == {"ready": True, "progress": "1.0", "reason": None, "dependencies": []}
        running.readiness = Readiness(ready=True, warning="served with its age, 7.0 s now")
        code, _, told = await running.get("/readyz")
        assert (code, told["ready"], told["reason"]) == (
            200,
            True,
            "served with its age, 7.0 s now",
        )
        running.health = Health(healthy=False, reason="no progress for 30 s")
        running.readiness = Readiness(ready=False, progress=0.5, retry_after_ms=1_500)
        status, _, problem = await running.get("/healthz")
        assert (status, problem["detail"]) == (503, "no progress for 30 s")
        status, headers, problem = await running.get("/readyz")
        assert (status, headers["Retry-After"], problem["progress"]) == (503, "2", "0.5")
        assert "dependencies" not in problem
        running.dependencies = (DependencyStatus("hot store", "open", 2, 30, "no answer"),)
        named = {
            "name": "hot store", "state": "open", "reason": "no answer", "opens": "2",
            "refused": "30",
        }  # fmt: skip
        assert (await running.get("/readyz"))[2]["dependencies"] == [named]
        running.readiness = Readiness(ready=True)
        assert (await running.get("/readyz"))[2]["dependencies"] == [named]


async def test_numbers_never_go_back_in_time_over_http() -> None:
    async with Running() as running:
        source = source_of()
        await running.feed_all(list(source.everything()))
        seen: list[tuple[int, int]] = []
        stale = of_tokens(source, 1, 3)
        for _ in range(30):
            running.feed.publish(of_tokens(source, 1, 3))
            running.feed.publish(stale)
            _, _, answer = await running.get("/api/tokens/T7/stats?windows=5m")
            seen.append((int(answer["as_of"]), int(answer["position"]["offset"])))
        assert seen == sorted(seen)
        assert len(set(seen)) > 1
        await eventually_async(lambda: running.metrics.stale >= 29, WAIT_MS, "stale ones counted")


async def test_the_archive_tells_how_it_lies() -> None:
    async with Running() as running:
        status, _, answer = await running.get("/api/archive")
        assert status == 200
        assert answer["disks"][0]["rows"] == "30"
        assert answer["s3_errors"] == "3"
        running.archive = no_archive
        status, _, problem = await running.get("/api/archive")
        assert (status, problem["type"]) == (404, "urn:swapstats:problem:no-archive")
        looks = 0

        async def away() -> ArchiveStatus:
            nonlocal looks
            looks += 1
            raise Transient("no answer", 2_000)

        running.archive = away
        status, headers, problem = await running.get("/api/archive")
        assert (status, problem["type"]) == (503, "urn:swapstats:problem:timeout")
        assert headers["Retry-After"] == "2"
        assert looks == 1


async def test_those_who_ask_for_the_archive_at_once_share_one_look() -> None:
    async with Running(ApiOptions(coalesce_ms=20, archive_timeout_ms=200)) as running:
        looks = 0
        go_on = asyncio.Event()
        answer = running.archive

        async def slow() -> ArchiveStatus:
            nonlocal looks
            looks += 1
            await go_on.wait()
            found: ArchiveStatus = await answer()
            return found

        running.archive = slow
        both = await asyncio.gather(running.get("/api/archive"), running.get("/api/archive"))
        assert [status for status, _, _ in both] == [503, 503]
        assert looks == 1
        go_on.set()
        assert (await running.get("/api/archive"))[0] == 200
