from random import Random

from msgspec.structs import replace

from swapstats.model.raw_event import ExchangeTrade, PoolSwap, RawEvent
from swapstats.testing.forking_chain import ForkingChain, cut, told_again


def chain(seed: int, *, has_trades: bool = False) -> ForkingChain:
    made = ForkingChain(Random(seed), has_trades)
    made.grow(8)
    made.reorg(3, 5)
    made.flip_back()
    made.reorg(2, 2)
    return made


def standing(log: list[RawEvent]) -> dict[tuple[str, int], PoolSwap]:
    """What stands after a log, each removal checked against what it takes back."""
    held: dict[tuple[str, int], PoolSwap] = {}
    for event in log:
        if isinstance(event, PoolSwap):
            name = (event.tx_hash, event.log_index)
            if event.removed:
                assert held.pop(name) == replace(event, removed=False)
            else:
                assert name not in held
                held[name] = event
    return held


def test_what_was_told_leads_to_the_present_chain() -> None:
    for seed in range(20):
        made = chain(seed)
        assert list(standing(made.log).values()) == made.canonical_log()


def test_branches_come_back_and_transactions_with_other_amounts() -> None:
    returned = changed = 0
    for seed in range(20):
        told: dict[tuple[str, int], set[tuple[str, str]]] = {}
        hashes: dict[str, set[int]] = {}
        for event in chain(seed).log:
            if isinstance(event, PoolSwap) and not event.removed:
                told.setdefault((event.tx_hash, event.log_index), set()).add(
                    (event.block_hash, event.amount0)
                )
                hashes.setdefault(event.block_hash, set()).add(event.inclusion)
        returned += any(len(inclusions) > 1 for inclusions in hashes.values())
        changed += any(len({amount for _, amount in each}) > 1 for each in told.values())
    assert returned > 3
    assert changed > 3


def test_the_same_seed_tells_the_same() -> None:
    assert chain(5, has_trades=True).log == chain(5, has_trades=True).log
    trades = [e for e in chain(5, has_trades=True).log if isinstance(e, ExchangeTrade)]
    assert trades == sorted(trades, key=lambda trade: trade.event_time)


def test_repeats_and_cuts_lose_nothing() -> None:
    log = chain(1).log
    again = told_again(Random(1), log)
    assert len(again) > len(log)
    assert [e for batch in cut(Random(2), again) for e in batch] == again
    for event in log:
        assert event in again
