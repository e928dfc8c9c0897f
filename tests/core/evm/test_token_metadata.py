"""What contracts say of themselves, however strangely they say it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.evm.keccak import selector
from tests.core.evm.made_logs import word

from swapstats.core.evm import token_metadata as metadata
from swapstats.core.evm.logs import PoolTokens
from swapstats.core.evm.token_metadata import (
    RESULT_BYTES_MAX,
    SYMBOL_CHARS_MAX,
    TokenMetadata,
    address_result,
    decimals_of,
    pool_tokens,
    symbol_of,
    token_metadata,
)
from swapstats.core.evm.words import NATIVE

TOKEN = "0x" + "ab" * 20
OTHER = "0x" + "cd" * 20


def string(text: str | bytes, begin: int = 32) -> str:
    """The result of a function that returns a string."""
    raw = text.encode() if isinstance(text, str) else text
    padded = raw + bytes(-len(raw) % 32)
    return "0x" + word(begin) + "00" * (begin - 32) + word(len(raw)) + padded.hex()


def short(text: bytes) -> str:
    """The result of a function that returns a bytes32."""
    return "0x" + text.ljust(32, b"\0").hex()


@pytest.mark.parametrize(
    ("call", "signature"),
    [
        (metadata.DECIMALS_CALL, "decimals()"),
        (metadata.SYMBOL_CALL, "symbol()"),
        (metadata.TOKEN0_CALL, "token0()"),
        (metadata.TOKEN1_CALL, "token1()"),
        (metadata.FACTORY_CALL, "factory()"),
    ],
)
def test_calldata_is_the_hash_of_the_signature(call: str, signature: str) -> None:
    assert call == selector(signature)


@pytest.mark.parametrize(
    ("result", "decimals"),
    [
        ("0x" + word(0), 0),
        ("0x" + word(6), 6),
        ("0x" + word(77), 77),
        ("0x" + word(18) + word(7), 18),
        ("0x" + word(78), None),
        ("0x" + word(255), None),
        ("0x" + word(-1), None),
        ("0x", None),
        ("0x12", None),
        ("0x" + word(6)[:-1], None),
        ("0x" + "zz" * 32, None),
        ("", None),
        (None, None),
    ],
)
def test_decimals(result: str | None, decimals: int | None) -> None:
    assert decimals_of(result) == decimals


@pytest.mark.parametrize(
    ("result", "symbol"),
    [
        (string("USDC"), "USDC"),
        (string("USD₮0"), "USD₮0"),
        (string("a" * 32), "a" * 32),
        (string("a" * 256), "a" * SYMBOL_CHARS_MAX),
        (string("USDC", begin=64), "USDC"),
        (string("USDC") + "00" * 32, "USDC"),
        (string("  two words "), "two words"),
        (string("\x00US\x1bDC\n\x7f"), "USDC"),
        (string("US\u202eDC\u200b\ufeff\u2028"), "USDC"),
        (string(b"US\xffDC"), "US\ufffdDC"),
        (short(b"MKR"), "MKR"),
        (short(b"A" * 32), "A" * 32),
        (short(b"MKR\0junk"), "MKR"),
        (string("a" * 257), None),
        (string("a" * 100_000), None),
        (string(""), None),
        (string("\x00\x01 \u202e"), None),
        (short(b""), None),
        ("0x", None),
        ("0x" + word(32), None),
        ("0x" + word(32) + word(5), None),
        ("0x" + word(32) + word(2**255) + word(0), None),
        ("0x" + word(2**255) + word(4) + word(0), None),
        ("0x" + word(96) + word(4) + word(0), None),
        ("no hex", None),
        (None, None),
    ],
)
def test_symbols(result: str | None, symbol: str | None) -> None:
    assert symbol_of(result) == symbol


@pytest.mark.parametrize(
    ("result", "address"),
    [
        ("0x" + word(TOKEN), TOKEN),
        ("0x" + word(TOKEN).upper(), TOKEN),
        ("0x" + word(0), None),
        ("0x" + "1" + word(TOKEN)[1:], None),
        ("0x" + "ab" * 20, None),
        ("0x", None),
        (None, None),
    ],
)
def test_addresses(result: str | None, address: str | None) -> None:
    assert address_result(result) == address


hex_texts = st.binary(max_size=300).map(lambda raw: "0x" + raw.hex())


@settings(deadline=None)
@given(st.none() | st.text(max_size=100) | hex_texts)
def test_whatever_a_contract_answers_is_bounded(result: str | None) -> None:
    decimals, symbol, address = decimals_of(result), symbol_of(result), address_result(result)
    assert decimals is None or 0 <= decimals <= 77
    assert symbol is None or 0 < len(symbol) <= SYMBOL_CHARS_MAX
    assert symbol is None or symbol == symbol.strip()
    assert symbol is None or not any(ord(char) < 32 for char in symbol)
    assert address is None or len(address) == 42


@settings(deadline=None)
@given(st.text("abcXYZ019.$-", min_size=1, max_size=32))
def test_plain_symbols_come_back(symbol: str) -> None:
    assert symbol_of(string(symbol)) == symbol
    assert symbol_of(short(symbol.encode())) == symbol


def test_a_megabyte_is_not_looked_at() -> None:
    huge = "0x" + "00" * (RESULT_BYTES_MAX + 1)
    assert (decimals_of(huge), symbol_of(huge), address_result(huge)) == (None, None, None)


def test_the_tokens_of_a_pool() -> None:
    known = {TOKEN: token_metadata("0x" + word(6), string("USDC"))}
    assert known == {TOKEN: TokenMetadata(6, "USDC")}
    assert pool_tokens(TOKEN, OTHER, known) == PoolTokens(
        token0=TOKEN, token1=OTHER, decimals0=6, symbol0="USDC"
    )


def test_the_chains_own_coin_has_no_contract_to_ask() -> None:
    found = pool_tokens(NATIVE, TOKEN, {NATIVE: TokenMetadata(3, "FAKE")}, "ETH")
    assert (found.decimals0, found.symbol0, found.decimals1) == (18, "ETH", None)
