"""Recorded days of two pools, from logs to swaps, held against sums their publisher made."""

import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from tests.core.evm.recorded import ETHEREUM, POLYGON, body, ethereum_day, polygon_day, rows

from swapstats.core.evm.decode import decode_logs
from swapstats.core.evm.logs import PoolTokens
from swapstats.core.evm.registry import standard_registry
from swapstats.core.evm.to_event import to_event
from swapstats.core.preprocess.preprocessor import Preprocessor
from swapstats.core.preprocess.rules import PriceRules
from swapstats.core.preprocess.token_lists import DEFAULT_CHAINS
from swapstats.model.preprocessed import MINUTE_MS
from swapstats.model.raw_event import PoolSwap
from swapstats.testing.raw_events import USDC, WETH, batch_of

DAYS = {
    "ethereum": (1, ETHEREUM, f"{ETHEREUM}.docs.raw.csv.gz", ethereum_day, (USDC, WETH)),
    "polygon": (
        137, POLYGON, f"{POLYGON}.raw.csv.gz", polygon_day,
        (DEFAULT_CHAINS[137].stables[1], DEFAULT_CHAINS[137].others[0]),
    ),
}  # fmt: skip
NOT_SUMMED = ("polygon", "2023-11-25 23:59:00")
"""The publisher left the swaps of this minute out."""


def time_ms(text: str) -> int:
    return int(datetime.fromisoformat(text[:19]).replace(tzinfo=UTC).timestamp()) * 1_000


def swaps_of(chain: str) -> list[PoolSwap]:
    chain_id, _, raw, logs, (stable, coin) = DAYS[chain]
    times = {int(row["block_number"]): time_ms(row["block_timestamp"]) for row in rows(raw)}
    tokens = PoolTokens(
        token0=stable, token1=coin, decimals0=6, decimals1=18, symbol0="USDC", symbol1="WETH"
    )
    return [
        to_event(swap, tokens, times[swap.block_number], chain_id)
        for swap in decode_logs(body(logs()), standard_registry()).swaps
    ]


@pytest.mark.parametrize("chain", DAYS)
def test_volumes_per_minute_are_those_of_the_publisher(chain: str) -> None:
    """The publisher sums what came in and the net of both tokens; both together are the volume."""
    events = swaps_of(chain)
    done = Preprocessor(PriceRules()).apply(batch_of(events))
    assert not done.refused
    assert len(done.swaps) == len(events) == done.counts["stable"]
    volumes: Counter[int] = Counter()
    amounts: Counter[int] = Counter()
    for message in done.swaps:
        swap = json.loads(message)
        volumes[swap["event_time"] // MINUTE_MS] += int(Decimal(swap["amount_usd"]).scaleb(6))
        amounts[swap["event_time"] // MINUTE_MS] += int(Decimal(swap["amount_token"]).scaleb(18))
    for row in rows(f"{DAYS[chain][1]}.minute.csv.gz"):
        minute = time_ms(row["timestamp"]) // MINUTE_MS
        wanted = [2 * int(Decimal(row[f"inAmount{side}"])) - int(Decimal(row[f"netAmount{side}"]))
                  for side in (0, 1)]  # fmt: skip
        found = [volumes.pop(minute, 0), amounts.pop(minute, 0)]
        if (chain, row["timestamp"]) != NOT_SUMMED:
            assert found == wanted, row["timestamp"]
    assert not volumes


def test_candles_hold_the_same_volumes() -> None:
    done = Preprocessor(PriceRules(candle_floor_micros=1)).apply(batch_of(swaps_of("ethereum")))
    swaps = [json.loads(message) for message in done.swaps]
    assert sum(candle.trades for candle in done.candles) == len(swaps)
    assert sum(Decimal(candle.volume_usd) for candle in done.candles) == sum(
        Decimal(swap["amount_usd"]) for swap in swaps
    )
    assert all(
        Decimal(candle.low) <= Decimal(candle.open) <= Decimal(candle.high)
        for candle in done.candles
    )
