"""Answers of a provider to single calls: the node's, as far as it knows it, or those of before."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from swapstats.testing.evm.rpc_faults import FaultPlan

Answer = dict[str, Any]
AskNode = Callable[[str, list[Any]], Awaitable[Answer]]

LIMIT: Final[Answer] = {"error": {"code": -32005, "message": "limit exceeded"}}
UNKNOWN_BLOCK: Final[Answer] = {"error": {"code": -32000, "message": "unknown block"}}
_TAGS: Final = {"latest", "pending", "safe", "finalized"}
_BLOCKS_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    Attributes:
        method: its name.
        params: its parameters.
    """

    method: str
    params: list[Any]


class Answers:
    """Answers calls for a provider.

    Args:
        ask_node: asks the node behind it.
        plan: its faults.
    """

    def __init__(self, ask_node: AskNode, plan: FaultPlan) -> None:
        self._ask_node = ask_node
        self._plan = plan
        self._blocks: dict[str, tuple[Answer, list[Any]]] = {}
        self._by_number: dict[int, list[str]] = {}

    async def answer(self, call: Call) -> Answer:
        """Answer a call with a dictionary that holds `result` or `error`."""
        fault = self._plan.of_call(call.method)
        if fault == "limit":
            self._plan.counts[fault] += 1
            return LIMIT
        special = {
            "eth_chainId": self._chain_id,
            "eth_blockNumber": self._block_number,
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getLogs": self._logs,
        }.get(call.method)
        if special is None:
            return await self._ask_node(call.method, [await self._known(p) for p in call.params])
        if fault == "orphan" and call.method == "eth_getBlockByNumber":
            number = await self._number(call.params[0])
            left = await self._left_block(number)
            if left is not None:
                self._plan.counts["orphan"] += 1
                return left
        return await special(call.params)

    async def _chain_id(self, params: list[Any]) -> Answer:
        wrong = self._plan.provider.chain_id
        if wrong is None:
            return await self._ask_node("eth_chainId", params)
        self._plan.counts["wrong chain"] += 1
        return {"result": hex(wrong)}

    async def _block_number(self, params: list[Any]) -> Answer:
        del params
        return {"result": hex(await self._newest())}

    async def _block_by_number(self, params: list[Any]) -> Answer:
        number = await self._number(params[0])
        if number > await self._newest():
            return {"result": None}
        answer = await self._ask_node("eth_getBlockByNumber", [hex(number), *params[1:]])
        await self._remember(answer)
        return answer

    async def _block_by_hash(self, params: list[Any]) -> Answer:
        answer = await self._ask_node("eth_getBlockByHash", params)
        block = answer.get("result")
        if block is None:
            kept = self._kept(params[0])
            return {"result": None} if kept is None else kept[0]
        if int(block["number"], 16) > await self._newest():
            return {"result": None}
        await self._remember(answer)
        return answer

    async def _logs(self, params: list[Any]) -> Answer:
        asked = params[0]
        provider = self._plan.provider
        if "blockHash" in asked:
            return await self._logs_of_block(asked)
        newest = await self._newest()
        first = await self._number(asked.get("fromBlock", "latest"))
        last = min(await self._number(asked.get("toBlock", "latest")), newest)
        if provider.range_blocks_max is not None and last - first >= provider.range_blocks_max:
            self._plan.counts["range too large"] += 1
            return _failure(-32000, f"block range is too large, max {provider.range_blocks_max}")
        if first > last:
            return {"result": []}
        bounds = {"fromBlock": hex(first), "toBlock": hex(last)}
        answer = await self._ask_node("eth_getLogs", [asked | bounds])
        return self._limited(answer)

    async def _logs_of_block(self, asked: dict[str, Any]) -> Answer:
        answer = await self._ask_node("eth_getLogs", [asked])
        if "error" in answer:
            kept = self._kept(asked["blockHash"])
            if kept is None:
                return answer
            self._plan.counts["logs of an orphan"] += 1
            return self._limited({"result": [log for log in kept[1] if _matches(log, asked)]})
        if self._plan.provider.lag_blocks:
            block = await self._ask_node("eth_getBlockByHash", [asked["blockHash"], False])
            if int(block["result"]["number"], 16) > await self._newest():
                return UNKNOWN_BLOCK
        return self._limited(answer)

    def _limited(self, answer: Answer) -> Answer:
        results_max = self._plan.provider.results_max
        if results_max is None or len(answer.get("result") or ()) <= results_max:
            return answer
        self._plan.counts["too many results"] += 1
        return _failure(-32005, f"query returned more than {results_max} results")

    async def _newest(self) -> int:
        """Height of the newest block this provider knows of."""
        answer = await self._ask_node("eth_blockNumber", [])
        return max(0, int(answer["result"], 16) - self._plan.provider.lag_blocks)

    async def _number(self, name: str) -> int:
        """Height that a parameter names, as this provider sees it."""
        if name in {"latest", "pending"}:
            return await self._newest()
        if name == "earliest":
            return 0
        if name in _TAGS:
            answer = await self._ask_node("eth_getBlockByNumber", [name, False])
            block = answer.get("result")
            number = int(block["number"], 16) if block else 0
            return max(0, number - self._plan.provider.lag_blocks)
        return int(name, 16)

    async def _known(self, param: Any) -> Any:
        """A parameter of another method, with tags put as this provider sees them."""
        if isinstance(param, str) and param in _TAGS and self._plan.provider.lag_blocks:
            return hex(await self._number(param))
        return param

    async def _remember(self, answer: Answer) -> None:
        """Keep a block and its logs, for when the node has left it."""
        block = answer.get("result")
        if block is None or block["hash"] in self._blocks or len(self._blocks) >= _BLOCKS_MAX:
            return
        logs = await self._ask_node("eth_getLogs", [{"blockHash": block["hash"]}])
        if "result" in logs:
            self._blocks[block["hash"]] = (answer, logs["result"])
            self._by_number.setdefault(int(block["number"], 16), []).append(block["hash"])

    def _kept(self, block_hash: str) -> tuple[Answer, list[Any]] | None:
        if self._plan.provider.forgets_orphans:
            return None
        return self._blocks.get(block_hash)

    async def _left_block(self, number: int) -> Answer | None:
        """A remembered block of this height that is not canonical now."""
        now = await self._ask_node("eth_getBlockByNumber", [hex(number), False])
        hash_now = (now.get("result") or {}).get("hash")
        for block_hash in self._by_number.get(number, []):
            if block_hash != hash_now:
                return self._blocks[block_hash][0]
        return None


def _failure(code: int, message: str) -> Answer:
    return {"error": {"code": code, "message": message}}


def _matches(log: dict[str, Any], asked: dict[str, Any]) -> bool:
    """True if a filter of `eth_getLogs` takes a log."""
    addresses = asked.get("address") or []
    addresses = [addresses] if isinstance(addresses, str) else addresses
    if addresses and log["address"].lower() not in {address.lower() for address in addresses}:
        return False
    for place, wanted in enumerate(asked.get("topics") or []):
        if wanted is None:
            continue
        choices = [wanted] if isinstance(wanted, str) else wanted
        if len(log["topics"]) <= place or log["topics"][place] not in choices:
            return False
    return True
