"""Live trades of an exchange; started again, it goes on where it was."""

import asyncio

from swapstats.collect import exchange


async def main() -> None:
    async with exchange("binance", ["BTCUSDT", "ETHUSDT"], state="trades.db") as trades:
        async for trade in trades:
            print(trade.market, trade.trade_id, trade.side, trade.quantity, trade.price, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
