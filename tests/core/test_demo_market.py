"""The demo market: the same bytes again, every message valid, the promised shares of trouble."""

import json
import random
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from swapstats.core.demo_market import (
    MARKET_START_MS,
    REORG_PERIOD_SLICES,
    SLICE_MS,
    DemoMarket,
)
from swapstats.errors import UsageError

T_MS = 1_763_700_000_000
PERIOD_MS = REORG_PERIOD_SLICES * SLICE_MS


def slices(market: DemoMarket, first_ms: int, count: int) -> list[tuple[int, dict[str, Any]]]:
    """Messages of `count` slices as (arrival, fields), numbers of amounts still texts."""
    return [
        (t_ms, json.loads(message))
        for t_ms in range(first_ms, first_ms + count * SLICE_MS, SLICE_MS)
        for message in market.slice(t_ms)
    ]


def identity(swap: dict[str, Any]) -> tuple[str, int]:
    event_id = swap.get("event_id") or f"{swap['chain_id']}:{swap['tx_hash']}:{swap['log_index']}"
    return event_id, swap.get("inclusion", 0)


def token_key(swap: dict[str, Any]) -> str:
    address: str = swap["token_address"]
    return f"{swap['chain_id']}:{address}" if "chain_id" in swap else address


def content(swap: dict[str, Any]) -> tuple[str, str, str, str | None, int]:
    return (
        token_key(swap), swap["side"], swap["amount_token"], swap["amount_usd"], swap["event_time"],
    )  # fmt: skip


@pytest.fixture(scope="module")
def minute() -> list[tuple[int, dict[str, Any]]]:
    """A market's messages of two minutes."""
    return slices(DemoMarket(1), T_MS, 1_200)


def check_wire_v1(swap: dict[str, Any], arrival_ms: int) -> None:
    """The contract, once more, in the plainest words."""
    assert swap["schema_version"] == 1
    assert swap["side"] in {"buy", "sell"}
    amount = Decimal(swap["amount_token"])
    assert 0 < amount < 10**20
    assert -18 <= int(amount.as_tuple().exponent) <= 0
    if swap["amount_usd"] is not None:
        usd = Decimal(swap["amount_usd"])
        assert 0 < usd < 10**12
        assert -6 <= int(usd.as_tuple().exponent) <= 0
    assert type(swap["event_time"]) is int
    assert arrival_ms - 101_000 <= swap["event_time"] <= arrival_ms + 1_400
    assert swap["token_symbol"]
    assert 0 < len(swap["token_address"].encode()) <= 256
    if "chain_id" in swap:
        assert "event_id" not in swap
        for name, digits in (
            ("tx_hash", 64), ("block_hash", 64), ("token_address", 40), ("pool_address", 40),
            ("trader", 40),
        ):  # fmt: skip
            assert swap[name].startswith("0x")
            assert len(swap[name]) == 2 + digits
            assert int(swap[name], 16) >= 0
            assert swap[name] == swap[name].lower()
        for name in ("chain_id", "log_index", "block_number"):
            assert type(swap[name]) is int
            assert swap[name] >= 0
    else:
        symbol = swap["token_symbol"]
        assert swap["event_id"].startswith(f"demo-exchange:{symbol}USDT:")
        assert swap["token_address"] == symbol
        assert not swap.keys() & {"tx_hash", "removed", "inclusion"}
    assert swap.get("inclusion", 1) == 1
    assert swap.get("removed", True) is True


def test_every_message_keeps_the_contract(minute: list[tuple[int, dict[str, Any]]]) -> None:
    for arrival_ms, swap in minute:
        check_wire_v1(swap, arrival_ms)


def test_the_same_slice_is_the_same_bytes_whatever_came_before() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    times = [T_MS + number * SLICE_MS for number in range(300)]
    one, other = DemoMarket(seed, 500, 2_000), DemoMarket(seed, 500, 2_000)
    forward = {t_ms: one.slice(t_ms) for t_ms in times}
    random.Random(seed).shuffle(times)
    assert {t_ms: other.slice(t_ms) for t_ms in times} == forward


@pytest.mark.parametrize(
    "other", [DemoMarket(2, 500, 1_000), DemoMarket(1, 501, 1_000), DemoMarket(1, 500, 1_001)]
)
def test_another_market_has_other_ids(other: DemoMarket) -> None:
    ids = {identity(swap) for _, swap in slices(DemoMarket(1, 500, 1_000), T_MS, 50)}
    assert not ids & {identity(swap) for _, swap in slices(other, T_MS, 50)}


def test_repeats_and_removals_repeat_every_byte_that_counts(
    minute: list[tuple[int, dict[str, Any]]],
) -> None:
    contents: dict[tuple[str, int], tuple[str, str, str, str | None, int]] = {}
    for _, swap in minute:
        assert contents.setdefault(identity(swap), content(swap)) == content(swap)


@pytest.mark.parametrize("rate", [1, 7, 1_000, 1_234])
def test_the_rate_is_that_of_new_swaps(rate: int) -> None:
    market = DemoMarket(3, 300, rate)
    new = sum(market.swap_count(T_MS + number * SLICE_MS) for number in range(100))
    assert abs(new - 10 * rate) <= 1


