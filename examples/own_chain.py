"""Swaps in USD of a chain nobody listed: python own_chain.py URL CHAIN_ID STABLE WRAPPED_COIN."""

import asyncio
import sys
from contextlib import aclosing

from swapstats.collect import ChainTokens, PriceRules, evm, priced


async def main(url: str, chain_id: int, stable: str, wrapped: str) -> None:
    tokens = ChainTokens(stables=(stable.lower(),), natives=(wrapped.lower(),))
    rules = PriceRules(chains={chain_id: tokens}, liquidity_floor_micros=20_000 * 10**6)
    async with aclosing(priced(evm([url], chain_id, start=0, factories="any"), rules)) as swaps:
        async for swap in swaps:
            sign = "-" if swap.removed else "+"
            print(sign, swap.token, swap.side, swap.amount_usd, swap.price_source, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]))
