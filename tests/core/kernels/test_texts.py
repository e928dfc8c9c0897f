"""Pieces of JSON text against Python: every place, every digit count, every day."""

from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.kernels.twins import readonly

from swapstats.core.kernels import texts

WORD = 1 << 64
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PLAIN = {chr(code) for code in range(32, 128)} - {'"', "\\"}

decimals = st.from_regex(r"[0-9]{0,23}(\.[0-9]{0,20})?[0-9.eE+-]?", fullmatch=True)


def scaled(text: str, whole_max: int, places_max: int) -> int | None:
    """The decimal as an integer, read plainly; None if it is none within the limits."""
    whole, point, places = text.partition(".")
    if not (whole + places).isdigit() or (point and not places) or not whole:
        return None
    if len(whole) > whole_max or len(places) > places_max:
        return None
    return int(whole + places.ljust(places_max, "0"))


def test_blanks_are_those_of_json() -> None:
    assert [code for code in range(256) if texts.blank(code)] == [9, 10, 13, 32]


@pytest.mark.parametrize("seed", range(8))
def test_text_ends(seed: int) -> None:
    """Texts that end anywhere, or nowhere, or hold one byte that is not plain."""
    print("seed", seed)
    rng = Random(seed)
    for _ in range(400):
        count, start = rng.randrange(40), rng.randrange(9)
        text = [ord(rng.choice("ab {}[]:,'/~\x7f!#]^")) for _ in range(count)]
        if count and rng.random() < 0.5:
            text[rng.randrange(count)] = rng.choice((*range(32), 34, 92, *range(128, 256)))
        rest = rng.choice((b'"', b'"x"', b"", b"aaaaaaaaaaaaaa"))
        data = b"#" * start + bytes(text) + rest
        wanted = -1
        for at in range(start, len(data)):
            if data[at] == 34:
                wanted = at
            if chr(data[at]) not in PLAIN:
                break
        assert texts.text_end(readonly(data), start, len(data)) == wanted, data


def test_a_text_that_ends_behind_the_stop_does_not_end() -> None:
    for stop in range(20):
        assert texts.text_end(readonly(b"a" * stop + b'"' + b"a" * 20), 0, stop) == -1


@settings(deadline=None)
@given(st.text("0123456789.x", max_size=25), st.integers(0, 5))
def test_digits_and_integers(text: str, start: int) -> None:
    data = readonly(b"7" * start + text.encode())
    end = start + len(text)
    digits = len(text) - len(text.lstrip("0123456789"))
    assert texts.digits_end(data, start, end) == start + digits
    is_plain = digits == len(text) and 0 < digits <= 18 and (digits == 1 or text[0] != "0")
    assert texts.integer(data, start, end) == (int(text) if is_plain else -1)
    if 0 < digits == len(text) <= 19:
        assert int(texts.digits(data, start, end)) == int(text)


@settings(deadline=None)
@given(st.integers(0, 99), st.integers(0, 10**18 - 1), st.integers(0, 10**18 - 1))
def test_wide(whole_hi: int, whole_lo: int, rest: int) -> None:
    lo, hi = texts.wide(np.uint64(whole_hi), np.uint64(whole_lo), np.uint64(rest))
    assert int(hi) * WORD + int(lo) == whole_hi * 10**36 + whole_lo * 10**18 + rest


@settings(deadline=None, max_examples=400)
@given(decimals)
def test_amounts_and_dollars(text: str) -> None:
    data = readonly(text.encode())
    good, lo, hi = texts.amount(data, 0, len(text))
    wanted = scaled(text, 20, 18)
    assert (int(hi) * WORD + int(lo) if good else None) == wanted
    value = scaled(text, 12, 6)
    assert texts.dollars(data, 0, len(text)) == (-1 if value is None else value)


@pytest.mark.parametrize("text", ["false", "true", "null"])
def test_literals(text: str) -> None:
    wanted = {"false": 0, "true": 1, "null": texts.NULL}[text]
    data = readonly(text.encode() + b"}")
    assert texts.literal(data, 0, len(text) + 1) == (wanted, len(text))
    for stop in range(1, len(text)):
        assert texts.literal(data, 0, stop)[0] == texts.NOT_A_WORD
    for at in range(len(text)):
        other = readonly((text[:at] + "#" + text[at + 1 :]).encode())
        assert texts.literal(other, 0, len(text))[0] == texts.NOT_A_WORD


def ms_of(text: str) -> int:
    return texts.rfc3339_ms(readonly(text.encode()), 0, len(text))


def test_every_day_until_9999() -> None:
    rng = Random(1)
    for day in (*range(0, 60_000, 3), *range(60_000, 2_932_896, 977)):
        moment = EPOCH + timedelta(days=day, milliseconds=rng.randrange(86_400_000))
        text = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1_000:03}Z"
        assert ms_of(text) == (moment - EPOCH) // timedelta(milliseconds=1), text


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.5Z", 500),
        ("1970-01-01T00:00:00.05Z", 50),
        ("1970-01-01T00:00:00.123456789Z", 123),
        ("2000-02-29T23:59:59Z", 951_868_799_000),
        ("1970-01-01T00:00:00.1234567890Z", -1),
        ("1900-02-29T00:00:00Z", -1),
        ("2100-02-29T00:00:00Z", -1),
        ("2023-04-31T00:00:00Z", -1),
        ("2023-00-01T00:00:00Z", -1),
        ("2023-01-00T00:00:00Z", -1),
        ("2023-01-01T24:00:00Z", -1),
        ("2023-01-01T00:60:00Z", -1),
        ("2023-01-01T00:00:60Z", -1),
        ("2023-01-01T00:00:00.Z", -1),
        ("2023-01-01T00:00:00,5Z", -1),
        ("2023-01-01T00:00:00+00:00", -1),
        ("2023-01-01T00:00:00z", -1),
        ("2023-01-01t00:00:00Z", -1),
        ("2023-01-01 00:00:00Z", -1),
        ("2023-01-01T00:00:0:Z", -1),
        ("2023-01-01T00:00:00", -1),
        ("Z", -1),
        ("", -1),
    ],
)
def test_times(text: str, ms: int) -> None:
    assert ms_of(text) == ms
