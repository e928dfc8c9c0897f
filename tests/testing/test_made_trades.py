"""Made-up trades: the same for the same seed, with ids as exchanges have them."""

from swapstats.testing.made_trades import made_trades, rfc3339, zeros_after


def test_the_same_seed_makes_the_same() -> None:
    assert made_trades(7, ["A", "B"], 100) == made_trades(7, ["A", "B"], 100)
    assert made_trades(7, ["A", "B"], 100) != made_trades(8, ["A", "B"], 100)


def test_ids_are_dense_within_a_market_and_time_rises() -> None:
    trades = made_trades(7, ["A", "B", "C"], 500)
    for market in "ABC":
        ids = [trade.order for trade in trades if trade.market == market]
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        assert len(ids) > 20
    times = [trade.time_ms for trade in trades]
    assert times == sorted(times)
    assert len(set(times)) < len(times)  # some share a millisecond


def test_opaque_ids_are_told_apart_and_their_order_is_the_time() -> None:
    trades = made_trades(7, ["A"], 500, are_ids_opaque=True)
    assert len({trade.trade_id for trade in trades}) == 500
    assert all(trade.order == trade.time_ms for trade in trades)


def test_texts() -> None:
    assert rfc3339(1_618_677_817_089, 723) == "2021-04-17T16:43:37.089723Z"
    assert zeros_after("985", 8) == "985.00000000"
    assert zeros_after("0.1234567890", 8) == "0.1234567890"
