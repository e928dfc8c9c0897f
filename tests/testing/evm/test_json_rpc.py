import pytest

from swapstats.testing.evm.anvil_chain import AnvilChain
from swapstats.testing.evm.json_rpc import JsonRpc, RpcFailure
from swapstats.testing.evm.market import Market

OnAnvil = tuple[AnvilChain, Market]


def test_results_come_in_the_order_of_the_calls(on_anvil: OnAnvil) -> None:
    rpc = on_anvil[0].rpc
    assert rpc.call("eth_chainId") == hex(1337)
    number = rpc.call("eth_blockNumber")
    assert rpc.call_many([("eth_chainId", []), ("eth_blockNumber", [])]) == [hex(1337), number]
    assert rpc.call_many([]) == []


def test_an_error_is_raised(on_anvil: OnAnvil) -> None:
    rpc = on_anvil[0].rpc
    with pytest.raises(RpcFailure) as found:
        rpc.call("eth_nonsense")
    assert found.value.code == -32601
    with pytest.raises(RpcFailure):
        rpc.call_many([("eth_chainId", []), ("eth_nonsense", [])])


def test_the_next_call_connects_again(on_anvil: OnAnvil) -> None:
    rpc = JsonRpc(on_anvil[0].url)
    rpc.call("eth_chainId")
    rpc.close()
    assert rpc.call("eth_chainId") == hex(1337)
    rpc.close()


def test_nobody_there_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError):
        JsonRpc("http://127.0.0.1:1", timeout_s=1).call("eth_chainId")
