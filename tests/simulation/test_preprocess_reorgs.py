"""Whatever reorgs, repeats, cuts and restarts: amounts are those of the chain that stands."""

import json
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from swapstats.core.preprocess.preprocessor import Preprocessor
from swapstats.core.preprocess.rules import PriceRules
from swapstats.model.preprocessed import MINUTE_MS, Candle, Preprocessed, TokenPrice
from swapstats.model.raw_event import RawEvent
from swapstats.testing.forking_chain import ForkingChain, cut, told_again
from swapstats.testing.raw_events import FIRST_MS, batch_of, exchange_trade

RULES = PriceRules(dust_micros=1_500_000, candle_floor_micros=1)
FILTERED = {"dust", "one_sided"}

steps = st.lists(
    st.one_of(
        st.tuples(st.just("grow"), st.integers(1, 4)),
        st.tuples(st.just("reorg"), st.integers(1, 5), st.integers(0, 6)),
        st.tuples(st.just("flip_back")),
    ),
    min_size=1,
    max_size=12,
)
seeds = st.integers(0, 1 << 32)
few_trades = st.lists(
    st.tuples(st.sampled_from(("BTC", "ETH", "PEPE")), st.integers(1, 99)), max_size=30
)
unhurried = settings(deadline=None, max_examples=60)


@dataclass
class Outcome:
    """Everything a run gave, as whoever counts it would see it."""

    adds: dict[tuple[str, int], Any] = field(default_factory=dict)
    removals: dict[tuple[str, int], Any] = field(default_factory=dict)
    candles: dict[tuple[str, int], Candle] = field(default_factory=dict)
    prices: dict[str, TokenPrice] = field(default_factory=dict)
    messages: list[bytes] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    state: bytes = b""

    def take(self, done: Preprocessed) -> None:
        self.messages += done.swaps
        self.refused.update(each.reason for each in done.refused)
        for message in done.swaps:
            swap = json.loads(message)
            name = swap.get("event_id") or f"1:{swap['tx_hash']}:{swap['log_index']}"
            side = self.removals if swap.get("removed") else self.adds
            # Flags are hints of the moment: a late repeat may carry others.
            fields = {key: swap[key] for key in swap.keys() - {"removed", "flags"}}
            first = side.setdefault((name, swap.get("inclusion", 0)), fields)
            assert first == fields, "a repeat differs"
        self.candles |= {(each.token, each.minute_ms): each for each in done.candles}
        self.prices |= {each.token: each for each in done.prices}

    def standing(self) -> dict[tuple[str, int], Any]:
        for name, removal in self.removals.items():
            assert self.adds[name] == removal, "a removal differs from its addition"
        return {
            name: {key: value for key, value in swap.items() if key != "flags"}
            for name, swap in self.adds.items()
            if name not in self.removals
        }

    def standing_candles(self) -> dict[tuple[str, int], Candle]:
        return {name: candle for name, candle in self.candles.items() if candle.trades}

    def standing_prices(self) -> dict[str, tuple[str, str]]:
        """Prices and where they come from; their times may be of trades that left the chain."""
        return {
            name: (price.price_usd, price.source)
            for name, price in self.prices.items()
            if price.source != "none"
        }


def run(log: list[RawEvent], cuts: Random | None = None, rules: PriceRules = RULES) -> Outcome:
    """Preprocess a log; with `cuts` in batches and with restarts, else at once."""
    found, state = Outcome(), Preprocessor(rules)
    for batch in [log] if cuts is None else cut(cuts, log):
        found.take(state.apply(batch_of(batch)))
        if cuts is not None and cuts.random() < 0.3:
            state = Preprocessor.restore(rules, state.snapshot())
    found.state = state.snapshot()
    return found


def chain_of(seed: int, plan: list[tuple[Any, ...]], *, has_trades: bool) -> ForkingChain:
    chain = ForkingChain(Random(seed), has_trades)
    chain.grow(6)
    for verb, *numbers in plan:
        getattr(chain, verb)(*numbers)
    return chain


