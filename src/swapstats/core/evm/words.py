"""The 32-byte words that topics and data of logs are made of."""

from typing import Final

NATIVE: Final = "0x" + "0" * 40
"""Stands for the chain's own coin where a pool trades it unwrapped."""
WORD_BYTES: Final = 32
Q96_BITS: Final = 96

_ADDRESS_PAD: Final = "0x" + "0" * 24


class OutOfRange(ValueError):
    """A word is no value of its type; raised by readers of events, caught by `decode.py`."""


def address_of(word: str) -> str:
    """Read an address from a word of 66 characters.

    >>> address_of("0x0000000000000000000000003fC91A3afd70395cd496c647d5a6cc9d4b2b7fad")
    '0x3fc91a3afd70395cd496c647d5a6cc9d4b2b7fad'

    Raises:
        OutOfRange: more than 20 bytes are in use.
        ValueError: no hex digits.
    """
    if not word.startswith(_ADDRESS_PAD):
        raise OutOfRange(f"Expected an address in 20 bytes, was {word}")
    return "0x" + hex_bytes(word).hex()[24:]


def address_in(word: bytes) -> str:
    """Read an address from a word of data.

    Raises:
        OutOfRange: more than 20 bytes are in use.
    """
    if any(word[:12]):
        raise OutOfRange(f"Expected an address in 20 bytes, was 0x{word.hex()}")
    return "0x" + word[12:].hex()


def hex_bytes(text: str) -> bytes:
    """Read hex text with 0x, and nothing but digits after it.

    >>> list(hex_bytes("0x0aFF"))
    [10, 255]

    Raises:
        ValueError: a character that is no digit (blanks included), half a byte, or no 0x.
    """
    data = bytes.fromhex(text[2:])
    if 2 * len(data) + 2 != len(text) or not text.startswith("0x"):
        raise ValueError("Expected 0x and hex digits only")
    return data


def quantity(text: str) -> int:
    """Read a hex quantity.

    >>> quantity("0x1b")
    27

    Raises:
        ValueError: anything but 0x and hex digits.
    """
    if not text.startswith("0x") or not text.isalnum():
        raise ValueError(f"Expected a hex quantity, was {text[:80]!r}")
    return int(text, 16)


def virtual_reserves(sqrt_price_x96: int, liquidity: int) -> tuple[int | None, int | None]:
    """Tell what a pool of concentrated liquidity holds around its price.

    Args:
        sqrt_price_x96: square root of the price of token0 in token1, times 2^96.
        liquidity: liquidity in range.

    Returns:
        L * 2^96 / sqrtPrice of token0 and L * sqrtPrice / 2^96 of token1, rounded down; None
        without a price.
    """
    if not sqrt_price_x96:
        return None, None
    return (liquidity << Q96_BITS) // sqrt_price_x96, liquidity * sqrt_price_x96 >> Q96_BITS