def test_shares_of_trouble(minute: list[tuple[int, dict[str, Any]]]) -> None:
    first_adds = {}
    duplicates = late = ahead = unpriced = 0
    for arrival_ms, swap in minute:
        if swap.get("removed") or swap.get("inclusion"):
            continue
        if identity(swap) in first_adds:
            duplicates += 1
            continue
        first_adds[identity(swap)] = content(swap)
        late += arrival_ms - swap["event_time"] > 13_000
        ahead += swap["event_time"] > arrival_ms + 800
        unpriced += swap["amount_usd"] is None
    total = len(first_adds)
    assert 0.97 < total / 120_000 < 1.03
    assert 0.014 < duplicates / total < 0.024
    assert 0.004 < late / total < 0.014
    assert 0 < ahead / total < 0.01
    assert 0.003 < unpriced / total < 0.007


def test_reorgs_take_back_and_put_back(minute: list[tuple[int, dict[str, Any]]]) -> None:
    removals: dict[tuple[str, int], tuple[int, dict[str, Any]]] = {}
    back: dict[str, tuple[int, dict[str, Any]]] = {}
    adds: dict[tuple[str, int], dict[str, Any]] = {}
    for arrival_ms, swap in minute:
        if swap.get("removed"):
            removals[identity(swap)] = arrival_ms, swap
        elif swap.get("inclusion"):
            back[identity(swap)[0]] = arrival_ms, swap
        else:
            adds[identity(swap)] = swap
    share = len(removals) / len(adds)
    assert 0.003 < share < 0.05
    moments = Counter(
        (arrival_ms // PERIOD_MS, swap["chain_id"]) for arrival_ms, swap in removals.values()
    )
    assert len(moments) == 1_200 // REORG_PERIOD_SLICES
    assert {event_id for event_id, _ in removals} == back.keys()
    assert sum(key in adds for key in removals) > 0.95 * len(removals)  # few are late
    other_amounts = 0
    for (event_id, inclusion), (arrival_ms, removal) in removals.items():
        assert inclusion == 0
        back_ms, again = back[event_id]
        assert back_ms == arrival_ms + 300
        assert token_key(again) == token_key(removal)
        assert again["block_number"] == removal["block_number"]
        assert again["block_hash"] != removal["block_hash"]
        other_amounts += again["amount_token"] != removal["amount_token"]
    assert 0.2 < other_amounts / len(removals) < 0.4
    blocks = {(swap["chain_id"], swap["block_number"]) for _, swap in removals.values()}
    for (event_id, inclusion), swap in adds.items():  # whole blocks went
        if (swap.get("chain_id"), swap.get("block_number")) in blocks:
            assert (event_id, inclusion) in removals


def test_tokens_are_zipf_with_known_names_and_unique_keys() -> None:
    market = DemoMarket(5)
    found = slices(market, T_MS, 600)
    trades = Counter(token_key(swap) for _, swap in found)
    symbols = {token_key(swap): swap["token_symbol"] for _, swap in found}
    assert len(trades) > 2_000
    top = [symbols[key] for key, _ in trades.most_common(20)]
    assert {"WETH", "BTC", "USDC", "ETH", "SOL"} <= set(top)
    counts = sorted(trades.values(), reverse=True)
    assert 4 < counts[0] / counts[49] < 30
    usdc = {key.split(":")[0] for key, symbol in symbols.items() if symbol == "USDC"}
    assert {"1", "137", "8453"} <= usdc
    templates = market._templates
    assert len(set(templates)) == len(templates) == 3_000


def test_prices_walk_but_stay_near_their_level() -> None:
    market = DemoMarket(5, 40, 1_000)
    prices: dict[str, list[float]] = {"USDC": [], "WETH": []}
    for hours in range(24):
        for _, swap in slices(market, T_MS + hours * 3_600_000, 5):
            symbol = swap["token_symbol"]
            if symbol in prices and swap["amount_usd"] and Decimal(swap["amount_usd"]) > 1:
                prices[symbol].append(
                    float(Decimal(swap["amount_usd"]) / Decimal(swap["amount_token"]))
                )
    assert 0.99 < min(prices["USDC"]) <= max(prices["USDC"]) < 1.01
    assert 3_000 < min(prices["WETH"]) < max(prices["WETH"]) < 3_900
    assert max(prices["WETH"]) / min(prices["WETH"]) > 1.01


@pytest.mark.parametrize(("tokens", "rate"), [(1, 1), (1, 1_000), (5, 20), (20_000, 100)])
def test_odd_sizes_work(tokens: int, rate: int) -> None:
    for arrival_ms, swap in slices(DemoMarket(0, tokens, rate), T_MS, REORG_PERIOD_SLICES):
        check_wire_v1(swap, arrival_ms)


def test_the_first_slices_of_all() -> None:
    for arrival_ms, swap in slices(DemoMarket(-1), MARKET_START_MS, 20):
        check_wire_v1(swap, arrival_ms)


@pytest.mark.parametrize("t_ms", [T_MS + 1, MARKET_START_MS - SLICE_MS, 0])
def test_times_without_a_slice(t_ms: int) -> None:
    with pytest.raises(UsageError, match="multiple of 100 ms"):
        DemoMarket(1).slice(t_ms)


@pytest.mark.parametrize(("tokens", "rate"), [(0, 1), (1, 0), (10**6, 1), (1, 10**7)])
def test_sizes_out_of_bounds(tokens: int, rate: int) -> None:
    with pytest.raises(UsageError, match="Expected"):
        DemoMarket(1, tokens, rate)
