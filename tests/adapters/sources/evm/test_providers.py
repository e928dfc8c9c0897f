"""Whom to ask next: by weight, by failures, by what they ask for."""

import pytest
from tests.adapters.sources.evm.asking import link_to
from tests.adapters.sources.evm.fake_chain import FakeChain, FakeNode

from swapstats.adapters.sources.evm.node import ChainNode
from swapstats.adapters.sources.evm.providers import FAILURES_MAX, Providers
from swapstats.adapters.sources.evm.rpc_errors import (
    RpcError,
    RpcGarbage,
    RpcMissing,
    RpcRateLimited,
)
from swapstats.core.evm.chain import Header
from swapstats.errors import Rejected
from swapstats.testing.manual_clock import ManualClock


async def head_of(node: ChainNode) -> Header:
    return await node.head()


async def absent(node: ChainNode) -> list[Header]:
    return await node.headers_at([1_000])


def test_the_heaviest_are_first_and_equals_stay_in_order() -> None:
    fake, clock = FakeNode(FakeChain(1, 3)), ManualClock()
    links = [link_to(fake, clock, host, weight) for host, weight in (("a", 1), ("b", 5), ("c", 1))]
    assert [link.node.host for link in Providers(links).usable()] == ["b", "a", "c"]


async def test_a_node_that_fails_is_left_alone_and_tried_again() -> None:
    fake, clock = FakeNode(FakeChain(1, 3)), ManualClock()
    link = link_to(fake, clock)
    providers = Providers([link])
    fake.faults = {"down": 100}
    for _ in range(FAILURES_MAX):
        assert providers.usable() == [link]
        with pytest.raises(RpcError):
            await link.ask(head_of)
    assert providers.usable() == []
    assert providers.troubles() == ["Expected an answer, was none"]
    first_ms = providers.wait_ms()
    clock.advance(first_ms)
    with pytest.raises(RpcError):
        await link.ask(head_of)
    assert providers.wait_ms() > first_ms
    clock.advance(providers.wait_ms())
    fake.faults = {}
    assert (await link.ask(head_of)).number == 3
    assert (providers.usable(), providers.troubles()) == ([link], [])


async def test_a_node_that_asks_to_wait_is_waited_for() -> None:
    fake, clock = FakeNode(FakeChain(1, 3), faults={"limited": 100}), ManualClock()
    link = link_to(fake, clock)
    with pytest.raises(RpcRateLimited):
        await link.ask(head_of)
    assert link.wait_ms() == 1_000


async def test_a_node_of_another_chain_is_not_used() -> None:
    fake, clock = FakeNode(FakeChain(1, 3), chain_id=5), ManualClock()
    link = link_to(fake, clock)
    with pytest.raises(RpcGarbage, match="Expected chain 1337 of node, was 5: check the URL"):
        await link.ask(head_of)
    assert link.wait_ms() > 30_000


async def test_the_chain_is_asked_for_once_and_again_after_a_failure() -> None:
    fake, clock = FakeNode(FakeChain(1, 3)), ManualClock()
    link = link_to(fake, clock)
    await link.ask(head_of)
    await link.ask(head_of)
    assert [method for method, _ in fake.calls].count("eth_chainId") == 1
    fake.faults = {"down": 100}
    with pytest.raises(RpcError):
        await link.ask(head_of)
    fake.faults, fake.chain_id = {}, 5
    with pytest.raises(RpcGarbage):
        await link.ask(head_of)


async def test_a_node_that_is_behind_is_not_broken() -> None:
    fake, clock = FakeNode(FakeChain(1, 3)), ManualClock()
    link = link_to(fake, clock)
    for _ in range(2 * FAILURES_MAX):
        with pytest.raises(RpcMissing):
            await link.ask(absent)
    assert link.wait_ms() == 0
    assert link.trouble is not None


async def test_what_the_rules_refuse_counts_against_the_node() -> None:
    async def refuse(_node: ChainNode) -> None:
        raise Rejected("Expected the parent, was another")

    fake, clock = FakeNode(FakeChain(1, 3)), ManualClock()
    link = link_to(fake, clock)
    for _ in range(FAILURES_MAX):
        with pytest.raises(RpcGarbage, match="node: Expected the parent"):
            await link.ask(refuse)
    assert link.wait_ms() > 0


def test_a_node_may_be_told_to_rest() -> None:
    link = link_to(FakeNode(FakeChain(1, 3)), ManualClock())
    link.rest(70)
    assert link.wait_ms() == 70
