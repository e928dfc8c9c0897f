"""How statistics are written: JSON text with exact decimals, and merge patches between versions.

Text is built from pieces, never through a float. Amounts are decimal literals or, when `quoted`,
strings; counts are integers in both. `data` plus the patches after it gives `data` at the end,
byte for byte.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2s

import msgspec

from swapstats.model.stats import (
    BUY_USD_HI,
    BUY_USD_LO,
    BUYS,
    FIELDS,
    TOKEN_HI,
    TOKEN_LO,
    TOKEN_MID,
    TRADES,
    UNPRICED,
    USD_HI,
    USD_LO,
    format_short,
    scale_digits,
)

_WORD = (1 << 64) - 1
_DIGITS = tuple(scale_digits(name) for name in FIELDS)


@dataclass(frozen=True, slots=True)
class Version:
    """One token at one moment.

    Attributes:
        key: token key.
        symbol: label, None if none.
        partition: its shard.
        stream: name of the unbroken line of numbers `seq` counts in.
        seq: change number.
        offset: next offset to be read.
        as_of_ms: T.
        end_ms: end (exclusive) of the windows.
        complete_since_ms: from when on the shard saw the whole stream.
        rows: words of each window, see `model.stats`.
    """

    key: str
    symbol: str | None
    partition: int
    stream: str
    seq: int
    offset: int
    as_of_ms: int
    end_ms: int
    complete_since_ms: int
    rows: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class StreamPlace:
    """What a stream name says to those who made it.

    Attributes:
        origin: digest of the log's life.
        partition: its shard.
        epoch: ownership number.
    """

    origin: str
    partition: int
    epoch: int


def origin_digest(origin: str) -> str:
    """Shorten the name of a log's life: 8 hexadecimal digits."""
    return blake2s(origin.encode(), digest_size=4).hexdigest()


def stream_name(digest: str, partition: int, epoch: int) -> str:
    """Name the unbroken line of numbers of one partition under one owner."""
    return f"{digest}-{partition:x}-{epoch:x}"


def parse_stream(stream: str) -> StreamPlace | None:
    """Read a stream name back; None if it is not one of ours."""
    parts = stream.split("-")
    if len(parts) != 3 or any(not part or len(part) > 16 for part in parts):
        return None
    try:
        return StreamPlace(parts[0], int(parts[1], 16), int(parts[2], 16))
    except ValueError:
        return None


def json_text(text: str | None) -> str:
    """Write a text as a JSON string, or null."""
    return msgspec.json.encode(text).decode()


def field_values(words: Sequence[int]) -> tuple[int, ...]:
    """Read the eight fields, in FIELDS order, out of a row of words as Python integers."""
    vol_usd = (words[USD_HI] << 64) + (words[USD_LO] & _WORD)
    vol_token = (
        (words[TOKEN_HI] << 128) + ((words[TOKEN_MID] & _WORD) << 64) + (words[TOKEN_LO] & _WORD)
    )
    buy_usd = (words[BUY_USD_HI] << 64) + (words[BUY_USD_LO] & _WORD)
    trades, buys = words[TRADES], words[BUYS]
    return (
        vol_usd,
        vol_token,
        trades,
        buys,
        trades - buys,
        buy_usd,
        vol_usd - buy_usd,
        words[UNPRICED],
    )


def fields_text(values: Sequence[int], *, quoted: bool) -> str:
    """Write the eight fields as JSON members, without braces."""
    return ",".join(
        [
            _member(name, digits, value, quoted=quoted)
            for name, digits, value in zip(FIELDS, _DIGITS, values, strict=True)
        ]
    )


def _member(name: str, digits: int, value: int, *, quoted: bool) -> str:
    if not digits:
        return f'"{name}":{value}'
    if quoted:
        return f'"{name}":"{format_short(value, digits)}"'
    return f'"{name}":{format_short(value, digits)}'


def data_text(
    version: Version, windows: Sequence[str], *, quoted: bool, lag_ms: int | None = None
) -> str:
    """Write one token whole.

    Args:
        version: the token.
        windows: names of its windows.
        quoted: amounts as strings.
        lag_ms: added when given.
    """
    lag = "" if lag_ms is None else f'"lag_ms":{lag_ms},'
    since = version.complete_since_ms
    parts = [
        f'"w{name}":{{{fields_text(field_values(row), quoted=quoted)},"complete_since":{since}}}'
        for name, row in zip(windows, version.rows, strict=True)
    ]
    return (
        f'{{"token":{json_text(version.key)},"symbol":{json_text(version.symbol)},'
        f'"as_of":{version.as_of_ms},"end":{version.end_ms},'
        f'"position":{{"partition":{version.partition},"offset":{version.offset}}},'
        f"{lag}{','.join(parts)}}}"
    )


def patch_text(
    base: Version, version: Version, windows: Sequence[str], *, quoted: bool
) -> str | None:
    """Write the RFC 7396 merge patch that turns one version of a token into another.

    Returns:
        The patch, or None if nothing but the moment and the position moved.
    """
    parts: list[str] = []
    if base.symbol != version.symbol:
        parts.append(f'"symbol":{json_text(version.symbol)}')
    since = base.complete_since_ms != version.complete_since_ms
    for name, old, new in zip(windows, base.rows, version.rows, strict=True):
        if old == new and not since:
            continue
        members = [
            _member(field, digits, value, quoted=quoted)
            for field, digits, before, value in zip(
                FIELDS, _DIGITS, field_values(old), field_values(new), strict=True
            )
            if before != value
        ]
        if since:
            members.append(f'"complete_since":{version.complete_since_ms}')
        parts.append(f'"w{name}":{{{",".join(members)}}}')
    if not parts:
        return None
    return f"{{{','.join(_moved(base, version) + parts)}}}"


def _moved(base: Version, version: Version) -> list[str]:
    """Members for the moment and the position, where they moved."""
    parts: list[str] = []
    if base.as_of_ms != version.as_of_ms:
        parts.append(f'"as_of":{version.as_of_ms}')
    if base.end_ms != version.end_ms:
        parts.append(f'"end":{version.end_ms}')
    if base.offset != version.offset:
        parts.append(f'"position":{{"offset":{version.offset}}}')
    return parts
