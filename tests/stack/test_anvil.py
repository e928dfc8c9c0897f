from contextlib import closing
from pathlib import Path

import pytest

from swapstats.errors import UsageError
from swapstats.stack import anvil
from swapstats.stack.anvil import FINALITY_DEPTH, GENESIS_TIME_S, AnvilServer, anvil_program
from swapstats.testing.evm.json_rpc import JsonRpc


def test_it_mines_when_it_is_told_to_and_tells_what_is_final(tmp_path: Path) -> None:
    try:
        server = AnvilServer(tmp_path, chain_id=31_337)
    except UsageError as error:
        pytest.skip(str(error))
    server.start()
    try:
        with closing(JsonRpc(server.url)) as rpc:
            assert rpc.call("eth_chainId") == hex(31_337)
            assert rpc.call("eth_blockNumber") == "0x0"
            genesis = rpc.call("eth_getBlockByNumber", "0x0", False)
            assert int(genesis["timestamp"], 16) == GENESIS_TIME_S
            rpc.call("anvil_mine", hex(FINALITY_DEPTH + 3))
            final = rpc.call("eth_getBlockByNumber", "finalized", False)
            assert final["number"] == "0x3"
    finally:
        server.stop()
    assert not server.is_running


def test_no_program_for_this_machine_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anvil, "evm_packages", lambda: tmp_path)
    with pytest.raises(UsageError, match="this kind of machine"):
        anvil_program()
