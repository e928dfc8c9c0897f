"""Mappings: what a field is made of, what a row becomes, what is refused."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from swapstats.core.backfill_mapping import FIELDS, BackfillMapping, RefusedRow, RowWriter
from swapstats.core.plain_decode import Swap, decode_message
from swapstats.errors import SettingsError, UsageError

COLUMNS = {
    "event_id": "= binance:{symbol}:{trade_id}",
    "token_address": "base | upper",
    "side": "is_buyer_maker",
    "amount_token": "qty",
    "amount_usd": "quote | round",
    "event_time": "ts | unix_us",
    "venue": "= binance",
}
SIDES = {"True": "sell", "False": "buy"}
TABLE = ("symbol", "trade_id", "base", "is_buyer_maker", "qty", "quote", "ts", "noise")
ROW = ("BTCUSDT", 7, "btc", True, "0.5", "30000.1234567", 1_723_161_255_342_999, "x")


def writer(
    columns: dict[str, str], table: Sequence[str], sides: dict[str, str] | None = None
) -> RowWriter:
    return BackfillMapping.parse(columns, sides or {}, allow_float=False).bind(table)


def written(row: Sequence[Any] = ROW, **columns: str) -> dict[str, Any]:
    """The message that a row of TABLE becomes."""
    found = writer(COLUMNS | columns, TABLE, SIDES)
    values = dict(zip(TABLE, row, strict=True))
    message: dict[str, Any] = json.loads(found.write([values[name] for name in found.columns]))
    return message


def test_a_row_becomes_a_message_of_the_contract() -> None:
    message = written()
    assert message == {
        "schema_version": 1,
        "event_id": "binance:BTCUSDT:7",
        "token_address": "BTC",
        "venue": "binance",
        "side": "sell",
        "amount_token": "0.5",
        "amount_usd": "30000.123457",
        "event_time": 1_723_161_255_342,
    }
    assert isinstance(decode_message(json.dumps(message).encode(), 1 << 50, None), Swap)


def test_only_columns_that_are_needed_are_asked_for() -> None:
    assert "noise" not in writer(COLUMNS, TABLE, SIDES).columns


def test_columns_named_like_fields_need_no_rule() -> None:
    row = dict.fromkeys(FIELDS, "1") | {"side": "B", "removed": "f"}
    found = writer({}, tuple(row))
    message = json.loads(found.write([row[name] for name in found.columns]))
    assert set(message) == set(FIELDS)
    assert (message["side"], message["removed"], message["chain_id"]) == ("buy", False, 1)


def test_nothing_stays_nothing() -> None:
    row = list(ROW)
    row[TABLE.index("quote")] = None
    assert "amount_usd" not in written(row)
    row[TABLE.index("trade_id")] = None
    assert "event_id" not in written(row)  # no half of an id


def test_constants_and_braces() -> None:
    assert written(token_symbol="= {{x}} {base}")["token_symbol"] == "{x} btc"
    assert written(chain_id="= 56")["chain_id"] == 56
    assert written(removed="= false")["removed"] is False
    assert written(schema_version="= 1")["schema_version"] == 1


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("symbol", b"x", "bad_event_id"),
        ("base", 1.5, "bad_token"),
        ("is_buyer_maker", "long", "bad_side"),
        ("qty", 0.5, "bad_amount_token"),
        ("quote", "much", "bad_amount_usd"),
        ("ts", "now", "bad_event_time"),
        ("base", "\udcff", "not_utf8"),
    ],
)
def test_a_value_that_cannot_be_converted_refuses_the_row(
    column: str, value: Any, reason: str
) -> None:
    row = list(ROW)
    row[TABLE.index(column)] = value
    with pytest.raises(RefusedRow) as refused:
        written(row)
    assert refused.value.reason == reason
    assert "Expected" in refused.value.detail


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"evnt_time": "ts"}, "event_time"),
        ({"event_time": "ts | unix"}, "unix_s"),
        ({"event_time": "| unix_s"}, "Expected a column"),
        ({"event_id": "= {a"}, "braces"),
        ({"event_id": "= a}"}, "braces"),
        ({"event_id": "= {}"}, "braces"),
    ],
)
def test_a_wrong_rule_is_told_with_its_field(columns: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError, match=r"backfill\.columns") as wrong:
        writer(columns, TABLE)
    assert told in str(wrong.value)


def test_a_wrong_side_is_told() -> None:
    with pytest.raises(SettingsError, match=r"backfill\.sides\.long"):
        BackfillMapping.parse({}, {"long": "up"}, allow_float=False)


def test_a_column_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"event_time.*'tss'.*trade_id"):
        writer(COLUMNS | {"event_time": "tss"}, TABLE)


def test_what_is_missing_is_told() -> None:
    with pytest.raises(UsageError, match=r"token_address, side, .*event_id \(or all of chain_id"):
        writer({}, ("tx_hash", "chain_id"))


def test_the_place_on_the_chain_is_an_id() -> None:
    names = ("chain_id", "tx_hash", "log_index", "token_address", "side", "amount_token")
    assert writer({}, (*names, "event_time")).columns


@pytest.mark.parametrize(
    ("rule", "digits"),
    [("ts", 3), ("ts | unix_s", 0), ("ts | unix_us", 6), ("ts | utc", None), ("", 3)],
)
def test_what_a_number_of_the_time_column_counts(rule: str, digits: int | None) -> None:
    columns = {"event_time": rule} if rule else {}
    found = BackfillMapping.parse(columns, {}, allow_float=False)
    assert found.time_digits == digits
    assert found.time_rule.column == ("ts" if rule else "event_time")
