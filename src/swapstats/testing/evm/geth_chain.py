"""A chain of a test on go-ethereum: real reorgs, announced as production nodes announce them.

Two nodes: one builds blocks and is rewound at will, the other, the one to be read, is given
finished branches and told which is canonical, all at once.
"""

import itertools
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from swapstats.errors import InvariantBroken
from swapstats.stack.geth import NOTHING, GethServer, engine_headers
from swapstats.testing.eventually import eventually
from swapstats.testing.evm.chain import GAS_PRICE, BlockPlan, MadeBlock, ancestors, branch
from swapstats.testing.evm.json_rpc import JsonRpc
from swapstats.testing.evm.signing import Account

TICKER: Final = Account.named("ticker")
"""Needs a balance before the first block."""
_POOL_MS: Final = 20_000
_BUILD_FIRST_MS: Final = 5
_ATTEMPTS_MAX: Final = 12
_FEES_TO: Final = 0xFEE5 << 64


class _Engine:
    """A node as its consensus client sees it."""

    def __init__(self, server: GethServer) -> None:
        self.rpc = JsonRpc(server.url)
        self._engine = JsonRpc(server.engine_url)

    def call(self, method: str, *params: Any) -> Any:
        return self._engine.call(method, *params, headers=engine_headers())

    def close(self) -> None:
        self.rpc.close()
        self._engine.close()

    def take(self, payload: dict[str, Any]) -> None:
        """Let the node know a block, without making it canonical."""
        status = self.call("engine_newPayloadV3", payload, [], NOTHING)
        if status["status"] != "VALID":
            raise InvariantBroken(f"Expected a valid block, was {status}")

    def choose(
        self, head: str, finalized: str, attributes: dict[str, Any] | None = None
    ) -> str | None:
        """Make a branch canonical; with attributes, begin a block upon it.

        Returns:
            The name of what was begun.
        """
        choice = {
            "headBlockHash": head,
            "safeBlockHash": finalized,
            "finalizedBlockHash": finalized,
        }
        answer = self.call("engine_forkchoiceUpdatedV3", choice, attributes)
        if answer["payloadStatus"]["status"] != "VALID":
            raise InvariantBroken(f"Expected a valid choice, was {answer}")
        begun: str | None = answer["payloadId"]
        return begun


