"""A program that prints the ids of trades: `collector_process.py STREAM REST STATE`."""

import asyncio
import sys

from swapstats.collect import exchange


async def main(stream_url: str, rest_url: str, state: str) -> None:
    trades = exchange("binance", "BTCUSDT", state=state, stream_url=stream_url, rest_url=rest_url)
    async with trades:
        async for trade in trades:
            print(trade.trade_id, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
