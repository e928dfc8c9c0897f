"""Token keys as parts of message subjects: any key, reversibly, in letters every broker takes.

A subject is parted by dots and knows wildcards, so a key is percent-encoded: letters, digits, `_`,
`-` and `:` stand for themselves, every other byte of its UTF-8 form is `%` and two upper case
hexadecimal digits. The empty key is a lone `%`, which nothing else becomes.
"""

from urllib.parse import quote, unquote_to_bytes

from swapstats.errors import Rejected

KEY_BYTES_MAX = 1_024
"""Longest key that has a subject, in bytes of UTF-8: three times that fits any broker's line."""
TOKEN_SUBJECT_PREFIX = "ws.broadcast.token."  # noqa: S105 - a subject, no secret
_EMPTY = "%"


def encode_key(key: str) -> str:
    """Write a key as one part of a subject.

    Raises:
        Rejected: the key is longer than KEY_BYTES_MAX, or no Unicode text.

    >>> encode_key("1:0xab.c d"), encode_key("")
    ('1:0xab%2Ec%20d', '%')
    """
    if not key:
        return _EMPTY
    try:
        content = key.encode()
    except UnicodeEncodeError as error:
        raise Rejected(f"Expected a token key of Unicode text, was {key!r}") from error
    if len(content) > KEY_BYTES_MAX:
        raise Rejected(f"Expected a token key of at most {KEY_BYTES_MAX} bytes, was {len(content)}")
    # These two are left alone by `quote` whatever it is told.
    return quote(content, safe=":").replace(".", "%2E").replace("~", "%7E")


def decode_key(part: str) -> str:
    """Read a key back: the inverse of `encode_key`.

    Raises:
        Rejected: `encode_key` never writes this.

    >>> decode_key("1:0xab%2Ec%20d"), decode_key("%")
    ('1:0xab.c d', '')
    """
    if part == _EMPTY:
        return ""
    try:
        key = unquote_to_bytes(part).decode()
        written = encode_key(key)
    except UnicodeError as error:
        raise Rejected(f"Expected an encoded token key, was {part!r}") from error
    if written != part:
        raise Rejected(f"Expected an encoded token key such as {written!r}, was {part!r}")
    return key


def token_subject(key: str) -> str:
    """Name the subject a token's updates are published on.

    Raises:
        Rejected: see `encode_key`.

    >>> token_subject("USDC")
    'ws.broadcast.token.USDC'
    """
    return TOKEN_SUBJECT_PREFIX + encode_key(key)
