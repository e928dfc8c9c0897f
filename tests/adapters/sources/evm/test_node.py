"""Questions to a node, and answers that are not believed."""

import threading
from collections import Counter
from typing import Any

import pytest
from tests.adapters.sources.evm.asking import asked
from tests.adapters.sources.evm.fake_chain import (
    CHAIN_ID,
    POOLS,
    TOKENS,
    FakeBlock,
    FakeChain,
    FakeNode,
    digest,
)

from swapstats.adapters.sources.evm.rpc_errors import RpcGarbage, RpcMissing, RpcRefused
from swapstats.core.evm.chain import Header
from swapstats.core.evm.decode import decode_list
from swapstats.core.evm.logs import DecodedLogs
from swapstats.core.evm.pool_selection import PoolSelection
from swapstats.core.evm.registry import Registry
from swapstats.core.evm.token_metadata import DECIMALS_CALL, TOKEN0_CALL, address_result


def fake_with_swaps() -> FakeNode:
    chain = FakeChain(3)
    for count in (0, 2, 3, 0, 1):
        chain.extend(swaps=count)
    chain.finalise(2)
    return FakeNode(chain)


def header_of(block: FakeBlock) -> Header:
    said = block.header
    return Header(block.number, block.hash, block.parent, int(said["timestamp"], 16) * 1_000)


async def test_heads_and_headers() -> None:
    fake = fake_with_swaps()
    node = asked(fake)
    blocks = [header_of(block) for block in fake.chain.canonical()]
    assert await node.chain_id() == CHAIN_ID
    assert (await node.head(), await node.finalized()) == (blocks[5], blocks[3])
    assert await node.header_of(blocks[2].hash) == blocks[2]
    assert await node.headers_at([4, 1, 3]) == [blocks[4], blocks[1], blocks[3]]
    assert await node.headers_at([]) == []


async def test_a_chain_without_a_final_block_has_none() -> None:
    fake = fake_with_swaps()
    fake.has_finalized = False
    assert (await asked(fake).head()).number == 5
    assert await asked(fake).finalized() is None


async def test_blocks_that_are_not_there_yet_are_missing() -> None:
    node = asked(fake_with_swaps())
    with pytest.raises(RpcMissing, match="Expected block 6"):
        await node.headers_at([5, 6])
    with pytest.raises(RpcMissing):
        await node.header_of("0x" + "9" * 64)


async def test_logs_by_hash_are_those_of_the_block() -> None:
    fake = fake_with_swaps()
    blocks = fake.chain.canonical()
    found = await asked(fake).logs_of([header_of(block) for block in blocks])
    assert [len(one.swaps) for one in found] == [0, 0, 2, 3, 0, 1]
    assert [swap.block_hash for swap in found[3].swaps] == [blocks[3].hash] * 3


async def test_logs_of_a_range_come_in_order() -> None:
    fake = fake_with_swaps()
    logs = await asked(fake).logs_between(2, 5)
    assert [(swap.block_number, swap.log_index) for swap in logs.swaps] == [
        (2, 0),
        (2, 1),
        (3, 0),
        (3, 1),
        (3, 2),
        (5, 0),
    ]


