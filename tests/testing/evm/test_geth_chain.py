from typing import Any

import aiohttp

from swapstats.stack.geth import GethServer
from swapstats.testing.eventually import eventually_async
from swapstats.testing.evm.chain import BlockPlan
from swapstats.testing.evm.geth_chain import GethChain
from swapstats.testing.evm.market import Market
from swapstats.testing.evm.story import MarketStory, StoryOptions
from swapstats.testing.evm.truth import V2_SWAP, V3_SWAP, V4_SWAP, canonical_swaps

OnGeth = tuple[GethChain, Market, GethServer]
SWAPS = [[V2_SWAP, V3_SWAP, V4_SWAP]]
BUSY = StoryOptions(trades_max=6, empty_share=0)


async def test_subscribers_hear_of_removed_logs(on_geth: OnGeth) -> None:
    chain, market, server = on_geth
    chain.grow(market.ready, [BlockPlan()])
    story = MarketStory(1, chain, market, BUSY)
    story.grow()
    before = set(canonical_swaps(chain.rpc))
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(server.ws_url) as socket,
    ):
        await socket.send_json(
            {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe",
             "params": ["logs", {"topics": SWAPS}]}
        )  # fmt: skip
        assert "result" in await socket.receive_json()
        story.reorg(depth=1, length=2)
        after = set(canonical_swaps(chain.rpc))
        heard: list[dict[str, Any]] = []
        while len(heard) < len(before) + len(after):
            heard.append((await socket.receive_json(timeout=20))["params"]["result"])
    removed = {place(log) for log in heard if log["removed"]}
    added = {place(log) for log in heard if not log["removed"]}
    assert removed == {(swap.block_hash, swap.log_index) for swap in before}
    assert added == {(swap.block_hash, swap.log_index) for swap in after}
    assert removed
    assert not removed & added


async def test_what_left_still_answers_by_its_hash_and_may_win_again(on_geth: OnGeth) -> None:
    chain, market, _ = on_geth
    chain.grow(market.ready, [BlockPlan(after_s=2)])
    story = MarketStory(2, chain, market, BUSY)
    story.grow(2)
    long, swaps = chain.head, canonical_swaps(chain.rpc)
    story.reorg(depth=2, length=1)
    assert canonical_swaps(chain.rpc) != swaps
    left = chain.rpc.call("eth_getLogs", {"blockHash": long, "topics": SWAPS})
    assert {place(log) for log in left} <= {(swap.block_hash, swap.log_index) for swap in swaps}
    assert left
    assert not any(log["removed"] for log in left)
    assert story.flip() == 1
    assert chain.head == long
    await eventually_async(
        lambda: canonical_swaps(chain.rpc) == swaps, 10_000, "the old branch's swaps"
    )
    # And back to the branch of one block: the chain becomes shorter.
    assert story.flip() == 2
    assert story.counts["flips to a shorter branch"] == 1
    assert chain.blocks[chain.head].number < chain.blocks[long].number


def test_blocks_become_final_and_stay_so(on_geth: OnGeth) -> None:
    chain, market, _ = on_geth
    chain.grow(market.ready, [BlockPlan(after_s=3), BlockPlan()])
    chain.finalize(market.ready)
    assert chain.rpc.call("eth_getBlockByNumber", "finalized", False)["hash"] == market.ready
    chain.grow(market.ready, [BlockPlan(after_s=4)])
    assert chain.rpc.call("eth_getBlockByNumber", "finalized", False)["hash"] == market.ready


def place(log: dict[str, Any]) -> tuple[str, int]:
    return log["blockHash"], int(log["logIndex"], 16)
