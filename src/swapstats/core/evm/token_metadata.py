"""What token and pool contracts say of themselves, from raw `eth_call` results. Pure.

Contracts are written by strangers: one may revert, answer nothing, a `bytes32` instead of a string,
260 places, a megabyte, or control characters that turn a page round. What cannot be used is None,
which means "its contract does not say", and never an exception.

A result is None where the call reverted. A call that failed for another reason (transport, rate
limit) is no answer of the contract: ask again before asking here, since what is once written into a
raw event is repeated by its removal.
"""

import unicodedata
from collections.abc import Mapping
from typing import Final

import msgspec

from swapstats.core.evm.logs import PoolTokens
from swapstats.core.evm.words import NATIVE, OutOfRange, address_in, hex_bytes

DECIMALS_CALL: Final = "0x313ce567"
SYMBOL_CALL: Final = "0x95d89b41"
TOKEN0_CALL: Final = "0x0dfe1681"
TOKEN1_CALL: Final = "0xd21220a7"
FACTORY_CALL: Final = "0xc45a0155"
"""Calldata of decimals(), symbol(), token0(), token1(), factory()."""

DECIMALS_MAX: Final = 77
"""10^77 is the last power of ten in 256 bits; a token with more places has no whole unit."""
SYMBOL_CHARS_MAX: Final = 32
SYMBOL_BYTES_MAX: Final = 256
"""A string longer than this is none; a shorter one is cut to SYMBOL_CHARS_MAX."""
RESULT_BYTES_MAX: Final = 1 << 16
NATIVE_DECIMALS: Final = 18

_STRIPPED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories: controls, marks that turn direction or do not show, line ends."""


class TokenMetadata(msgspec.Struct, frozen=True, gc=False):
    """What is known of one token.

    Attributes:
        decimals: places; None if its contract does not say or says something absurd.
        symbol: None if its contract does not say.
    """

    decimals: int | None = None
    symbol: str | None = None


NOTHING_KNOWN: Final = TokenMetadata()


def decimals_of(result: str | None) -> int | None:
    """Read the result of `decimals()`.

    >>> decimals_of("0x" + "0" * 62 + "12")
    18
    """
    word = _first_word(result)
    if word is None:
        return None
    decimals = int.from_bytes(word, "big")
    return decimals if decimals <= DECIMALS_MAX else None


def symbol_of(result: str | None) -> str | None:
    """Read the result of `symbol()`: an ABI string, or the `bytes32` of older tokens.

    >>> symbol_of("0x" + b"MKR".ljust(32, bytes(1)).hex())
    'MKR'
    """
    data = _result_bytes(result)
    if len(data) == 32:
        text = data.split(b"\0", 1)[0]
    else:
        found = _string_in(data)
        if found is None or len(found) > SYMBOL_BYTES_MAX:
            return None
        text = found
    shown = "".join(
        char
        for char in text.decode("utf-8", "replace")
        if unicodedata.category(char) not in _STRIPPED
    )
    return shown.strip()[:SYMBOL_CHARS_MAX].strip() or None


def address_result(result: str | None) -> str | None:
    """Read the result of `token0()`, `token1()` or `factory()`; the zero address is none."""
    word = _first_word(result)
    if word is None:
        return None
    try:
        address = address_in(word)
    except OutOfRange:
        return None
    return None if address == NATIVE else address


def token_metadata(decimals_result: str | None, symbol_result: str | None) -> TokenMetadata:
    """Put the results of `decimals()` and `symbol()` of one token together."""
    return TokenMetadata(decimals_of(decimals_result), symbol_of(symbol_result))


def pool_tokens(
    token0: str,
    token1: str,
    known: Mapping[str, TokenMetadata],
    native_symbol: str | None = None,
) -> PoolTokens:
    """Put together what is known of the two tokens of a pool.

    Args:
        token0: address, lower case; `NATIVE` for the chain's own coin.
        token1: the same of the second.
        known: address -> metadata; a token that is not in it has none.
        native_symbol: symbol of the chain's own coin; it has no contract to ask.
    """
    native = {NATIVE: TokenMetadata(NATIVE_DECIMALS, native_symbol)}
    first = native.get(token0) or known.get(token0, NOTHING_KNOWN)
    second = native.get(token1) or known.get(token1, NOTHING_KNOWN)
    return PoolTokens(
        token0=token0,
        token1=token1,
        decimals0=first.decimals,
        decimals1=second.decimals,
        symbol0=first.symbol,
        symbol1=second.symbol,
    )


def _result_bytes(result: str | None) -> bytes:
    """Read a result; b"" for what is none."""
    if result is None or len(result) > 2 * RESULT_BYTES_MAX + 2:
        return b""
    try:
        return hex_bytes(result)
    except ValueError:
        return b""


def _first_word(result: str | None) -> bytes | None:
    data = _result_bytes(result)
    return data[:32] if len(data) >= 32 else None


def _string_in(data: bytes) -> bytes | None:
    """Read an ABI string: where it begins, how long it is, its bytes."""
    begin = int.from_bytes(data[:32], "big")
    if len(data) < 64 or begin > len(data) - 32:
        return None
    length = int.from_bytes(data[begin : begin + 32], "big")
    if length > len(data) - begin - 32:
        return None
    return data[begin + 32 : begin + 32 + length]
