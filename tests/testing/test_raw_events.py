from swapstats.core.preprocess.raw_decode import decode_raw
from swapstats.model.raw_event import RawEvent
from swapstats.testing.raw_events import USDC, WETH, batch_of, exchange_trade, pool_swap, whole


def test_events_keep_their_contract_and_batches_their_order() -> None:
    events: list[RawEvent] = [
        pool_swap(WETH, USDC, (-5, 7), (1, 2), block=3),
        exchange_trade("BTC", "USD", "1"),
    ]
    batch = batch_of([*events, b"x"], first_offset=7)
    assert [decode_raw(batch.message(index)) for index in range(2)] == events
    assert batch.message(2) == b"x"
    assert batch.offsets.tolist() == [7, 8, 9]
    assert batch.append_ms[0] == events[0].event_time


def test_a_pool_is_ordered_by_address_and_its_amounts_with_it() -> None:
    swap = pool_swap(WETH, USDC, (-5, 7), (1, 2))
    assert (swap.token0, swap.amount0, swap.depth0, swap.decimals0) == (USDC, "7", "2", 6)
    assert (swap.token1, swap.amount1, swap.depth1, swap.decimals1) == (WETH, "-5", "1", 18)
    assert pool_swap(USDC, WETH, (7, -5), (2, 1)) == swap
    assert whole(USDC, 3) == 3_000_000
