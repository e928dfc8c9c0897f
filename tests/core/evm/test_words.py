"""Words of topics and data: addresses, hex text, quantities."""

import pytest

from swapstats.core.evm.words import (
    OutOfRange,
    address_in,
    address_of,
    hex_bytes,
    is_lower_hex,
    lower_hex,
    quantity,
)

ADDRESS = "3fc91a3afd70395cd496c647d5a6cc9d4b2b7fad"


def test_an_address_is_the_last_20_bytes_of_a_word() -> None:
    assert address_of("0x" + "0" * 24 + ADDRESS) == "0x" + ADDRESS
    assert address_in(bytes(12) + bytes.fromhex(ADDRESS)) == "0x" + ADDRESS


@pytest.mark.parametrize("pad", ["1" + "0" * 23, "0" * 23 + "1", "f" * 24])
def test_an_address_of_more_bytes_is_none(pad: str) -> None:
    wide = "0x" + pad + ADDRESS
    narrow = "0x" + "0" * 24 + ADDRESS
    for topic, other in ((wide, narrow), (narrow, wide)):
        with pytest.raises(OutOfRange, match="in 20 bytes"):
            address_of(topic, other)
    with pytest.raises(OutOfRange, match="in 20 bytes"):
        address_in(bytes.fromhex(pad + ADDRESS))


@pytest.mark.parametrize("text", ["", "0", "00", "0x0", "0xg0", "0X00", " 0x00", "0x00 ", "0x 0 0"])
def test_hex_text_is_0x_and_whole_bytes(text: str) -> None:
    with pytest.raises(ValueError, match="Expected 0x and pairs of hex digits"):
        hex_bytes(text)


def test_hex_text_is_made_lower_case() -> None:
    assert lower_hex("0xAbCdEf09") == "0xabcdef09"
    assert lower_hex("0x") == "0x"


@pytest.mark.parametrize(
    ("texts", "is_one"),
    [
        ([], True),
        (["0xab"], True),
        (["0xab", "0x09", "0xff"], True),
        (["0xab", "0xaB"], False),
        (["0xab", "0xag"], False),
        (["0xab", "0x a"], False),
        (["0xab", "ab0x"], False),
        (["0xab", "0x0x"], False),
        (["0xab", "1xab"], False),
        (["0xab", "0xaé"], False),
        (["0xabc", "0xa"], False),
    ],
)
def test_many_texts_are_checked_like_each_of_them(texts: list[str], is_one: bool) -> None:
    assert is_lower_hex(texts, 4) is is_one


@pytest.mark.parametrize(("text", "number"), [("0x0", 0), ("0x01", 1), ("0xFf", 255), ("0x1b", 27)])
def test_quantities(text: str, number: int) -> None:
    assert quantity(text) == number


@pytest.mark.parametrize("text", ["", "0x", "7", "0x_1", "0x1_0", "0x-1", "-0x1", "0x٣", " 0x1"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="Expected a hex quantity"):
        quantity(text)
