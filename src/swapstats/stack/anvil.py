"""A real EVM node for tests: `anvil` from npm, quick to start, that mines when it is told to.

What it is told decides everything: the same blocks have the same hashes, so a chain can be rolled
back and made again as it was. It rolls back silently: unlike geth it never tells a subscriber that
a log was removed, and forgets the blocks that left.
"""

import json
import urllib.request
from pathlib import Path
from typing import Final

from swapstats.errors import UsageError
from swapstats.stack.evm_packages import evm_packages
from swapstats.stack.process import ServerProcess, free_port

GENESIS_TIME_S: Final = 1_700_000_000
SLOTS_IN_AN_EPOCH: Final = 32
FINALITY_DEPTH: Final = 2 * SLOTS_IN_AN_EPOCH
"""How many blocks above its finalized one its newest is."""
_GAS_LIMIT: Final = 300_000_000
_START_MS: Final = 20_000
_ANSWER_S: Final = 1.0


class AnvilServer(ServerProcess):
    """One node with an empty chain; what it had is gone when it ends.

    Args:
        directory: where its log goes.
        chain_id: EIP-155 id.
        port: loopback port; None = one that is free now.

    Attributes:
        url: where JSON-RPC is answered.
        ws_url: the same by WebSocket.

    Raises:
        UsageError: the program can neither be found nor fetched.
    """

    def __init__(self, directory: Path, *, chain_id: int = 1337, port: int | None = None) -> None:
        port = free_port() if port is None else port
        self.url = f"http://127.0.0.1:{port}"
        self.ws_url = f"ws://127.0.0.1:{port}"
        command = [
            anvil_program(),
            *("--host", "127.0.0.1"),
            *("--port", str(port)),
            *("--chain-id", str(chain_id)),
            *("--accounts", "1"),
            *("--timestamp", str(GENESIS_TIME_S)),
            *("--hardfork", "cancun"),
            *("--gas-limit", str(_GAS_LIMIT)),
            *("--slots-in-an-epoch", str(SLOTS_IN_AN_EPOCH)),
            "--no-mining",
            *("--order", "fifo"),
            "--silent",
        ]
        super().__init__(
            "anvil", command, directory / "anvil.log", self._answers_calls, start_ms=_START_MS
        )

    def _answers_calls(self) -> bool:
        body = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}'
        request = urllib.request.Request(  # noqa: S310 - a loopback address of ours
            self.url, body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=_ANSWER_S) as answer:  # noqa: S310
                return "result" in json.load(answer)
        except OSError:
            return False


def anvil_program() -> str:
    """Path of `anvil`, in what npm fetches.

    Raises:
        UsageError: there is no npm, or no anvil for this machine.
    """
    packages = evm_packages()
    for program in sorted(packages.glob("@foundry-rs/anvil-*/bin/anvil*")):
        return str(program)
    raise UsageError(
        f"Expected anvil for this kind of machine in {packages}, was none: use Linux, macOS or "
        "Windows on x86-64 or ARM"
    )
