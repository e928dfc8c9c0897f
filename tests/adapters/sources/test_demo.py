"""The demo source: prefill, pace, resume, absence."""

import asyncio
from contextlib import aclosing

import pytest

from swapstats.adapters.sources import demo as sources_demo
from swapstats.adapters.sources.demo import DemoSource
from swapstats.adapters.system_clock import SystemClock
from swapstats.core.demo_market import SLICE_MS, DemoMarket
from swapstats.errors import Rejected
from swapstats.testing.manual_clock import ManualClock

NOW_MS = 1_763_700_000_050
MARKET = DemoMarket(1, 200, 20)


class PassingClock(ManualClock):
    """Waiting is what lets this clock advance."""

    async def sleep(self, seconds: float) -> None:
        self.advance(max(1, round(seconds * 1_000)))
        await asyncio.sleep(0)


def slices(first_ms: int, stop_ms: int) -> list[bytes]:
    return [
        message for t_ms in range(first_ms, stop_ms, SLICE_MS) for message in MARKET.slice(t_ms)
    ]


def demo(clock: PassingClock, prefill_ms: int = 0) -> DemoSource:
    return DemoSource(MARKET, clock, prefill_ms=prefill_ms, sleep=clock.sleep)


async def read(source: DemoSource, position: str | None, until_ms: int) -> tuple[list[bytes], str]:
    """Read until the position reaches a time."""
    found: list[bytes] = []
    async with aclosing(source.open(position)) as batches:  # type: ignore[type-var]
        async for batch in batches:
            found += [batch.block.message(index) for index in range(len(batch.block))]
            position = batch.position
            if int(position) >= until_ms:
                break
    assert position is not None
    return found, position


async def test_prefill_comes_at_once_and_then_the_market_is_live() -> None:
    clock = PassingClock(NOW_MS)
    source = demo(clock, 60_000)
    found, position = await read(source, None, NOW_MS - 150)
    assert clock.wall_ms() == NOW_MS  # no waiting
    assert found == slices(NOW_MS - 50 - 60_000, NOW_MS - 50)
    assert int(position) == NOW_MS - 50
    later, position = await read(demo(clock, 60_000), position, NOW_MS + 950)
    assert later == slices(NOW_MS - 50, NOW_MS + 950)
    assert 0 <= clock.wall_ms() - int(position) <= SLICE_MS


async def test_a_resume_anywhere_gives_the_same_stream() -> None:
    clock = PassingClock(NOW_MS)
    expected = slices(NOW_MS - 50 - 30_000, NOW_MS - 50)
    found: list[bytes] = []
    position: str | None = None
    while position is None or int(position) < NOW_MS - 50:
        part, position = await read(demo(clock, 30_000), position, 0)  # one batch a start
        found += part
    assert found == expected


@pytest.fixture
def catch_up_ms(monkeypatch: pytest.MonkeyPatch) -> int:
    """A shorter span than that of five minutes, which takes long to make."""
    monkeypatch.setattr(sources_demo, "CATCH_UP_MS", 10_000)
    return sources_demo.CATCH_UP_MS


async def test_a_long_absence_is_left_out_and_told(catch_up_ms: int) -> None:
    clock = PassingClock(NOW_MS)
    source = demo(clock)
    position = str(NOW_MS - 50 - 3_600_000)
    found, _ = await read(source, position, NOW_MS - 50)
    assert found == slices(NOW_MS - 50 - catch_up_ms, NOW_MS - 50)
    assert "left out" in source.status().detail
    assert source.status().state == "live"


async def test_a_short_absence_is_made_up_for(catch_up_ms: int) -> None:
    clock = PassingClock(NOW_MS)
    source = demo(clock)
    began_ms = NOW_MS - 50 - (catch_up_ms - 1_000)
    found, _ = await read(source, str(began_ms), NOW_MS - 50)
    assert found == slices(began_ms, NOW_MS - 50)
    assert "left out" not in source.status().detail


async def test_a_stop_within_the_prefill_leaves_nothing_out(catch_up_ms: int) -> None:
    clock = PassingClock(NOW_MS)
    source = demo(clock, 20_000)
    began_ms = NOW_MS - 50 - 20_000 - (catch_up_ms - 1_000)
    found, _ = await read(source, str(began_ms), NOW_MS - 50)
    assert found == slices(began_ms, NOW_MS - 50)
    assert "left out" not in source.status().detail


async def test_a_clock_set_back_waits_and_repeats_nothing() -> None:
    clock = PassingClock(NOW_MS)
    seen = set()
    source = demo(clock)

    async def sleep(seconds: float) -> None:
        seen.add(source.status().state)
        await clock.sleep(seconds)

    source._sleep = sleep
    position = str(NOW_MS - 50 + 10_000)
    found, position = await read(source, position, NOW_MS + 10_050)
    assert found == slices(NOW_MS - 50 + 10_000, NOW_MS + 10_050)
    assert seen == {"waiting", "live"}


@pytest.mark.parametrize("position", ["", "x", "-5", "17", str(NOW_MS + 1)])
async def test_positions_of_something_else(position: str) -> None:
    with pytest.raises(Rejected, match="position of the demo market"):
        await read(demo(PassingClock(NOW_MS)), position, 0)


def test_a_negative_prefill() -> None:
    with pytest.raises(Rejected, match="prefill"):
        DemoSource(MARKET, SystemClock(), prefill_ms=-1)


async def test_the_real_clock_brings_the_market_of_now() -> None:
    clock = SystemClock()
    source = DemoSource(MARKET, clock, prefill_ms=500)
    assert source.name == "demo"
    start_ms = clock.wall_ms()
    _, position = await read(source, None, start_ms + 300)
    assert 0 <= clock.wall_ms() - int(position) < 5_000
