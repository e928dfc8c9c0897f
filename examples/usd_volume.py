"""Trades of an exchange in USD: what was bought and sold of each asset."""

import asyncio
from collections import defaultdict
from contextlib import aclosing
from decimal import Decimal

from swapstats.collect import RawEvent, Refusal, exchange, priced


def complain(event: RawEvent, refusal: Refusal) -> None:
    print("refused:", refusal.reason, refusal.detail, event, flush=True)


async def main() -> None:
    volume: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    trades = exchange("binance", ["BTCUSDT", "ETHUSDT"])
    async with aclosing(priced(trades, on_refused=complain)) as swaps:
        async for swap in swaps:
            # None: nobody could say what it was worth.
            volume[swap.token, swap.side] += swap.amount_usd or Decimal(0)
            print(swap.event_id, swap.token, swap.side, volume[swap.token, swap.side], flush=True)


if __name__ == "__main__":
    asyncio.run(main())
