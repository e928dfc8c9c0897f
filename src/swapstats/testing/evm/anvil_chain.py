"""A chain of a test on anvil.

It mines the same block with the same hash each time, so leaving a branch is a rollback and coming
back is mining it again. Readers see each step of this, a shorter chain in between included; none of
it is announced.
"""

from collections.abc import Mapping, Sequence

from swapstats.errors import InvariantBroken
from swapstats.stack.anvil import AnvilServer
from swapstats.testing.evm.chain import GAS_PRICE, BlockPlan, MadeBlock, ancestors, branch
from swapstats.testing.evm.json_rpc import JsonRpc

_BASE_FEE = GAS_PRICE // 2


class AnvilChain:
    """Steers one node; the only one to do so.

    Args:
        server: started.
        funded: addresses that get a fortune in the first block.

    Attributes:
        url: where it answers.
        rpc: the steering side's own connection.
        chain_id: EIP-155 id.
        head: hash of the newest block.
    """

    def __init__(self, server: AnvilServer, funded: Sequence[str]) -> None:
        self.url = server.url
        self.rpc = JsonRpc(server.url)
        self.chain_id = int(self.rpc.call("eth_chainId"), 16)
        fortune = hex(10**24)
        self.rpc.call_many([("anvil_setBalance", [address, fortune]) for address in funded])
        genesis = self.rpc.call("eth_getBlockByNumber", "0x0", False)
        self.head: str = genesis["hash"]
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
        """Make blocks upon `parent`, seen one by one; see `DevChain.grow`."""
        self.switch(parent)
        return [
            self._mine(self._blocks[self.head].time_s + plan.after_s, plan.transactions)
            for plan in plans
        ]

    def switch(self, tip: str) -> None:
        """Roll back to where the branches meet, and mine the other one again."""
        if tip == self.head:
            return
        wanted = branch(self._blocks, tip, ancestors(self._blocks, self.head))
        fork = wanted[0].parent if wanted else tip
        depth = self._blocks[self.head].number - self._blocks[fork].number
        if depth:
            self.rpc.call("anvil_rollback", depth)
        self.head = fork
        for block in wanted:
            mined = self._mine(block.time_s, block.transactions)
            if mined != block.hash:
                raise InvariantBroken(f"Expected block {block.hash} to come back, was {mined}")

    def close(self) -> None:
        """Close the connection."""
        self.rpc.close()

    def _mine(self, time_s: int, transactions: Sequence[bytes]) -> str:
        self.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(_BASE_FEE))
        # One by one: the calls of one request are carried out side by side.
        expected = [
            self.rpc.call("eth_sendRawTransaction", "0x" + raw.hex()) for raw in transactions
        ]
        self.rpc.call("evm_mine", hex(time_s))
        found = self.rpc.call("eth_getBlockByNumber", "latest", False)
        if found["transactions"] != expected or found["parentHash"] != self.head:
            self.rpc.call("anvil_dropAllTransactions")
            self.rpc.call("anvil_rollback", 1)
            raise InvariantBroken(
                f"Expected a block of {len(expected)} transactions in their order upon "
                f"{self.head}, was one of {len(found['transactions'])} upon {found['parentHash']}"
            )
        made = MadeBlock(
            found["hash"], self.head, int(found["number"], 16), time_s, tuple(transactions)
        )
        self._blocks[made.hash] = made
        self.head = made.hash
        return made.hash
