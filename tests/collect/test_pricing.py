"""Prices within a program are those of the preprocessor; nothing is refused without a word."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from decimal import Decimal
from random import Random

import msgspec
import pytest

from swapstats.collect.pricing import Pricer, priced
from swapstats.collect.swap import Swap
from swapstats.core.plain_decode import decode_message
from swapstats.core.preprocess.preprocessor import Preprocessor
from swapstats.core.preprocess.refusal import Refusal
from swapstats.core.preprocess.rules import PriceRules
from swapstats.model.raw_event import RawEvent
from swapstats.testing.forking_chain import ForkingChain
from swapstats.testing.raw_events import FIRST_MS, WETH, batch_of, exchange_trade

TRADE = exchange_trade("BTC", "USDT", "40000.5", "0.1")


async def given(events: Iterable[RawEvent], closed: list[str]) -> AsyncGenerator[RawEvent, None]:
    try:
        for event in events:
            yield event
    finally:
        closed.append("closed")


@pytest.mark.parametrize("seed", [1, 2])
def test_they_are_the_preprocessors(seed: int) -> None:
    print("seed", seed)
    chain = ForkingChain(Random(seed), has_trades=True)
    for depth in (3, 5, 1):
        chain.grow(8)
        chain.reorg(depth, depth + 1)
    told: list[tuple[RawEvent, Refusal]] = []
    rules = PriceRules(deny=frozenset({f"1:{WETH}"}))
    made = Preprocessor(rules).apply(batch_of(chain.log))
    pricer = Pricer(rules, on_refused=lambda event, refusal: told.append((event, refusal)))
    swaps = [swap for event in chain.log if (swap := pricer.price(event)) is not None]
    assert swaps == [msgspec.json.decode(message, type=Swap) for message in made.swaps]
    assert [decode_message(swap.wire(), FIRST_MS, None) for swap in swaps] == [
        decode_message(message, FIRST_MS, None) for message in made.swaps
    ]
    assert any(swap.removed for swap in swaps)
    assert any(swap.amount_usd for swap in swaps)
    assert [(event, refusal.reason, refusal.detail) for event, refusal in told] == [
        (chain.log[refused.index], refused.reason, refused.detail) for refused in made.refused
    ]
    assert told


def test_a_trade_by_the_default_rules() -> None:
    swap = Pricer().price(TRADE)
    assert swap is not None
    assert (swap.amount_usd, swap.price_source) == (Decimal("4000.05"), "exchange")


def test_refusals_are_logged_by_default(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "swapstats.collect")
    pricer = Pricer(PriceRules(deny=frozenset({"ETH"})))
    assert pricer.price(exchange_trade("ETH", "USDT", "3000")) is None
    assert pricer.price(exchange_trade("BTC", "USDT", "many", trade_id="9")) is None
    chain = ForkingChain(Random(1))
    chain.grow(2)
    swap = msgspec.structs.replace(next(iter(chain.log)), chain_id=77)
    assert pricer.price(swap) is None
    told = [(record.levelno, record.getMessage()) for record in caplog.records]
    assert [level for level, _ in told] == [logging.INFO, logging.WARNING, logging.WARNING]
    assert told[0][1].startswith("binance:ETHUSDT:1 became no swap, denied: ")
    assert "binance:BTCUSDT:9 became no swap, bad_field: Expected price" in told[1][1]
    assert "unknown_chain: Expected a chain of" in told[2][1]


async def test_swaps_come_as_events_do_and_both_are_closed() -> None:
    closed: list[str] = []
    denied = exchange_trade("ETH", "USDT", "3000")
    told: list[str] = []
    rules = PriceRules(deny=frozenset({"ETH"}))
    events = given([TRADE, denied, TRADE], closed)
    swaps = priced(events, rules, on_refused=lambda _event, refusal: told.append(refusal.reason))
    assert [swap.token async for swap in swaps] == ["BTC", "BTC"]
    assert (closed, told) == (["closed"], ["denied"])


async def test_leaving_early_closes_the_events() -> None:
    closed: list[str] = []
    async with aclosing(priced(given([TRADE, TRADE], closed))) as swaps:
        assert (await anext(swaps)).token == "BTC"
        assert not closed
    assert closed == ["closed"]


async def test_a_cancel_closes_the_events() -> None:
    closed: list[str] = []

    async def endless() -> AsyncGenerator[RawEvent, None]:
        try:
            yield TRADE
            await asyncio.Event().wait()
        finally:
            closed.append("closed")

    swaps = priced(endless())
    await anext(swaps)
    waiting = asyncio.create_task(anext(swaps))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert closed == ["closed"]


async def test_what_happens_to_the_events_happens_to_the_swaps() -> None:
    async def failing() -> AsyncGenerator[RawEvent, None]:
        yield TRADE
        raise OSError("gone")

    swaps = priced(failing())
    await anext(swaps)
    with pytest.raises(OSError, match="gone"):
        await anext(swaps)
