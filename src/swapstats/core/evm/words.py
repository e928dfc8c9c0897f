"""The 32-byte words that topics and data of logs are made of."""

import re
from binascii import unhexlify
from typing import Final

NATIVE: Final = "0x" + "0" * 40
"""Stands for the chain's own coin where a pool trades it unwrapped."""
_ADDRESS_PAD: Final = "0x" + "0" * 24
_SHOWN_CHARS_MAX: Final = 80
_is_quantity: Final = re.compile(r"0x[0-9a-fA-F]+").fullmatch
"""What a topic that holds an address begins with."""


class OutOfRange(ValueError):
    """A word is no value of its type; raised by readers of events, caught by `plain_decode.py`."""


def address_of(topic: str, other: str = _ADDRESS_PAD) -> str:
    """Read an address from a topic.

    >>> address_of("0x0000000000000000000000003fc91a3afd70395cd496c647d5a6cc9d4b2b7fad")
    '0x3fc91a3afd70395cd496c647d5a6cc9d4b2b7fad'

    Args:
        topic: 66 characters, lower case.
        other: another topic that has to hold an address as well.

    Raises:
        OutOfRange: more than 20 bytes are in use.
    """
    if topic[:26] != _ADDRESS_PAD or other[:26] != _ADDRESS_PAD:
        raise OutOfRange(f"Expected addresses in 20 bytes, was {topic}, {other}")
    return "0x" + topic[26:]


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
    try:
        if text[:2] == "0x":
            return unhexlify(text[2:])
    except ValueError:
        pass
    raise ValueError(f"Expected 0x and pairs of hex digits, was {text[:_SHOWN_CHARS_MAX]!r}")


def lower_hex(text: str) -> str:
    """Check that a text is hex digits with 0x, and make them lower case.

    Raises:
        ValueError: it is not.
    """
    return "0x" + hex_bytes(text).hex()


def is_lower_hex(texts: list[str], chars: int) -> bool:
    """Tell whether all of many texts of `chars` characters each are 0x and lower case hex digits.

    >>> is_lower_hex(["0xab", "0x00"], 4), is_lower_hex(["0xab", "0xAB"], 4)
    (True, False)
    """
    count = len(texts)
    joined = "".join(texts)
    return (
        joined[::chars] == "0" * count
        and joined[1::chars] == "x" * count
        and joined.isascii()
        and joined.encode().translate(None, b"0123456789abcdef") == b"x" * count
    )


def quantity(text: str) -> int:
    """Read a hex quantity.

    >>> quantity("0x1b")
    27

    Raises:
        ValueError: anything but 0x and hex digits.
    """
    if not _is_quantity(text):
        raise ValueError(f"Expected a hex quantity, was {text[:_SHOWN_CHARS_MAX]!r}")
    return int(text, 16)
