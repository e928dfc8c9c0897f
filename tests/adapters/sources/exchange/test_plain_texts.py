"""Numbers and times as exchanges write them: the same value gives the same text, nothing rounds."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapstats.adapters.sources.exchange.plain_texts import (
    bounded,
    identifier,
    plain_decimal,
    rfc3339_ms,
    seconds_ms,
    taker_side,
    whole_number,
)
from swapstats.errors import Rejected


@given(st.decimals(0, 10**15, allow_nan=False, places=12), st.integers(-12, 12))
def test_a_number_keeps_its_value_however_it_is_written(number: Decimal, shift: int) -> None:
    plain = f"{number:f}"
    moved = f"{number.scaleb(-shift):f}e{shift}"
    assert plain_decimal(plain, "price") == plain_decimal(moved, "price")
    assert Decimal(plain_decimal(plain, "price")) == number
    assert plain_decimal(msgspec.Raw(plain.encode()), "price") == plain_decimal(plain, "price")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("30243.40000", "30243.4"),
        ("100", "100"),
        ("0100.0", "100"),
        ("0.000", "0"),
        ("1E-8", "0.00000001"),
        ("12.5e1", "125"),
        ("12.5e3", "12500"),
        ("0.00000001", "0.00000001"),
        ("123456789012345678.123456789012345678", "123456789012345678.123456789012345678"),
    ],
)
def test_numbers(text: str, plain: str) -> None:
    assert plain_decimal(text, "price") == plain


@pytest.mark.parametrize(
    "text",
    ["", "-1", "+1", ".5", "5.", "1e", "NaN", "0x10", "1_0", "٣", "1" * 61, "1e99", "1e100", '"1"'],
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(Rejected, match="Expected a price"):
        plain_decimal(text, "price")


@given(st.datetimes(datetime(2009, 1, 3), datetime(2100, 1, 1)), st.integers(0, 999))  # noqa: DTZ001
def test_times_are_cut_off_after_the_millisecond(time: datetime, nanoseconds: int) -> None:
    """By both ways of writing: a trade of a stream and the same one of a page must agree."""
    since = time.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    micros = since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds
    assert rfc3339_ms(f"{time:%Y-%m-%dT%H:%M:%S.%f}{nanoseconds:03d}Z") == micros // 1_000
    seconds, rest = divmod(micros, 1_000_000)
    assert seconds_ms(msgspec.Raw(f"{seconds}.{rest:06d}{nanoseconds}".encode())) == micros // 1_000


@pytest.mark.parametrize(
    "text", ["", "2024-01-05", "2024-01-05T00:00:00", "1704412800123", "1960-01-05T00:00:00Z"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(Rejected, match="RFC 3339"):
        rfc3339_ms(text)


def test_whole_numbers() -> None:
    assert whole_number("0130639474", "tradeId") == 130639474
    assert bounded(2**63 - 1, "id") == 2**63 - 1
    for text in ("", "-1", "1.0", "abc", "9" * 20, str(2**63)):
        with pytest.raises(Rejected, match="whole number"):
            whole_number(text, "tradeId")
    for value in (-1, 2**63):
        with pytest.raises(Rejected, match="between 0"):
            bounded(value, "id")


def test_sides_and_names() -> None:
    assert taker_side("Buy", "Buy", "Sell") == "buy"
    assert taker_side("Sell", "Buy", "Sell") == "sell"
    with pytest.raises(Rejected, match="'buy'"):
        taker_side("buy", "Buy", "Sell")
    assert identifier("BTC/USD", "symbol") == "BTC/USD"
    for text in ("", "a" * 65, "BTC\n", "₿"):
        with pytest.raises(Rejected, match="symbol of 1 to 64"):
            identifier(text, "symbol")
