"""A real go-ethereum node for tests, steered over the Engine API as a consensus client would.

Only it shows what production nodes do in a reorg: heads that change at once over many blocks,
`removed: true` to subscribers, blocks that left and still answer by their hash. It takes two
seconds to start and speaks to no other node.
"""

import base64
import hashlib
import hmac
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from swapstats.errors import SwapstatsError, UsageError
from swapstats.stack.process import ServerProcess, free_port, listens

GETH_VERSION: Final = "1.17.0"
NOTHING: Final = "0x" + "0" * 64
_GAS_LIMIT: Final = 300_000_000
_START_MS: Final = 60_000
_INIT_S_MAX: Final = 60
_JWT_SECRET: Final = bytes(range(32))
"""Both ends are this machine's; a secret is only what the protocol asks for."""
_P2P_OFF: Final = '[Node.P2P]\nListenAddr = ""\nNoDiscovery = true\nMaxPeers = 0\n'
"""Without this file its listener for other nodes stays open on all addresses."""


class GethServer(ServerProcess):
    """One node; its chain outlives a restart.

    Args:
        directory: for its data, configuration and log.
        funded: addresses that have a fortune in the first block.
        chain_id: EIP-155 id.

    Attributes:
        url: where JSON-RPC is answered.
        ws_url: the same by WebSocket.
        engine_url: where the Engine API is answered.

    Raises:
        UsageError: the program is not installed.
    """

    def __init__(self, directory: Path, funded: Sequence[str], *, chain_id: int = 1337) -> None:
        self._directory = directory.absolute()
        self._genesis = _genesis(funded, chain_id)
        self._program = geth_program()
        http, socket, engine = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{http}"
        self.ws_url = f"ws://127.0.0.1:{socket}"
        self.engine_url = f"http://127.0.0.1:{engine}"
        command = [
            self._program,
            *("--config", str(self._directory / "p2p.toml")),
            *("--datadir", str(self._directory / "data")),
            *("--networkid", str(chain_id)),
            "--nodiscover",
            *("--maxpeers", "0"),
            "--ipcdisable",
            *("--syncmode", "full", "--gcmode", "archive", "--state.scheme", "hash"),
            *("--http", "--http.addr", "127.0.0.1", "--http.port", str(http)),
            *("--http.api", "eth,net,web3,debug,txpool"),
            *("--ws", "--ws.addr", "127.0.0.1", "--ws.port", str(socket)),
            *("--ws.api", "eth,net,web3"),
            *("--authrpc.addr", "127.0.0.1", "--authrpc.port", str(engine)),
            *("--authrpc.jwtsecret", str(self._directory / "jwt")),
            *("--miner.gasprice", "1", "--miner.gaslimit", str(_GAS_LIMIT)),
            *("--txpool.pricelimit", "1", "--txpool.nolocals"),
            *("--txpool.accountslots", "4096", "--txpool.globalslots", "65536"),
            *("--cache", "64"),
        ]
        super().__init__(
            "geth",
            command,
            self._directory / "geth.log",
            lambda: all(listens(port) for port in (http, socket, engine)),
            start_ms=_START_MS,
        )

    def start(self, *, wait: bool = True) -> None:
        """Start it, the first time with an empty chain; see `ServerProcess.start`."""
        if not (self._directory / "data").exists():
            self._init()
        super().start(wait=wait)

    def _init(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        genesis = self._directory / "genesis.json"
        genesis.write_text(json.dumps(self._genesis), encoding="utf-8")
        (self._directory / "jwt").write_text(_JWT_SECRET.hex(), encoding="utf-8")
        (self._directory / "p2p.toml").write_text(_P2P_OFF, encoding="utf-8")
        result = subprocess.run(  # noqa: S603 - a fixed command with paths of ours
            [
                self._program,
                "init",
                *("--datadir", str(self._directory / "data")),
                *("--state.scheme", "hash"),
                str(genesis),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_INIT_S_MAX,
            check=False,
        )
        if result.returncode != 0:
            raise SwapstatsError(
                f"Expected geth to make an empty chain, was exit {result.returncode}; it said:\n"
                + result.stdout.decode(errors="replace")[-1_000:]
            )


def geth_program() -> str:
    """Path of `geth`: beside this Python, else on the path, else where Go installs.

    Raises:
        UsageError: it is nowhere.
    """
    for place in (Path(sys.executable).parent, Path.home() / "go" / "bin"):
        if (place / "geth").exists():
            return str(place / "geth")
    found = shutil.which("geth")
    if found is None:
        raise UsageError(
            "Expected the program geth, was none: have it built by `make geth` (5 minutes, needs "
            f"Go), or `go install github.com/ethereum/go-ethereum/cmd/geth@v{GETH_VERSION}`"
        )
    return found


def engine_headers() -> dict[str, str]:
    """Headers by which the Engine API knows its own consensus client; good for a minute."""
    claims = json.dumps({"iat": int(time.time())}).encode()
    signed = _base64(b'{"alg":"HS256","typ":"JWT"}') + b"." + _base64(claims)
    seal = _base64(hmac.digest(_JWT_SECRET, signed, hashlib.sha256))
    return {"Authorization": f"Bearer {(signed + b'.' + seal).decode()}"}


def _base64(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _genesis(funded: Sequence[str], chain_id: int) -> dict[str, Any]:
    """A chain that has been proof of stake from the start, by the rules of Cancun."""
    forks = (
        *("homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople"),
        *("petersburg", "istanbul", "berlin", "london", "mergeNetsplit"),
    )
    return {
        "config": {
            "chainId": chain_id,
            **{f"{fork}Block": 0 for fork in forks},
            "shanghaiTime": 0,
            "cancunTime": 0,
            "terminalTotalDifficulty": 0,
            "terminalTotalDifficultyPassed": True,
            "blobSchedule": {"cancun": {"target": 3, "max": 6, "baseFeeUpdateFraction": 3_338_477}},
        },
        "nonce": "0x0",
        "timestamp": hex(1_700_000_000),
        "extraData": "0x",
        "gasLimit": hex(_GAS_LIMIT),
        "difficulty": "0x0",
        "mixHash": NOTHING,
        "coinbase": "0x" + "0" * 40,
        "baseFeePerGas": "0x7",
        "alloc": {address: {"balance": hex(10**24)} for address in funded},
    }
