from collections.abc import Callable
from typing import Any

from tests.adapters.clickhouse.batches import AMOUNT, HOUR_MS, NOW_MS, USD, batch_of, message

from swapstats.adapters.clickhouse.archive import ClickHouseArchive
from swapstats.adapters.clickhouse.engine import Engine
from swapstats.adapters.clickhouse.schema import ArchiveSchema
from swapstats.adapters.clickhouse.window_sums import ClickHouseSums, scaled

Open = Callable[[], ClickHouseArchive]
TOKENS = int(AMOUNT.replace(".", ""))
DOLLARS = int(USD.replace(".", ""))
END_MS = NOW_MS + 1
BEGINS_MS = (END_MS - HOUR_MS, END_MS - 2 * HOUR_MS)


def test_rows_are_summed_by_sign_within_window_position_and_log(
    engine: Engine, schema: ArchiveSchema, open_archive: Open
) -> None:
    one: dict[str, Any] = {"token_address": "A"}
    messages = [
        message(0, **one),
        message(1, END_MS - HOUR_MS, **one),
        message(2, END_MS - HOUR_MS - 1, **one),
        message(3, **one),
        message(4, END_MS, **one),
        message(5, END_MS - 2 * HOUR_MS - 1, **one),
        message(6, **one),
        message(0, removed=True, **one),
    ]
    open_archive().insert(batch_of(messages, signs={6: 0, 7: -1}))
    other = batch_of([message(0, **one)])
    ClickHouseArchive(engine, schema, "another log").insert(other)
    open_archive().insert(batch_of([message(0, **one)], partition=1))
    sums = ClickHouseSums(engine, schema, "log")
    found = sums.windows(0, 8, BEGINS_MS, END_MS)
    assert list(found) == ["1:A"]
    hour, both = found["1:A"]
    assert (hour.trades, hour.buy, hour.sell, hour.unpriced) == (2, 2, 0, 1)
    assert (hour.vol_usd, hour.buy_usd, hour.sell_usd) == (DOLLARS, DOLLARS, 0)
    assert hour.vol_token == 2 * TOKENS
    assert (both.trades, both.sell, both.vol_token) == (3, 1, 3 * TOKENS)
    before, _ = sums.windows(0, 7, BEGINS_MS, END_MS)["1:A"]
    assert (before.trades, before.sell_usd) == (3, DOLLARS)
    assert sums.windows(2, 8, BEGINS_MS, END_MS) == {}
    assert (sums.first_offset(1), sums.end_offset(0)) == (0, 8)


def test_keys_that_read_the_same_are_one_token(
    engine: Engine, schema: ArchiveSchema, open_archive: Open
) -> None:
    open_archive().insert(
        batch_of(
            [
                message(0, token_address="5:A", chain_id=None, event_id="a"),
                message(1, token_address="A", chain_id=5),
                message(2, token_address="A", chain_id=None, event_id="b"),
            ]
        )
    )
    found = ClickHouseSums(engine, schema, "log").windows(0, 3, BEGINS_MS, END_MS)
    assert {key: windows[0].trades for key, windows in found.items()} == {"5:A": 2, "A": 1}


def test_decimals_are_read_without_a_float() -> None:
    assert (
        scaled("99999999999999999999.123456789012345678", 18)
        == 99999999999999999999123456789012345678
    )
    assert scaled("-0.5", 6) == -500_000
    assert scaled("12", 0) == 12
