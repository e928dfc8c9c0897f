"""Conversions: exact or refused, never guessed."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapstats.core.backfill_conversions import (
    SIDES,
    Unconvertible,
    as_amount,
    as_boolean,
    as_integer,
    as_side,
    as_text,
    as_time,
    conversion,
    number_of,
)
from swapstats.errors import SettingsError

FIVE_MS = 1_704_412_811_005


def converted(
    name: str, value: Any, field: str = "event_time", *, allow_float: bool = False
) -> Any:
    return conversion(name, field, allow_float=allow_float)(value)


def amount(value: Any, places: int = 18, *, allow_float: bool = False) -> str:
    return as_amount(value, allow_float=allow_float, places=places)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("unix_s", 1_704_412_811, 1_704_412_811_000),
        ("unix_s", "1704412811", 1_704_412_811_000),
        ("unix_s", "1704412811.0059", FIVE_MS),
        ("unix_s", 1_704_412_811.005, FIVE_MS),
        ("unix_s", Decimal("1704412811.005"), FIVE_MS),
        ("unix_s", "-0.0001", -1),
        ("unix_ms", "1704412811005", FIVE_MS),
        ("unix_us", 1_704_412_811_005_999, FIVE_MS),
        ("unix_ns", 1_704_412_811_005_999_999, FIVE_MS),
        ("rfc3339", "2024-01-05 00:00:11.005+00", "2024-01-05T00:00:11.005+00:00"),
        ("rfc3339", "2024-01-05T01:00:11.005+0100", "2024-01-05T01:00:11.005+01:00"),
        ("rfc3339", "2024-01-05 00:00:11.005 UTC", "2024-01-05T00:00:11.005Z"),
        ("rfc3339", "2024-01-05t00:00:11z", "2024-01-05T00:00:11Z"),
        ("utc", "2024-01-05 00:00:11", "2024-01-05T00:00:11Z"),
        ("utc", "2024-01-05 00:00:11+02", "2024-01-05T00:00:11+02:00"),
        ("utc", datetime(2024, 1, 5), datetime(2024, 1, 5, tzinfo=UTC)),  # noqa: DTZ001
        ("hex", b"\xab\x01", "0xab01"),
        ("hex", memoryview(b"\xab"), "0xab"),
        ("hex", "\\xAB01", "0xab01"),
        ("hex", "AB01", "0xab01"),
        ("hex", "0xAB01", "0xab01"),
        ("lower", "0xAB", "0xab"),
        ("upper", "btc", "BTC"),
    ],
)
def test_named(name: str, value: Any, expected: Any) -> None:
    assert converted(name, value) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("unix_s", "soon"),
        ("unix_s", True),
        ("unix_s", "1" * 200),
        ("unix_s", "1e999"),
        ("unix_s", float("nan")),
        ("rfc3339", "2024-01-05 00:00:11"),
        ("rfc3339", "5 January"),
        ("rfc3339", 5),
        ("hex", "xyz"),
        ("hex", "0xabc"),
        ("lower", b"AB"),
    ],
)
def test_refused(name: str, value: Any) -> None:
    with pytest.raises(Unconvertible, match=r"Expected .*, was "):
        converted(name, value)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("scale 6", 22_686_110, "22.686110"),
        ("scale 18", "10000000000000000", "0.010000000000000000"),
        ("scale 18", Decimal(10**40), "1" + "0" * 22 + "." + "0" * 18),
        ("scale 0", "5", "5"),
        ("abs", "-1.50", "1.50"),
        ("abs", -3, "3"),
        ("round", "1.0000000000000000005", "1.000000000000000000"),
        ("round", "1.0000000000000000015", "1.000000000000000002"),
    ],
)
def test_amounts(name: str, value: Any, expected: str) -> None:
    assert amount(converted(name, value, "amount_token")) == expected


def test_dollars_are_rounded_to_six_places_half_even() -> None:
    found = [converted("round", text, "amount_usd") for text in ("0.0000005", "0.0000015", "2")]
    assert [amount(value, 6) for value in found] == ["0.000000", "0.000002", "2.000000"]


@pytest.mark.parametrize("name", ["scale 6", "abs", "round"])
def test_a_float_is_refused_by_every_step_unless_it_is_allowed(name: str) -> None:
    with pytest.raises(Unconvertible, match="allow_float"):
        converted(name, 0.5, "amount_token")
    assert converted(name, 0.5, "amount_token", allow_float=True) is not None
    with pytest.raises(Unconvertible, match="allow_float"):
        amount(0.5)
    assert amount(0.1, allow_float=True) == "0.1"


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_float_that_is_no_number_is_never_an_amount(value: float) -> None:
    with pytest.raises(Unconvertible, match="finite"):
        amount(value, allow_float=True)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0.010", "0.010"),
        (" 5 ", "5"),
        ("+5", "5"),
        ("1E-7", "0.0000001"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1.500000000000000000000"), "1.500000000000000000"),
        ("1.0000000000000000010", "1.000000000000000001"),
        ("-5", "-5"),  # the decoder of the contract refuses it, by its own reason
    ],
)
def test_amounts_are_written_plainly(value: Any, expected: str) -> None:
    assert amount(value) == expected


@pytest.mark.parametrize("value", [True, b"5", "five", "1_000", Decimal("NaN"), None, "1e100"])
def test_what_is_no_amount(value: Any) -> None:
    with pytest.raises(Unconvertible):
        amount(value)


@given(st.integers(0, 10**40), st.integers(0, 60))
def test_scaling_is_exact(value: int, places: int) -> None:
    scaled = number_of(converted(f"scale {places}", value, "amount_token"))
    assert Fraction(scaled) == Fraction(value, 10**places)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(5, 5), ("5", 5), ("-5", -5), (" 5", 5), (Decimal("5.0"), 5), (3.0, 3)],
)
def test_whole_numbers(value: Any, expected: int) -> None:
    assert as_integer(value) == expected


@pytest.mark.parametrize("value", [True, "5.0", 3.5, 2.0**60, Decimal("5.5"), Decimal("NaN"), b"5"])
def test_what_is_no_whole_number(value: Any) -> None:
    with pytest.raises(Unconvertible):
        as_integer(value)


def test_texts() -> None:
    unique = UUID("12345678123456781234567812345678")
    assert [as_text(value) for value in ("x", 5, Decimal(7), unique)] == [
        "x",
        "5",
        "7",
        str(unique),
    ]
    for value in (b"x", 1.5, True, Decimal("1.5")):
        with pytest.raises(Unconvertible):
            as_text(value)


def test_booleans() -> None:
    assert [as_boolean(value) for value in (True, "t", "TRUE", 1, "yes")] == [True] * 5
    assert [as_boolean(value) for value in (False, "f", "0", 0, "off")] == [False] * 5
    for value in ("maybe", 2, 1.5):
        with pytest.raises(Unconvertible):
            as_boolean(value)


def test_sides() -> None:
    words = ("BUY", "b", "taker_sell", "S", " sell ")
    assert [as_side(word, SIDES) for word in words] == ["buy", "buy", "sell", "sell", "sell"]
    assert as_side(True, {"true": "sell"}) == "sell"
    with pytest.raises(Unconvertible, match=r"backfill\.sides"):
        as_side("long", SIDES)


def test_times() -> None:
    moment = datetime(2024, 1, 5, 1, 0, 11, 5_999, tzinfo=timezone(timedelta(hours=1)))
    assert [as_time(value) for value in (moment, FIVE_MS, str(FIVE_MS))] == [FIVE_MS] * 3
    assert as_time("2024-01-05T00:00:11Z") == "2024-01-05T00:00:11Z"
    assert as_time(datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)) == -1
    with pytest.raises(Unconvertible, match="utc"):
        as_time(datetime(2024, 1, 5))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("unix", "event_time"),
        ("scale", "amount_token"),
        ("scale x", "amount_token"),
        ("scale 61", "amount_token"),
        ("scale 6", "event_time"),
        ("abs", "side"),
        ("abs 5", "amount_usd"),
        ("hex 5", "tx_hash"),
        ("", "tx_hash"),
    ],
)
def test_unknown_conversions(name: str, field: str) -> None:
    with pytest.raises(SettingsError, match="Expected "):
        conversion(name, field, allow_float=False)
