"""Answers over a node of this file's own: three blocks, a log in each, and a branch beside them."""

from typing import Any

from swapstats.testing.evm.rpc_answers import LIMIT, UNKNOWN_BLOCK, Answer, Answers, Call
from swapstats.testing.evm.rpc_faults import FaultPlan, Provider

NEWEST = 3


class Node:
    """Answers as anvil does: a block that left is unknown."""

    def __init__(self) -> None:
        self.branch = "a"

    async def ask(self, method: str, params: list[Any]) -> Answer:
        if method == "eth_blockNumber":
            return {"result": hex(NEWEST)}
        if method == "eth_getBlockByNumber":
            number = {"finalized": 1, "latest": NEWEST}.get(params[0])
            return self.block(int(params[0], 16) if number is None else number)
        if method == "eth_getBlockByHash":
            known = params[0][0] == self.branch
            return self.block(int(params[0][1:])) if known else {"result": None}
        if method == "eth_getLogs":
            return self.logs(params[0])
        return {"result": params}

    def block(self, number: int) -> Answer:
        return {"result": {"hash": f"{self.branch}{number}", "number": hex(number)}}

    def logs(self, asked: dict[str, Any]) -> Answer:
        if "blockHash" in asked:
            if asked["blockHash"][0] != self.branch:
                return UNKNOWN_BLOCK
            return {"result": [self.log(int(asked["blockHash"][1:]))]}
        first, last = (int(asked[name], 16) for name in ("fromBlock", "toBlock"))
        return {"result": [self.log(number) for number in range(first, last + 1)]}

    def log(self, number: int) -> dict[str, Any]:
        return {"blockNumber": hex(number), "address": "0xA", "topics": ["t1", "t2"]}


class Rig:
    def __init__(self, provider: Provider = Provider()) -> None:  # noqa: B008 - frozen
        self.node = Node()
        self.plan = FaultPlan(1)
        self.plan.provider = provider
        self.answers = Answers(self.node.ask, self.plan)

    async def ask(self, method: str, *params: Any) -> Any:
        answer = await self.answers.answer(Call(method, list(params)))
        return answer.get("result", answer.get("error"))


async def test_an_honest_provider_answers_as_its_node() -> None:
    rig = Rig()
    assert await rig.ask("eth_blockNumber") == "0x3"
    assert (await rig.ask("eth_getBlockByNumber", "latest", False))["hash"] == "a3"
    assert (await rig.ask("eth_getBlockByHash", "a2", False))["number"] == "0x2"
    assert len(await rig.ask("eth_getLogs", {"fromBlock": "earliest", "toBlock": "latest"})) == 4
    assert await rig.ask("eth_call", "latest") == ["latest"]
    assert not rig.plan.counts


async def test_a_lagging_provider_knows_of_nothing_later() -> None:
    rig = Rig(Provider(lag_blocks=1))
    assert await rig.ask("eth_blockNumber") == "0x2"
    assert (await rig.ask("eth_getBlockByNumber", "latest", False))["hash"] == "a2"
    assert (await rig.ask("eth_getBlockByNumber", "finalized", False))["hash"] == "a0"
    assert await rig.ask("eth_getBlockByNumber", "0x3", False) is None
    assert await rig.ask("eth_getBlockByHash", "a3", False) is None
    assert await rig.ask("eth_getLogs", {"blockHash": "a3"}) == UNKNOWN_BLOCK["error"]
    assert len(await rig.ask("eth_getLogs", {"blockHash": "a2"})) == 1
    assert len(await rig.ask("eth_getLogs", {"fromBlock": "0x1", "toBlock": "0x3"})) == 2
    assert await rig.ask("eth_getLogs", {"fromBlock": "0x3", "toBlock": "0x3"}) == []
    assert await rig.ask("eth_call", "latest") == ["0x2"]


async def test_limits_of_a_provider() -> None:
    rig = Rig(Provider(results_max=2, range_blocks_max=3))
    found = await rig.ask("eth_getLogs", {"fromBlock": "0x0", "toBlock": "0x2"})
    assert found["message"] == "query returned more than 2 results"
    found = await rig.ask("eth_getLogs", {"fromBlock": "0x0", "toBlock": "0x3"})
    assert "range" in found["message"]
    assert len(await rig.ask("eth_getLogs", {"fromBlock": "0x1", "toBlock": "0x2"})) == 2
    rig.plan.script("eth_getLogs", "limit")
    assert await rig.ask("eth_getLogs", {"blockHash": "a1"}) == LIMIT["error"]
    assert dict(rig.plan.counts) == {"too many results": 1, "range too large": 1, "limit": 1}


async def test_a_wrong_chain() -> None:
    assert await Rig(Provider(chain_id=56)).ask("eth_chainId") == hex(56)


async def test_branches_that_left_are_answered_for_from_memory() -> None:
    rig = Rig()
    rig.plan.script("eth_getBlockByNumber", "orphan")
    assert (await rig.ask("eth_getBlockByNumber", "latest", False))["hash"] == "a3"
    rig.node.branch = "b"
    assert (await rig.ask("eth_getBlockByNumber", "latest", False))["hash"] == "b3"
    rig.plan.script("eth_getBlockByNumber", "orphan")
    assert (await rig.ask("eth_getBlockByNumber", "latest", False))["hash"] == "a3"
    assert (await rig.ask("eth_getBlockByHash", "a3", False))["hash"] == "a3"
    assert len(await rig.ask("eth_getLogs", {"blockHash": "a3"})) == 1
    assert await rig.ask("eth_getLogs", {"blockHash": "a3", "address": ["0xb"]}) == []
    assert len(await rig.ask("eth_getLogs", {"blockHash": "a3", "address": "0xa"})) == 1
    assert len(await rig.ask("eth_getLogs", {"blockHash": "a3", "topics": [["t1", "x"]]})) == 1
    assert len(await rig.ask("eth_getLogs", {"blockHash": "a3", "topics": [None, "t2"]})) == 1
    assert await rig.ask("eth_getLogs", {"blockHash": "a3", "topics": [None, None, "t3"]}) == []
    assert await rig.ask("eth_getLogs", {"blockHash": "a2"}) == UNKNOWN_BLOCK["error"]
    assert rig.plan.counts["orphan"] == 1
    rig.plan.provider = Provider(forgets_orphans=True)
    assert await rig.ask("eth_getBlockByHash", "a3", False) is None
    assert await rig.ask("eth_getLogs", {"blockHash": "a3"}) == UNKNOWN_BLOCK["error"]
