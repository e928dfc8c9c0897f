"""Several streams as one: nothing is asked for too early, all are closed, errors come through."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from tests.collect.made_source import TRADES, MadeSource, ids

from swapstats.collect.events import Events
from swapstats.collect.merging import merged
from swapstats.collect.pricing import priced
from swapstats.core.preprocess.rules import PriceRules
from swapstats.core.preprocess.token_lists import ChainTokens
from swapstats.errors import Rejected
from swapstats.model.raw_event import ExchangeTrade, PoolSwap, RawEvent
from swapstats.testing.eventually import eventually_async
from swapstats.testing.raw_events import WETH, address, exchange_trade, pool_swap, whole


def made(then: str = "end") -> tuple[MadeSource, Events[ExchangeTrade]]:
    source = MadeSource(then)
    return source, Events(source, ExchangeTrade)


async def asked(log: list[int], trades: list[ExchangeTrade]) -> AsyncGenerator[RawEvent, None]:
    for trade in trades:
        log.append(int(trade.trade_id))
        yield trade


async def test_every_stream_keeps_its_order_and_the_last_one_ends_it() -> None:
    (first, one), (second, other) = made(), made()
    got = [event async for event in merged(one, other) if isinstance(event, ExchangeTrade)]
    assert sorted(ids(got)) == sorted([*range(len(TRADES)), *range(len(TRADES))])
    assert not first.is_open
    assert not second.is_open
    firsts = [at for n, at in enumerate(ids(got)) if at not in ids(got)[:n]]
    assert firsts == list(range(len(TRADES)))
    assert [event async for event in merged()] == []


async def test_the_next_one_is_asked_for_when_the_one_before_is_done() -> None:
    log: list[int] = []
    async with aclosing(merged(asked(log, TRADES))) as events:
        for count in range(1, len(TRADES)):
            await anext(events)
            for _ in range(5):
                await asyncio.sleep(0)
            assert log == list(range(count))


async def test_a_silent_stream_holds_nobody_up_and_is_closed_too() -> None:
    (silent, one), (_, other) = made("wait"), made("wait")
    async with aclosing(merged(one, other)) as events:
        for _ in range(2 * len(TRADES)):
            await anext(events)
        waiting = asyncio.create_task(anext(events))
        await asyncio.sleep(0)
        assert silent.is_open
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert not silent.is_open
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_error_of_one_ends_all() -> None:
    (silent, one), (failing, other) = made("wait"), made("fail")
    got = []
    with pytest.raises(Rejected, match="Expected more"):
        async for event in merged(one, other):
            got.append(event)  # noqa: PERF401 - one by one, until it fails
    assert len(got) >= len(TRADES)
    assert not silent.is_open
    assert not failing.is_open


async def test_a_loop_that_is_left_closes_all_streams() -> None:
    (first, one), (second, other) = made("wait"), made("wait")
    async for _event in merged(one, other):
        break
    await eventually_async(lambda: not first.is_open and not second.is_open, 10_000, "the end")


async def test_an_exchange_prices_a_chain() -> None:
    token = address(1)
    trade = exchange_trade("ETH", "USDT", "2000")
    swap = pool_swap(token, WETH, (whole(token, -5), whole(WETH, 1)), block=1)
    told = asyncio.Event()

    async def exchange() -> AsyncGenerator[RawEvent, None]:
        yield trade
        told.set()

    async def chain() -> AsyncGenerator[PoolSwap, None]:
        await told.wait()
        yield swap

    rules = PriceRules(chains={1: ChainTokens(natives=(WETH,), exchange_assets={WETH: "ETH"})})
    found = [one async for one in priced(merged(exchange(), chain()), rules)]
    assert [(one.token, one.price_source) for one in found] == [
        ("ETH", "exchange"),
        (f"1:{token}", "exchange"),
    ]
    assert found[1].amount_usd == 2_000
