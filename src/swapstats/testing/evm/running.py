"""A market on a running node, for as long as a block lasts."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from swapstats.stack.anvil import AnvilServer
from swapstats.stack.geth import GethServer
from swapstats.testing.evm.anvil_chain import AnvilChain
from swapstats.testing.evm.geth_chain import TICKER, GethChain
from swapstats.testing.evm.market import EVERYBODY, Market, make_market


@contextmanager
def anvil_market(directory: Path) -> Iterator[tuple[AnvilChain, Market]]:
    """Run anvil with a market on it.

    Args:
        directory: for its log.

    Raises:
        UsageError: the program or the contracts can neither be found nor fetched.
    """
    server = AnvilServer(directory)
    server.start()
    try:
        with closing(AnvilChain(server, EVERYBODY)) as chain:
            yield chain, make_market(chain)
    finally:
        server.stop()


@contextmanager
def geth_market(directory: Path) -> Iterator[tuple[GethChain, Market, GethServer]]:
    """Run go-ethereum with a market on it, and another node that builds its blocks.

    Args:
        directory: for their data and logs.

    Raises:
        UsageError: a program or the contracts can neither be found nor fetched.
    """
    funded = (*EVERYBODY, TICKER.address)
    shown = GethServer(directory / "shown", funded)
    builder = GethServer(directory / "builder", funded)
    try:
        for server in (shown, builder):
            server.start(wait=False)
        for server in (shown, builder):
            server.wait_until_answers()
        with closing(GethChain(shown, builder)) as chain:
            yield chain, make_market(chain), shown
    finally:
        shown.stop()
        builder.stop()
