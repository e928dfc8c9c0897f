"""The source as a whole: from the start to the newest block, over several nodes, and its ends."""

import logging
from collections.abc import Callable
from contextlib import aclosing

import pytest
from tests.adapters.sources.evm.collected import (
    Enough,
    MemoryLog,
    check,
    contributing,
    options,
    run,
    source_of,
)
from tests.adapters.sources.evm.fake_chain import FakeChain, FakeNode
from tests.adapters.sources.evm.http_node import SECRET, HttpNode, serving

from swapstats.adapters.sources.evm.source import EvmSource
from swapstats.adapters.system_clock import SystemClock
from swapstats.errors import Rejected
from swapstats.testing.eventually import eventually_async
from swapstats.testing.manual_clock import ManualClock


def looks(count: int, then: Callable[[int], None] = lambda _look: None) -> Callable[[], None]:
    """Let `count` waits pass, call `then` at each, and have enough."""
    left = iter(range(count))

    def on_wait() -> None:
        look = next(left, None)
        if look is None:
            raise Enough
        then(look)

    return on_wait


async def collect(
    nodes: list[FakeNode], log: MemoryLog, on_wait: Callable[[], None], **given: object
) -> EvmSource:
    source = source_of(options(len(nodes), **given), nodes, on_wait, ManualClock())
    await run(source, log)
    return source


def settled(blocks: int = 60, depth: int = 20) -> FakeChain:
    chain = FakeChain(7, blocks)
    chain.finalise(depth)
    return chain


async def test_past_and_present_come_once_and_in_order() -> None:
    chain, log = settled(), MemoryLog()

    def go_on(_look: int) -> None:
        chain.extend()

    source = await collect([FakeNode(chain)], log, looks(5, go_on))
    check(log, chain, last=chain.head.number)
    places = [(swap.block_number, swap.log_index) for swap in log.messages]
    assert places == sorted(places)
    assert source.name == "evm:fake"
    assert source.status().state == "live"
    assert source.status().detail == f"fake: block {chain.head.number}"


async def test_latest_begins_at_the_newest_final_block() -> None:
    chain, log = settled(), MemoryLog()
    await collect([FakeNode(chain)], log, looks(2), start_block=None)
    check(log, chain, first=chain.final.number + 1)


async def test_position_and_notes_stay_small() -> None:
    chain, log = settled(), MemoryLog()

    def go_on(_look: int) -> None:
        chain.extend()
        chain.finalise(3)

    await collect([FakeNode(chain)], log, looks(40, go_on))
    assert log.position is not None
    assert len(log.position) < 400
    blocks = [key for key in log.notes if key.startswith("block/")]
    assert len(blocks) <= 3 + 4


async def test_a_restart_asks_for_no_token_again() -> None:
    chain, log, fake = settled(), MemoryLog(), FakeNode(settled())
    await collect([FakeNode(chain)], log, looks(2))
    await collect([fake], log, looks(2))
    assert "eth_call" not in {method for method, _ in fake.calls}


async def test_after_a_long_absence_what_left_meanwhile_is_taken_back() -> None:
    chain, log = settled(), MemoryLog()
    await collect([FakeNode(chain)], log, looks(2))
    before = len(log.messages)
    chain.fork(10, 80)
    chain.finalise(5)
    await collect([FakeNode(chain)], log, looks(2))
    check(log, chain)
    assert any(swap.removed for swap in log.messages[before:])


@pytest.mark.parametrize("trouble", ["wrong chain", "down", "garbage", "lying about finality"])
async def test_another_node_steps_in(trouble: str) -> None:
    chain, log = settled(), MemoryLog()
    bad = FakeNode(chain, faults={trouble: 100})
    if trouble == "wrong chain":
        bad.chain_id = 5
    if trouble == "lying about finality":

        class Lying(FakeNode):
            def eth_getBlockByNumber(self, number: str, full: bool) -> dict[str, object] | None:
                said = super().eth_getBlockByNumber(number, full)
                far = {"number": hex(10**9)} if number in {"latest", "finalized"} else {}
                return None if said is None else said | far

        bad = Lying(chain)
    source = await collect([bad, FakeNode(chain)], log, looks(4))
    check(log, chain)
    if trouble != "lying about finality":
        assert "node0" in source.status().detail or "was none" in source.status().detail


async def test_a_preferred_node_that_lags_is_no_reorg_and_holds_nobody_back() -> None:
    chain, log = settled(), MemoryLog()
    lagging = FakeNode(chain)

    def fall_behind(look: int) -> None:
        chain.extend(swaps=2)
        lagging.lag = 2 * look + 1

    await collect([lagging, FakeNode(chain)], log, looks(6, fall_behind))
    check(log, chain)
    assert not any(swap.removed for swap in log.messages)


async def test_a_node_without_new_blocks_is_not_the_last_word() -> None:
    chain, log = settled(), MemoryLog()
    stuck = FakeNode(chain, head=chain.head)

    def go_on(look: int) -> None:
        if look == 0:
            chain.extend(swaps=2)

    await collect([stuck, FakeNode(chain)], log, looks(8, go_on), stale_ms=3_000)
    check(log, chain)


