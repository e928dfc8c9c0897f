from swapstats.testing.evm.abi import call_data, encoded
from swapstats.testing.evm.anvil_chain import AnvilChain
from swapstats.testing.evm.keccak import keccak256
from swapstats.testing.evm.market import EVERYBODY, POOL_KEY, Market
from swapstats.testing.evm.truth import canonical_swaps

OnAnvil = tuple[AnvilChain, Market]


def ask(chain: AnvilChain, to: str, signature: str) -> list[int]:
    asked = {"to": to, "data": "0x" + call_data(signature).hex()}
    digits = chain.rpc.call("eth_call", asked, "latest")[2:]
    return [int(digits[at : at + 64], 16) for at in range(0, len(digits), 64)]


def test_every_pair_has_both_its_tokens(on_anvil: OnAnvil) -> None:
    chain, market = on_anvil
    assert len(market.v2_pairs) == 6
    for token, pair in market.v2_pairs.items():
        tokens = [ask(chain, pair, name)[0] for name in ("token0()", "token1()")]
        assert tokens == sorted(int(address, 16) for address in (token, market.weth))
        assert all(ask(chain, pair, "getReserves()")[:2])


def test_pools_of_v3_and_v4_have_liquidity(on_anvil: OnAnvil) -> None:
    chain, market = on_anvil
    assert ask(chain, market.v3_pool, "token0()") == [int(market.token0, 16)]
    assert ask(chain, market.v3_pool, "liquidity()")[0] > 10**15
    assert market.v4_pool == "0x" + keccak256(encoded(POOL_KEY, market.v4_key)).hex()
    balance = {
        "to": market.weth,
        "data": "0x" + call_data("balanceOf(address)", market.v4_manager).hex(),
    }
    assert int(chain.rpc.call("eth_call", balance, "latest"), 16) > 10**18


def test_it_takes_two_blocks_and_no_swap(on_anvil: OnAnvil) -> None:
    chain, market = on_anvil
    assert chain.blocks[market.ready].number == 2
    assert not canonical_swaps(chain.rpc)
    for address in EVERYBODY:
        count = chain.rpc.call("eth_getTransactionCount", address, "latest")
        assert int(count, 16) == market.nonces[address]
