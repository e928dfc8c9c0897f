"""Markets on real nodes, shared by many tests; without a node the tests say so and skip."""

from collections.abc import Iterator

import pytest

from swapstats.errors import UsageError
from swapstats.stack.geth import GethServer
from swapstats.testing.evm.anvil_chain import AnvilChain
from swapstats.testing.evm.geth_chain import GethChain
from swapstats.testing.evm.market import Market
from swapstats.testing.evm.running import anvil_market, geth_market


@pytest.fixture(scope="session")
def anvil_and_market(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[AnvilChain, Market]]:
    try:
        with anvil_market(tmp_path_factory.mktemp("anvil")) as made:
            yield made
    except UsageError as error:
        pytest.skip(str(error))


@pytest.fixture
def on_anvil(anvil_and_market: tuple[AnvilChain, Market]) -> tuple[AnvilChain, Market]:
    """A chain that ends where its market was ready."""
    chain, market = anvil_and_market
    chain.switch(market.ready)
    return chain, market


@pytest.fixture(scope="module")
def on_geth(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[GethChain, Market, GethServer]]:
    try:
        with geth_market(tmp_path_factory.mktemp("geth")) as made:
            yield made
    except UsageError as error:
        pytest.skip(str(error))