@unhurried
@given(seeds, steps, st.booleans())
def test_amounts_are_those_of_the_chain_that_stands(
    seed: int, plan: list[tuple[Any, ...]], has_trades: bool
) -> None:
    chain = chain_of(seed, plan, has_trades=has_trades)
    random = Random(seed + 1)
    told = run(told_again(random, chain.log), random)
    fresh = run(chain.canonical_log())
    note(f"{len(chain.log)} events, {fresh.refused}")
    assert told.refused.keys() <= FILTERED
    assert told.standing() == fresh.standing()
    assert told.standing_candles() == fresh.standing_candles()
    assert told.standing_prices() == fresh.standing_prices()


@unhurried
@given(seeds, steps)
def test_cuts_and_restarts_change_nothing(seed: int, plan: list[tuple[Any, ...]]) -> None:
    chain = chain_of(seed, plan, has_trades=True)
    log = told_again(Random(seed), chain.log)
    once, cut_up = run(log), run(log, Random(seed))
    assert cut_up.messages == once.messages
    assert cut_up.refused == once.refused
    assert cut_up.standing_candles() == once.standing_candles()
    assert cut_up.standing_prices() == once.standing_prices()
    assert cut_up.state == once.state


@unhurried
@given(seeds, steps)
def test_candles_hold_the_swaps_that_stand(seed: int, plan: list[tuple[Any, ...]]) -> None:
    chain = chain_of(seed, plan, has_trades=True)
    found = run(told_again(Random(seed), chain.log))
    sums: dict[tuple[str, int], list[Any]] = {}
    for swap in found.standing().values():
        if swap["amount_usd"] is None:
            continue
        key = f"1:{swap['token_address']}" if "chain_id" in swap else swap["token_address"]
        minute = swap["event_time"] // MINUTE_MS * MINUTE_MS
        held = sums.setdefault((key, minute), [0, Decimal(0), Decimal(0)])
        held[0] += 1
        held[1] += Decimal(swap["amount_usd"])
        held[2] += Decimal(swap["amount_token"])
    assert {
        name: [candle.trades, Decimal(candle.volume_usd), Decimal(candle.volume_token)]
        for name, candle in found.standing_candles().items()
    } == sums


@unhurried
@given(seeds, st.randoms(use_true_random=False))
def test_any_order_of_old_events_is_decided_the_same(seed: int, random: Random) -> None:
    chain = chain_of(seed, [("reorg", 3, 4), ("flip_back",), ("reorg", 2, 5)], has_trades=True)
    log = [event for event in chain.log for _ in range(2)]
    random.shuffle(log)
    rules = PriceRules(horizon_blocks=4, horizon_seconds=60, candle_minutes=1)
    once, cut_up = run(log, None, rules), run(log, Random(seed), rules)
    assert cut_up.messages == once.messages
    assert cut_up.state == once.state
    assert once.refused.keys() <= FILTERED | {"past_horizon"}
    assert sum(once.refused.values()) + len(once.messages) == len(log)


@unhurried
@given(seeds, st.randoms(use_true_random=False))
def test_chains_do_not_disturb_each_other(seed: int, random: Random) -> None:
    rules = PriceRules(chains={1: RULES.chains[1], 7: RULES.chains[1]})
    one = chain_of(seed, [("reorg", 3, 4), ("flip_back",)], has_trades=False).log
    other = [
        replace(event, chain_id=7)
        for event in chain_of(seed + 1, [("reorg", 2, 5)], has_trades=False).log
    ]
    left, right, mixed = list(one), list(other), []
    while left or right:
        side = left if left and (not right or random.random() < 0.5) else right
        mixed.append(side.pop(0))
    together = run(mixed, None, rules).messages
    apart = run(one, None, rules).messages, run(other, None, rules).messages
    assert [m for m in together if b'"chain_id":1,' in m] == apart[0]
    assert [m for m in together if b'"chain_id":7,' in m] == apart[1]


@unhurried
@given(few_trades, st.randoms(use_true_random=False))
def test_markets_that_price_nothing_else_may_come_in_any_order(
    trades: list[tuple[str, int]], random: Random
) -> None:
    log: list[RawEvent] = [
        exchange_trade(base, "USDT", str(price), trade_id=str(index),
                       event_time=FIRST_MS + price * 7_000)
        for index, (base, price) in enumerate(trades)
    ]  # fmt: skip
    shuffled = random.sample(log, len(log))
    ordered, mixed = run(log), run(shuffled)
    assert sorted(mixed.messages) == sorted(ordered.messages)
    assert mixed.standing_candles() == ordered.standing_candles()
    assert mixed.standing_prices() == ordered.standing_prices()