async def test_nothing_is_written_while_no_node_answers() -> None:
    chain, log = settled(), MemoryLog()
    fake = FakeNode(chain)

    def outage(look: int) -> None:
        fake.faults = {"down": 100} if 2 <= look < 6 else {}
        if look == 2:
            chain.extend(swaps=2)

    source = await collect([fake], log, looks(6, outage))
    assert source.status().state == "waiting"
    assert "was none" in source.status().detail
    written = len(log.messages)
    fake.faults = {}
    source = await collect([fake], log, looks(3))
    assert source.status().state == "live"
    assert len(log.messages) == written + 2
    check(log, chain)


async def test_blocks_that_leave_beyond_finality_end_the_source() -> None:
    chain, log = settled(30, 2), MemoryLog()
    await collect([FakeNode(chain)], log, looks(2))
    written = len(log.messages)
    chain.final = chain.canonical()[5]
    chain.fork(20, 25)
    source = source_of(options(), [FakeNode(chain)], looks(50), ManualClock())
    with pytest.raises(Rejected, match="Expected the final block 28 of fake to be 0x"):
        await run(source, log)
    assert source.status().state == "failed"
    assert "empty data directory" in source.status().detail
    assert len(log.messages) == written


async def test_a_final_block_that_left_while_nobody_looked_ends_the_source() -> None:
    """Far behind, the look itself finds nothing wrong: only the range does."""
    chain, log = settled(), MemoryLog()
    await collect([FakeNode(chain)], log, looks(2))
    base = chain.at(0)
    assert base is not None
    chain.head = chain.final = base
    for _ in range(150):
        chain.extend(swaps=1)
    chain.finalise(20)
    with pytest.raises(Rejected, match="left the chain that counted as final"):
        await collect([FakeNode(chain)], log, looks(8))


@pytest.mark.parametrize("confirmations", [None, 60, 61])
async def test_a_range_that_left_the_chain_after_a_kill_is_noticed(
    confirmations: int | None,
) -> None:
    """Its messages are in the log, its position is not: what took its place must not pass."""
    chain, log = settled(), MemoryLog()
    source = source_of(options(), [FakeNode(chain)], looks(5), ManualClock())
    count = 0
    while not log.messages:
        log = MemoryLog()
        await run(source, log, count, "messages")
        count += 1
    base = chain.at(0)
    assert base is not None
    chain.head = chain.final = base
    for _ in range(60):
        chain.extend()
    chain.finalise(20)
    with pytest.raises(Rejected, match="left the chain that counted as final"):
        await collect([FakeNode(chain)], log, looks(5), confirmations=confirmations)


async def test_while_other_nodes_are_away_one_that_denies_is_not_believed_at_once() -> None:
    chain, log = settled(30, 2), MemoryLog()
    await collect([FakeNode(chain)], log, looks(2))
    astray, away = FakeNode(FakeChain(8, 40)), FakeNode(chain, faults={"down": 100})
    chain.extend(swaps=1)

    def come_back(look: int) -> None:
        away.faults = {} if look > 20 else away.faults

    source = await collect([astray, away], log, looks(90, come_back))
    assert source.status().state == "live"
    check(log, chain)


async def test_one_node_alone_cannot_end_it() -> None:
    chain, log = settled(30, 2), MemoryLog()
    await collect([FakeNode(chain)], log, looks(2))
    astray = FakeChain(8, 40)
    chain.extend(swaps=1)
    await collect([FakeNode(astray), FakeNode(chain)], log, looks(8))
    check(log, chain)


@pytest.mark.parametrize("position", ["", "17", '{"BTCUSDT":5}'])
async def test_a_foreign_position_ends_the_source(position: str) -> None:
    log = MemoryLog()
    log.position = position
    source = source_of(options(), [FakeNode(settled())], looks(2), ManualClock())
    with pytest.raises(Rejected, match="Expected a position"):
        await run(source, log)
    assert source.status().state == "failed"


async def test_over_http_it_follows_a_chain_and_never_tells_the_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    chain, log = settled(), MemoryLog()
    async with serving(HttpNode(FakeNode(chain))) as good, serving(HttpNode(hangs=True)) as bad:
        given = options(providers=(bad.provider, good.provider), poll_interval_ms=1, timeout_ms=50)
        source = EvmSource(given, SystemClock())
        async with aclosing(source.open(None)) as batches:  # type: ignore[type-var]
            async for batch in batches:
                log.write(batch)
                if len(contributing(log.messages)) == sum(len(b.logs) for b in chain.canonical()):
                    break
        await eventually_async(lambda: len(bad.asked) > 0, 1_000, "the hanging node to be asked")
    check(log, chain)
    assert "within 50 ms" in source.status().detail
    assert SECRET not in source.status().detail
    assert SECRET not in caplog.text
