"""Swaps of a chain as its pools tell them: python chain.py URL CHAIN_ID FIRST_BLOCK FACTORY..."""

import asyncio
import sys
from collections.abc import Sequence

from swapstats.collect import evm


async def main(url: str, chain_id: int, first_block: int, factories: Sequence[str] = ()) -> None:
    added: set[tuple[str, int, int]] = set()
    gone: set[tuple[str, int, int]] = set()
    chain = evm([url], chain_id, start=first_block, factories=factories, state="chain.db")
    async with chain as swaps:
        async for swap in swaps:
            # What counts is `added - gone`, whatever comes twice; a real program stores both.
            (gone if swap.removed else added).add((swap.tx_hash, swap.log_index, swap.inclusion))
            print(swap.block_number, swap.venue, swap.pool, swap.amount0, swap.amount1, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
