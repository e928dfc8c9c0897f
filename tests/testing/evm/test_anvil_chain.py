import pytest

from swapstats.errors import InvariantBroken
from swapstats.testing.evm.anvil_chain import AnvilChain
from swapstats.testing.evm.chain import GAS_PRICE, BlockPlan
from swapstats.testing.evm.market import TRADERS, Market

OnAnvil = tuple[AnvilChain, Market]


def test_branches_leave_and_come_back_as_they_were(on_anvil: OnAnvil) -> None:
    chain, market = on_anvil
    long = chain.grow(market.ready, [BlockPlan(), BlockPlan(), BlockPlan()])
    assert chain.head == long[-1] == newest(chain)
    short = chain.grow(market.ready, [BlockPlan(after_s=1)])
    assert chain.head == short[0] == newest(chain)
    assert chain.rpc.call("eth_getBlockByHash", long[0], False) is None
    chain.switch(long[-1])
    assert newest(chain) == long[-1]
    chain.switch(short[0])
    assert newest(chain) == short[0]
    assert chain.blocks[short[0]].number == chain.blocks[long[0]].number
    chain.switch(market.ready)
    assert newest(chain) == market.ready


def test_transactions_stand_as_they_were_handed_in(on_anvil: OnAnvil) -> None:
    chain, market = on_anvil
    payments = [payment(market, nonce, number) for nonce in range(2) for number in (2, 0, 1)]
    first, second = chain.grow(
        market.ready, [BlockPlan(tuple(payments[:4])), BlockPlan(tuple(payments[4:]))]
    )
    assert len(chain.rpc.call("eth_getBlockByHash", first, False)["transactions"]) == 4
    assert len(chain.rpc.call("eth_getBlockByHash", second, False)["transactions"]) == 2


def test_a_transaction_that_cannot_stand_there_is_an_error(on_anvil: OnAnvil) -> None:
    chain, market = on_anvil
    with pytest.raises(InvariantBroken, match="in their order"):
        chain.grow(market.ready, [BlockPlan((payment(market, 1, 3),))])


def payment(market: Market, nonce: int, trader: int) -> bytes:
    account = TRADERS[trader]
    return account.sign(
        chain_id=1337,
        nonce=market.nonces[account.address] + nonce,
        to=market.borrower,
        data=b"",
        gas=100_000,
        gas_price=GAS_PRICE,
    )


def newest(chain: AnvilChain) -> str:
    found: str = chain.rpc.call("eth_getBlockByNumber", "latest", False)["hash"]
    return found
