"""A chain in memory: a tree of blocks, and nodes that answer JSON-RPC about it, more or less well.

Logs are those of V3 pools. A transaction has the same hash wherever it is included, but not the
same amounts: that is how real nodes re-include after a reorg.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

from swapstats.adapters.sources.evm.rpc_errors import RpcUnreachable
from swapstats.adapters.sources.evm.transport import HttpAnswer
from swapstats.core.evm import uniswap_v3

CHAIN_ID = 1_337
T0_S = 1_763_700_000
BLOCK_S = 12
POOLS = ["0x" + f"{number:02x}" * 20 for number in (0x11, 0x22, 0x33)]
TOKENS = ["0x" + f"{number:02x}" * 20 for number in (0xA1, 0xA2, 0xA3, 0xA4)]
TRADER = "0x" + "0" * 24 + "ee" * 20
CONTRACT_CALLS: dict[str, Callable[[str], str]] = {
    "0x0dfe1681": lambda pool: _word(int(TOKENS[POOLS.index(pool)], 16)),
    "0xd21220a7": lambda pool: _word(int(TOKENS[POOLS.index(pool) + 1], 16)),
    "0x313ce567": lambda token: _word(6 + TOKENS.index(token)),
    "0x95d89b41": lambda token: "0x" + f"TOK{TOKENS.index(token)}".encode().ljust(32, b"\0").hex(),
}


def _word(number: int) -> str:
    return "0x" + (number % (1 << 256)).to_bytes(32, "big").hex()


def digest(*parts: object) -> str:
    """A hash that depends on all parts."""
    return "0x" + hashlib.sha256(repr(parts).encode()).hexdigest()


@cache
def transaction(index: int) -> str:
    """Hash of a transaction, the same wherever it is included."""
    return digest("tx", index)


@dataclass(frozen=True)
class FakeBlock:
    """One block; `logs` are JSON values as a node answers them."""

    number: int
    hash: str
    parent: str
    logs: tuple[dict[str, Any], ...]

    @property
    def header(self) -> dict[str, Any]:
        return {
            "number": hex(self.number),
            "hash": self.hash,
            "parentHash": self.parent,
            "timestamp": hex(T0_S + self.number * BLOCK_S),
        }


class FakeChain:
    """A tree of blocks, with a canonical head and a final block."""

    def __init__(self, seed: int = 0, blocks: int = 0) -> None:
        self.seed = seed
        self.random = Random(seed)
        genesis = FakeBlock(0, digest("genesis"), "0x" + "0" * 64, ())
        self.blocks = {genesis.hash: genesis}
        self.head = genesis
        self.final = genesis
        self.salt = 0
        for _ in range(blocks):
            self.extend()

    def parent(self, block: FakeBlock) -> FakeBlock:
        return self.blocks[block.parent]

    def at(self, number: int, head: FakeBlock | None = None) -> FakeBlock | None:
        """Block at a height of the chain that ends at `head`."""
        block = head or self.head
        if number > block.number or number < 0:
            return None
        while block.number > number:
            block = self.parent(block)
        return block

    def canonical(self) -> list[FakeBlock]:
        chain = [self.head]
        while chain[-1].number:
            chain.append(self.parent(chain[-1]))
        return chain[::-1]

    def extend(self, swaps: int | None = None, on: FakeBlock | None = None) -> FakeBlock:
        """Add a block on the head (or on another) and make it the head.

        Its transactions are from a small set of those not yet on this branch, so that other
        branches hold the same ones.
        """
        parent = on or self.head
        taken = set()
        block: FakeBlock = parent
        while block.number:
            taken |= {log["transactionHash"] for log in block.logs}
            block = self.parent(block)
        count = self.random.randint(0, 3) if swaps is None else swaps
        number = parent.number + 1
        free = [
            tx for tx in (transaction(index) for index in range(3 * number + 12)) if tx not in taken
        ]
        chosen = self.random.sample(free[: count + 3], count)
        self.salt += 1
        block_hash = digest(parent.hash, self.seed, self.salt)
        logs = tuple(self.log(tx, index, number, block_hash) for index, tx in enumerate(chosen))
        child = FakeBlock(number, block_hash, parent.hash, logs)
        self.blocks[block_hash] = self.head = child
        return child

    def log(self, tx: str, index: int, number: int, block_hash: str) -> dict[str, Any]:
        amount = self.random.randint(1, 10**24)
        words = (amount, -self.random.randint(1, 10**12), 1 << 96, 10**18, 5)
        return {
            "address": self.random.choice(POOLS),
            "topics": [uniswap_v3.SWAP.topic0, TRADER, TRADER],
            "data": "0x" + "".join(_word(word)[2:] for word in words),
            "blockNumber": hex(number),
            "blockHash": block_hash,
            "transactionHash": tx,
            "logIndex": hex(index),
            "removed": False,
        }

    def fork(self, depth: int, length: int) -> None:
        """Leave the newest `depth` blocks, but no final one; build `length` others."""
        base = self.at(max(self.final.number, self.head.number - depth))
        assert base is not None
        self.head = base
        for _ in range(length):
            self.extend()

    def flip(self) -> None:
        """Make some other branch canonical that holds the final block, longer or shorter."""
        tips = [
            block
            for block in self.blocks.values()
            if block.number > self.final.number and self.at(self.final.number, block) == self.final
        ]
        if tips:
            self.head = self.random.choice(tips)

    def finalise(self, depth: int) -> None:
        """Make the block `depth` below the head final, unless a later one is."""
        block = self.at(self.head.number - depth)
        if block is not None and block.number > self.final.number:
            self.final = block


@dataclass
class FakeNode:
    """One node: what it sees of the chain, and how it fails.

    `faults` are chances in percent, by name: `down`, `limited`, `garbage`, `refused`, `missing`
    (knows no block), `foreign_logs` (logs of another block), `half_batch`.
    """

    chain: FakeChain
    chain_id: int = CHAIN_ID
    lag: int = 0
    head: FakeBlock | None = None
    faults: dict[str, int] = field(default_factory=dict)
    range_max: int = 1 << 30
    has_finalized: bool = True
    takes_batches: bool = True
    calls: list[tuple[str, Any]] = field(default_factory=list)
    before: Callable[[], None] = lambda: None

    @property
    def view(self) -> FakeBlock:
        """The head it tells."""
        if self.head is not None:
            return self.head
        number = max(self.chain.final.number, self.chain.head.number - self.lag)
        found = self.chain.at(min(number, self.chain.head.number))
        assert found is not None
        return found

    def fails(self, name: str) -> bool:
        return self.chain.random.randrange(100) < self.faults.get(name, 0)

    async def post(self, body: bytes) -> HttpAnswer:
        """The `Transport` port."""
        self.before()
        if self.fails("down"):
            raise RpcUnreachable("Expected an answer, was none")
        if self.fails("limited"):
            return HttpAnswer(429, b"slow down", "1")
        if self.fails("garbage"):
            garbage = [b"<html>", b"{}", b"[]", b'{"id":1,"result":', b"[1,2]", b"null", b"\xff"]
            return HttpAnswer(200, self.chain.random.choice(garbage))
        asked = json.loads(body)
        if isinstance(asked, list):
            if not self.takes_batches:
                return HttpAnswer(200, json.dumps(self.refusal(None, "no batches")).encode())
            answers = [self.answer(one) for one in asked]
            self.chain.random.shuffle(answers)
            if self.fails("half_batch"):
                answers = answers[: len(answers) // 2]
            return HttpAnswer(200, json.dumps(answers).encode())
        return HttpAnswer(200, json.dumps(self.answer(asked)).encode())

    def refusal(self, call_id: int | None, message: str, code: int = -32000) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": call_id, "error": {"code": code, "message": message}}

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        method, params = asked["method"], asked["params"]
        self.calls.append((method, params))
        if self.fails("refused"):
            return self.refusal(asked["id"], "no")
        try:
            result = getattr(self, method)(*params)
        except LookupError as error:
            return self.refusal(asked["id"], str(error))
        return {"jsonrpc": "2.0", "id": asked["id"], "result": result}

    def eth_chainId(self) -> str:
        return hex(self.chain_id)

    def eth_getBlockByNumber(self, number: str, _full: bool) -> dict[str, Any] | None:
        if self.fails("missing"):
            return None
        if number == "latest":
            return self.view.header
        if number == "finalized":
            if not self.has_finalized:
                raise LookupError("finalized block not found")
            final = self.chain.final
            return (final if final.number <= self.view.number else self.view).header
        found = self.chain.at(int(number, 16), self.view)
        return found.header if found is not None else None

    def eth_getBlockByHash(self, block_hash: str, _full: bool) -> dict[str, Any] | None:
        if self.fails("missing"):
            return None
        found = self.chain.blocks.get(block_hash)
        return found.header if found is not None else None

    def eth_getLogs(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        if "blockHash" in query:
            found = self.chain.blocks.get(query["blockHash"])
            if found is None:
                raise LookupError("unknown block")
            blocks = [found]
            if self.fails("foreign_logs"):
                blocks = [block for block in self.chain.blocks.values() if block.logs][:1]
        else:
            first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
            if last - first >= self.range_max or last > self.view.number:
                raise LookupError("query exceeds range of blocks")
            blocks = [
                block
                for number in range(first, last + 1)
                if (block := self.chain.at(number, self.view)) is not None
            ]
        assert uniswap_v3.SWAP.topic0 in query["topics"][0]
        wanted = query.get("address")
        return [
            log
            for block in blocks
            for log in block.logs
            if wanted is None or log["address"] in wanted
        ]

    def eth_call(self, call: dict[str, str], at_block: Any) -> str:
        if at_block != "latest" and at_block["blockHash"] not in self.chain.blocks:
            raise LookupError("header not found")
        return CONTRACT_CALLS[call["data"]](call["to"])