@pytest.mark.parametrize(("swaps", "is_on_loop"), [(3, True), (1_000, False)])
async def test_a_large_answer_is_read_beside_the_loop(
    swaps: int, is_on_loop: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def watched(answer: bytes, registry: Registry) -> DecodedLogs:
        threads.append(threading.current_thread())
        return decode_list(answer, registry)

    monkeypatch.setattr("swapstats.adapters.sources.evm.node.decode_list", watched)
    chain = FakeChain(3)
    chain.extend(swaps=0)
    head = chain.head
    logs = tuple(chain.log(digest(index), index, 1, head.hash) for index in range(swaps))
    chain.head = chain.blocks[head.hash] = FakeBlock(1, head.hash, head.parent, logs)
    found = await asked(FakeNode(chain)).logs_between(1, 1)
    assert len(found.swaps) == swaps
    assert [thread is threading.current_thread() for thread in threads] == [is_on_loop]


async def test_only_named_pools_are_asked_for() -> None:
    fake = fake_with_swaps()
    selection = PoolSelection((POOLS[0],), (), ())
    logs = await asked(fake, selection).logs_between(0, 5)
    assert {swap.pool for swap in logs.swaps} <= {POOLS[0]}
    assert fake.calls[-1][1][0]["address"] == [POOLS[0]]


class Lying(FakeNode):
    """Changes each log before it tells it."""

    change: dict[str, Any]

    def eth_getLogs(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        return [log | self.change for log in super().eth_getLogs(query)]


@pytest.mark.parametrize(
    "change",
    [
        {"blockHash": "0x" + "9" * 64},
        {"blockNumber": "0x9"},
        {"removed": True},
        {"logIndex": "0x0"},
        {"transactionHash": "nonsense"},
        {"data": None},
        {"topics": "0x"},
    ],
)
async def test_logs_that_cannot_be_of_that_block_are_not_believed(change: dict[str, Any]) -> None:
    fake = Lying(fake_with_swaps().chain)
    fake.change = change
    block = fake.chain.canonical()[3]
    with pytest.raises(RpcGarbage):
        await asked(fake).logs_of([header_of(block)])


async def test_logs_that_only_look_like_swaps_are_counted_and_the_first_is_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fake = Lying(fake_with_swaps().chain)
    fake.change = {"data": "0x" + "00" * 32}
    refused: Counter[str] = Counter()
    (logs,) = await asked(fake, refused=refused).logs_of([header_of(fake.chain.canonical()[3])])
    assert refused["data_length"] == len(logs.refused) > 0
    shown = [record.getMessage() for record in caplog.records]
    assert sum("data_length" in text for text in shown) == 1


async def test_logs_of_other_blocks_are_not_believed_in_a_range() -> None:
    fake = Lying(fake_with_swaps().chain)
    fake.change = {"blockNumber": "0x9"}
    with pytest.raises(RpcGarbage, match="blocks 5 to 5"):
        await asked(fake).logs_between(5, 5)


@pytest.mark.parametrize(
    "change",
    [
        {"hash": None},
        {"hash": "0x12"},
        {"hash": "0x" + "9" * 64},
        {"parentHash": "0x" + "x" * 64},
        {"number": "5"},
        {"number": 5},
        {"timestamp": "0x" + "f" * 16},
        {"timestamp": "0x"},
    ],
)
async def test_headers_with_bad_fields_are_not_believed(change: dict[str, Any]) -> None:
    class Bad(FakeNode):
        def eth_getBlockByHash(self, block_hash: str, full: bool) -> dict[str, Any] | None:
            return (super().eth_getBlockByHash(block_hash, full) or {}) | change

    fake = Bad(fake_with_swaps().chain)
    with pytest.raises(RpcGarbage):
        await asked(fake).header_of(fake.chain.head.hash)


async def test_a_block_of_another_number_is_not_believed() -> None:
    class Bad(FakeNode):
        def eth_getBlockByNumber(self, number: str, full: bool) -> dict[str, Any] | None:
            return super().eth_getBlockByNumber("0x1", full)

    with pytest.raises(RpcGarbage, match="Expected block 4"):
        await asked(Bad(fake_with_swaps().chain)).headers_at([4])


class Contracts(FakeNode):
    """Contracts that revert, and a node that keeps no old state."""

    reverts: str = ""
    keeps_state: bool = True

    def eth_call(self, call: dict[str, str], at_block: Any) -> str:
        if not self.keeps_state and at_block != "latest":
            raise LookupError("missing trie node")
        if call["data"] == self.reverts:
            raise LookupError("execution reverted")
        return super().eth_call(call, at_block)


@pytest.mark.parametrize("keeps_state", [True, False])
async def test_a_contract_that_reverts_says_nothing(keeps_state: bool) -> None:
    fake = Contracts(fake_with_swaps().chain)
    fake.reverts, fake.keeps_state = DECIMALS_CALL, keeps_state
    calls = [(POOLS[0], TOKEN0_CALL), (TOKENS[0], DECIMALS_CALL), (POOLS[1], TOKEN0_CALL)]
    said = await asked(fake).contract_calls(calls, fake.chain.head.hash)
    assert [address_result(one) for one in said] == [TOKENS[0], None, TOKENS[1]]


@pytest.mark.parametrize(
    "said",
    [
        "return data out of bounds",
        "gas uint64 overflow",
        "write protection",
        "max call depth exceeded",
        "invalid opcode: INVALID",
        "EVM error: OutOfOffset",
    ],
)
async def test_a_contract_that_fails_in_any_other_way_says_nothing(said: str) -> None:
    """Anybody may write such a contract: it must not hold the chain up."""

    class Failing(FakeNode):
        def eth_call(self, call: dict[str, str], at_block: Any) -> str:
            raise LookupError(said)

    fake = Failing(fake_with_swaps().chain)
    calls = [(POOLS[0], TOKEN0_CALL)]
    assert await asked(fake).contract_calls(calls, fake.chain.head.hash) == [None]


async def test_a_node_that_is_behind_is_not_asked_about_a_newer_block() -> None:
    """Its newest state does not hold the contract yet, which would count for good."""

    class Behind(FakeNode):
        def eth_getBlockByHash(self, block_hash: str, full: bool) -> dict[str, Any] | None:
            return None

        def eth_call(self, call: dict[str, str], at_block: Any) -> str:
            if at_block != "latest":
                raise LookupError("header not found")
            return "0x"

    fake = Behind(fake_with_swaps().chain)
    with pytest.raises(RpcMissing):
        await asked(fake).contract_calls([(POOLS[0], TOKEN0_CALL)], fake.chain.head.hash)


async def test_a_node_that_does_not_answer_is_no_contract_that_says_nothing() -> None:
    fake = FakeNode(fake_with_swaps().chain, faults={"refused": 100})
    with pytest.raises(RpcRefused):
        await asked(fake).contract_calls([(POOLS[0], TOKEN0_CALL)], fake.chain.head.hash)
