from collections import Counter
from random import Random

from swapstats.testing.evm.anvil_chain import AnvilChain
from swapstats.testing.evm.chain import GAS_PRICE, BlockPlan
from swapstats.testing.evm.market import TRADERS, Market
from swapstats.testing.evm.trades import random_trade
from swapstats.testing.evm.truth import V2_SWAP, V3_SWAP, V4_SWAP, decoded

OnAnvil = tuple[AnvilChain, Market]
ROUNDS = 300


def test_each_kind_of_trade_does_what_it_says(on_anvil: OnAnvil) -> None:
    chain, market = on_anvil
    random, trader = Random(1), TRADERS[0]
    trades = [random_trade(random, market, trader.address) for _ in range(ROUNDS)]
    raws = tuple(
        trader.sign(
            chain_id=chain.chain_id,
            nonce=market.nonces[trader.address] + number,
            to=trade.to,
            data=trade.data,
            gas_price=GAS_PRICE,
        )
        for number, trade in enumerate(trades)
    )
    block = chain.grow(market.ready, [BlockPlan(raws)])[0]
    receipts = chain.rpc.call("eth_getBlockReceipts", block)
    done: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for trade, receipt in zip(trades, receipts, strict=True):
        swaps = [log for log in receipt["logs"] if log["topics"][0] in NAMES]
        done[trade.kind, tuple(NAMES[log["topics"][0]] for log in swaps)] += 1
        for log in swaps:
            check_signs(trade.kind, log)
    assert set(done) == {
        ("v2", ("v2",)),
        ("v2_odd", ("v2",)),
        ("v2_hops", ("v2", "v2")),
        ("v2_exact_out", ("v2",)),
        ("fee_on_transfer", ("v2",)),
        ("v3", ("v3",)),
        ("v4", ("v4",)),
        ("flash", ("v2",)),
        ("transfer", ()),
        ("failing", ()),
    }


NAMES = {V2_SWAP: "v2", V3_SWAP: "v3", V4_SWAP: "v4"}


def check_signs(kind: str, log: dict[str, str]) -> None:
    """One token came into the pool and the other left it; of a flash swap both stayed in part."""
    swap = decoded(log)
    if kind == "flash":
        ins = [int(log["data"][2 + at : 66 + at], 16) for at in (0, 64)]
        assert all(ins)
        assert swap.amount0 > 0
        assert swap.amount1 > 0
    elif min(abs(swap.amount0), abs(swap.amount1)) > 0:
        assert (swap.amount0 > 0) != (swap.amount1 > 0)


def test_the_same_seed_trades_the_same(on_anvil: OnAnvil) -> None:
    market = on_anvil[1]
    first, second = Random(2), Random(2)
    trader = TRADERS[1].address
    for _ in range(20):
        assert random_trade(first, market, trader) == random_trade(second, market, trader)
