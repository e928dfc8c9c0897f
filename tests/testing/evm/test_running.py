from pathlib import Path

import pytest

from swapstats.errors import UsageError
from swapstats.testing.evm.json_rpc import JsonRpc
from swapstats.testing.evm.running import anvil_market, geth_market


def test_a_market_on_anvil_goes_with_its_block(tmp_path: Path) -> None:
    try:
        with anvil_market(tmp_path) as (chain, market):
            assert chain.head == market.ready
            url = chain.url
    except UsageError as error:
        pytest.skip(str(error))
    with pytest.raises(OSError):
        JsonRpc(url).call("eth_chainId")


def test_without_geth_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(UsageError, match="make geth"), geth_market(tmp_path):
        pass
