"""Short ways to a node, a link or a client of a fake node."""

import asyncio
from collections import Counter

from tests.adapters.sources.evm.fake_chain import CHAIN_ID, FakeNode

from swapstats.adapters.sources.evm.node import ChainNode
from swapstats.adapters.sources.evm.options import Provider
from swapstats.adapters.sources.evm.providers import Link
from swapstats.adapters.sources.evm.rpc import RpcClient
from swapstats.core.evm.pool_selection import PoolSelection
from swapstats.testing.manual_clock import ManualClock

EVERYTHING = PoolSelection((), (), ())


def asked(
    fake: FakeNode,
    selection: PoolSelection = EVERYTHING,
    host: str = "node",
    refused: Counter[str] | None = None,
) -> ChainNode:
    """A node of `selection` that asks `fake`."""
    client = RpcClient(fake, Provider(f"http://{host}"), 5, lambda: 0.0, asyncio.sleep)
    return ChainNode(client, selection.registry(), selection.addresses, refused)


def link_to(fake: FakeNode, clock: ManualClock, host: str = "node", weight: int = 1) -> Link:
    """A link to `fake`."""
    provider = Provider(f"http://{host}", weight)
    return Link(provider, asked(fake, host=host), CHAIN_ID, clock)
