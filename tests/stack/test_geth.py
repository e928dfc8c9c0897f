import socket
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from swapstats.errors import UsageError
from swapstats.stack.geth import GethServer, engine_headers, geth_program
from swapstats.testing.evm.json_rpc import JsonRpc, RpcFailure

OWNER = "0x" + "12" * 20


def test_a_node_keeps_its_chain_over_a_restart_and_speaks_to_nobody(tmp_path: Path) -> None:
    try:
        server = GethServer(tmp_path, [OWNER], chain_id=31_337)
    except UsageError as error:
        pytest.skip(str(error))
    server.start()
    try:
        with closing(JsonRpc(server.url)) as rpc:
            genesis = rpc.call("eth_getBlockByNumber", "latest", False)["hash"]
            assert int(rpc.call("eth_getBalance", OWNER, "latest"), 16) == 10**24
        listening = {
            place.laddr
            for place in psutil.Process(server.pid).net_connections("tcp")
            if place.status == psutil.CONN_LISTEN
        }
        urls = (server.url, server.ws_url, server.engine_url)
        assert listening == {("127.0.0.1", urlsplit(url).port) for url in urls}
        server.stop()
        server.start()
        with closing(JsonRpc(server.url)) as rpc:
            assert rpc.call("eth_getBlockByNumber", "latest", False)["hash"] == genesis
            assert rpc.call("eth_chainId") == hex(31_337)
        with closing(JsonRpc(server.engine_url)) as engine:
            found = engine.call("eth_chainId", headers=engine_headers())
            assert found == hex(31_337)
            with pytest.raises((RpcFailure, ValueError)):
                engine.call("eth_chainId")
    finally:
        server.stop()
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", urlsplit(server.url).port)):
        pass


def test_a_missing_program_is_said_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(UsageError, match="make geth"):
        geth_program()