class GethChain:
    """Steers two nodes; the only one to do so.

    Args:
        server: the one to be read, started.
        builder: the one that builds, started, of the same first block.

    Attributes:
        url: where the first answers.
        rpc: the steering side's own connection to it.
        chain_id: EIP-155 id.
        head: hash of its newest canonical block.
        finalized: hash of its finalized block; NOTHING before there is one.
    """

    def __init__(self, server: GethServer, builder: GethServer) -> None:
        self.url = server.url
        self._shown, self._builder = _Engine(server), _Engine(builder)
        self.rpc = self._shown.rpc
        self.chain_id = int(self.rpc.call("eth_chainId"), 16)
        genesis = self.rpc.call("eth_getBlockByNumber", "0x0", False)
        self.head: str = genesis["hash"]
        self.finalized = NOTHING
        self._built = self.head
        self._fee_takers = itertools.count(_FEES_TO)
        self._payloads: dict[str, dict[str, Any]] = {}
        self._blocks = {
            self.head: MadeBlock(
                self.head, genesis["parentHash"], 0, int(genesis["timestamp"], 16), ()
            )
        }

    @property
    def blocks(self) -> Mapping[str, MadeBlock]:
        """Every block ever made, by hash."""
        return self._blocks

    def grow(self, parent: str, plans: Sequence[BlockPlan]) -> list[str]:
        """Build a branch aside, then make it canonical at once; see `DevChain.grow`."""
        self._rewind(parent)
        made = [self._build(plan) for plan in plans]
        for block in made:
            self._shown.take(self._payloads[block])
        if made:
            self.switch(made[-1])
        return made

    def switch(self, tip: str) -> None:
        """Make a branch canonical.

        A node does not go back to an ancestor of its head: that is no other branch.
        """
        self._shown.choose(tip, self.finalized)
        self.head = tip

    def finalize(self, block: str) -> None:
        """Make a canonical block, and all it stands on, final."""
        self.finalized = block
        self._shown.choose(self.head, block)

    def close(self) -> None:
        """Close all connections."""
        for engine in (self._shown, self._builder):
            engine.close()

    def _rewind(self, parent: str) -> None:
        """Let the builder's chain end in `parent`."""
        wanted = branch(self._blocks, parent, ancestors(self._blocks, self._built))
        fork = wanted[0].parent if wanted else parent
        if fork != self._built:
            self._builder.rpc.call("debug_setHead", hex(self._blocks[fork].number))
        for block in wanted:
            self._builder.take(self._payloads[block.hash])
        if wanted:
            self._builder.choose(parent, NOTHING)
        self._built = parent
        self._wait_for_pool()

    def _build(self, plan: BlockPlan) -> str:
        parent = self._blocks[self._built]
        raws = [self._tick(parent.number), *plan.transactions]
        for raw in raws:
            self._builder.rpc.call("eth_sendRawTransaction", "0x" + raw.hex())
        eventually(lambda: self._waiting() == len(raws), _POOL_MS, "transactions to wait")
        time_s = parent.time_s + plan.after_s
        payload = self._payload(time_s, len(raws))
        block: str = payload["blockHash"]
        if payload["transactions"] != ["0x" + raw.hex() for raw in raws]:
            raise InvariantBroken(
                f"Expected a block of {len(raws)} transactions in their order, was one of "
                f"{len(payload['transactions'])}"
            )
        self._builder.take(payload)
        self._builder.choose(block, NOTHING)
        self._payloads[block] = payload
        self._blocks[block] = MadeBlock(
            block, parent.hash, parent.number + 1, time_s, tuple(plan.transactions)
        )
        self._built = block
        self._wait_for_pool()
        return block

    def _tick(self, number: int) -> bytes:
        """Make the first transaction of a block, which says nothing.

        Its sender's nonce tells which block the builder's pool has come to.
        """
        return TICKER.sign(
            chain_id=self.chain_id,
            nonce=number,
            to=TICKER.address,
            data=b"",
            gas=21_000,
            gas_price=2 * GAS_PRICE,
        )

    def _wait_for_pool(self) -> None:
        """Wait until the builder's pool has followed its chain.

        It does so by itself, later, and takes leaps amiss.
        """
        number = self._blocks[self._built].number

        def has_followed() -> bool:
            nonce = self._builder.rpc.call("eth_getTransactionCount", TICKER.address, "pending")
            return int(nonce, 16) == number and not self._waiting()

        eventually(has_followed, _POOL_MS, "the pool to follow its chain, with nothing left")

    def _payload(self, time_s: int, count: int) -> dict[str, Any]:
        """Have a block built.

        Asking for it ends the building, and nothing tells when it is complete: a block asked for
        too soon is begun again and given twice the time. Each block pays another, since a node
        that is asked twice for blocks alike answers twice with the first.
        """
        for attempt in range(_ATTEMPTS_MAX):
            attributes = {
                "timestamp": hex(time_s),
                "prevRandao": NOTHING,
                "suggestedFeeRecipient": f"0x{next(self._fee_takers):040x}",
                "withdrawals": [],
                "parentBeaconBlockRoot": NOTHING,
            }
            begun = self._builder.choose(self._built, NOTHING, attributes)
            time.sleep(_BUILD_FIRST_MS * 2**attempt / 1_000)
            envelope = self._builder.call("engine_getPayloadV3", begun)
            payload: dict[str, Any] = envelope["executionPayload"]
            if len(payload["transactions"]) == count:
                return payload
        raise InvariantBroken(f"Expected a block of {count} transactions, was none in time")

    def _waiting(self) -> int:
        """Transactions in the builder's pool."""
        status = self._builder.rpc.call("txpool_status")
        return int(status["pending"], 16) + int(status["queued"], 16)
