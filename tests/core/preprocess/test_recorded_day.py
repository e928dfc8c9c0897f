"""A recorded day of one pool, held against sums its publisher made of the same logs."""

import csv
import gzip
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from swapstats.core.preprocess.preprocessor import Preprocessor
from swapstats.core.preprocess.rules import PriceRules
from swapstats.model.preprocessed import MINUTE_MS
from swapstats.model.raw_event import PoolSwap
from swapstats.testing.raw_events import batch_of

DATA = Path(os.environ.get("SWAPSTATS_DATA", Path(__file__).parents[4] / "shared/data")) / "onchain"
NOT_SUMMED = ("polygon", "2023-11-25 23:59:00")
"""The publisher left the swaps of this minute out."""
_hashes = re.compile(r"0x[0-9a-f]{64}").findall
SWAP_TOPIC = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"
DAYS = {
    "ethereum": (
        1, "0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640-2024-01-05.docs",
        "0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640-2024-01-05",
        "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2",
    ),
    "polygon": (
        137, "0x45dda9cb7c25131df268515131f647d726f50608-2023-11-25",
        "0x45dda9cb7c25131df268515131f647d726f50608-2023-11-25",
        "0x2791bca1f2de4661ed88a30c99a7a9449aa84174", "0x7ceb23fd6bc0add59e62ac25578270cff1b9f619",
    ),
}  # fmt: skip


def rows(name: str) -> Iterator[dict[str, str]]:
    path = DATA / f"demeter_{name}.csv.gz"
    if not path.exists():
        pytest.skip(f"no real data at {DATA}: set SWAPSTATS_DATA to the folder that holds onchain/")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from csv.DictReader(lines)


def time_ms(text: str) -> int:
    return int(datetime.fromisoformat(text[:19]).replace(tzinfo=UTC).timestamp()) * 1_000


def signed(word: str) -> int:
    value = int(word, 16)
    return value - (1 << 256) if value >> 255 else value


def swaps_of(chain: str) -> list[PoolSwap]:
    chain_id, raw, pool, stable, coin = DAYS[chain]
    found = []
    for row in rows(f"{chain}-{raw}.raw"):
        data = row.get("data") or row["pool_data"]
        topics = _hashes(row.get("topics") or row["pool_topics"])
        if topics[0] != SWAP_TOPIC:
            continue
        words = [data[at : at + 64] for at in range(2, 322, 64)]
        root, liquidity = int(words[2], 16), int(words[3], 16)
        found.append(
            PoolSwap(
                chain_id=chain_id, block_number=int(row["block_number"]),
                block_hash=f"0x{int(row['block_number']):064x}", tx_hash=row["transaction_hash"],
                log_index=int(row.get("log_index") or row["pool_log_index"]),
                event_time=time_ms(row["block_timestamp"]),
                venue="uniswap_v3", pool=pool[:42], token0=stable, token1=coin,
                amount0=str(signed(words[0])), amount1=str(signed(words[1])),
                decimals0=6, decimals1=18, symbol0="USDC", symbol1="WETH",
                trader="0x" + topics[1][26:], depth0=str((liquidity << 96) // root),
                depth1=str(liquidity * root >> 96),
            )
        )  # fmt: skip
    return found


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
    for row in rows(f"{chain}-{DAYS[chain][2]}.minute"):
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
