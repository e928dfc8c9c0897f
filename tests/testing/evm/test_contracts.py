import pytest

from swapstats.testing.evm.abi import call_data
from swapstats.testing.evm.anvil_chain import AnvilChain
from swapstats.testing.evm.contracts import flash_borrower, odd_token, standard_token
from swapstats.testing.evm.json_rpc import RpcFailure
from swapstats.testing.evm.market import TRADERS, Market

OnAnvil = tuple[AnvilChain, Market]


def ask(on_anvil: OnAnvil, token: str, signature: str, *arguments: object) -> str:
    data = "0x" + call_data(signature, *arguments).hex()
    found: str = on_anvil[0].rpc.call("eth_call", {"to": token, "data": data}, "latest")
    return found


def test_ordinary_tokens_describe_themselves(on_anvil: OnAnvil) -> None:
    market = on_anvil[1]
    assert int(ask(on_anvil, market.usdc, "decimals()"), 16) == 6
    assert int(ask(on_anvil, market.foo, "decimals()"), 16) == 18
    assert bytes.fromhex(ask(on_anvil, market.usdc, "symbol()")[2:])[64:68] == b"USDC"


def test_odd_tokens_describe_themselves_oddly(on_anvil: OnAnvil) -> None:
    market = on_anvil[1]
    assert ask(on_anvil, market.old_token, "symbol()") == "0x" + b"OLD".ljust(32, b"\0").hex()
    assert int(ask(on_anvil, market.old_token, "decimals()"), 16) == 9
    for question in ("symbol()", "name()", "decimals()"):
        with pytest.raises(RpcFailure):
            ask(on_anvil, market.mute_token, question)
    assert int(ask(on_anvil, market.absurd_token, "decimals()"), 16) == 2**256 - 1
    assert bytes.fromhex(ask(on_anvil, market.absurd_token, "symbol()")[2:])[64:67] == b"\xff\0\xfe"


def test_odd_tokens_move_and_never_more_than_there_is(on_anvil: OnAnvil) -> None:
    market = on_anvil[1]
    owner = TRADERS[0].address
    assert int(ask(on_anvil, market.old_token, "balanceOf(address)", owner), 16) == 10**18
    with pytest.raises(RpcFailure):
        # Called by nobody in particular, who owns nothing.
        ask(on_anvil, market.old_token, "transfer(address,uint256)", owner, 1)
    moved = ("transferFrom(address,address,uint256)", owner, market.usdc, 10**18)
    assert int(ask(on_anvil, market.old_token, *moved), 16) == 1
    with pytest.raises(RpcFailure):
        ask(on_anvil, market.old_token, *moved[:-1], 10**18 + 1)


def test_code_is_of_a_size_that_chains_take() -> None:
    for code in (standard_token("A", "A", 6), odd_token(None, None), flash_borrower()):
        assert 0 < len(code) < 49_152
