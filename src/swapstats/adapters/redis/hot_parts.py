"""How statistics of tokens lie in Redis: pure functions of updates and bytes.

A token's number is 4 bytes, its row the 64-bit words of all its windows, its name a pair of key
and symbol in MessagePack, all little endian. A part is what one script call takes in: pieces with
their sizes before them, which are the numbers of tokens, their rows, the numbers of tokens that
have a name but no row yet, the numbers of named tokens, and each of their names.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from swapstats.errors import StoreCorrupt
from swapstats.model.effects import StatsUpdate, TokenName
from swapstats.model.stats import ROW_WORDS

PART_TOKENS_MAX: Final = 4_096
"""Tokens one script call takes in or gives out: about 1 MB of three windows each."""

NUMBER_BYTES: Final = 4
ROW_TYPE: Final = np.dtype("<i8")
_NUMBER_TYPE: Final = np.dtype("<i4")
_SIZE: Final = struct.Struct("<I")
_Name = tuple[str, str | None]


def row_bytes(update: StatsUpdate) -> int:
    """Size of one token's row in bytes."""
    windows: int = update.rows.shape[1]
    return windows * ROW_WORDS * ROW_TYPE.itemsize


def parts_of(update: StatsUpdate) -> Iterator[bytes]:
    """Cut an update into parts of PART_TOKENS_MAX tokens; at least one, even of an empty update."""
    names = {name.token_id: name for name in update.names}
    with_row = set(update.token_ids.tolist())
    rowless = [number for number in names if number not in with_row]
    count = max(len(update.token_ids), len(rowless), 1)
    for first in range(0, count, PART_TOKENS_MAX):
        end = first + PART_TOKENS_MAX
        numbers = update.token_ids[first:end]
        bare = rowless[first:end]
        named = [names[number] for number in (*numbers.tolist(), *bare) if number in names]
        pieces = (
            pack_numbers(numbers),
            update.rows[first:end].astype(ROW_TYPE, copy=False).tobytes(),
            pack_numbers(np.array(bare, dtype=np.int32)),
            pack_numbers(np.array([name.token_id for name in named], dtype=np.int32)),
            *(msgspec.msgpack.encode((name.key, name.symbol)) for name in named),
        )
        yield b"".join(map(_sized, pieces))


def _sized(piece: bytes) -> bytes:
    return _SIZE.pack(len(piece)) + piece


def pack_numbers(numbers: NDArray[np.int32]) -> bytes:
    """Lay token numbers end to end."""
    return numbers.astype(_NUMBER_TYPE, copy=False).tobytes()


def unpack_numbers(packed: bytes) -> NDArray[np.int32]:
    """Read token numbers: int32[k]; the inverse of `pack_numbers`."""
    return np.frombuffer(packed, dtype=_NUMBER_TYPE).astype(np.int32)


def unpack_rows(packed: bytes, count: int, size_bytes: int) -> NDArray[np.int64]:
    """Read rows.

    Args:
        packed: rows end to end.
        count: how many there must be.
        size_bytes: size of each.

    Returns:
        int64[count, windows, ROW_WORDS].

    Raises:
        StoreCorrupt: the sizes do not fit.
    """
    word_bytes = ROW_WORDS * ROW_TYPE.itemsize
    if size_bytes % word_bytes or len(packed) != count * size_bytes:
        raise StoreCorrupt(
            f"Expected {count} rows of {size_bytes} bytes in the hot store, was {len(packed)} "
            "bytes: empty it; the next whole update fills it again"
        )
    words = np.frombuffer(packed, dtype=ROW_TYPE).astype(np.int64)
    return words.reshape(count, size_bytes // word_bytes, ROW_WORDS)


def unpack_names(numbers: NDArray[np.int32], packed: Sequence[bytes | None]) -> list[TokenName]:
    """Read the names of tokens.

    Raises:
        StoreCorrupt: a name is missing or not one.
    """
    names = []
    for number, name in zip(numbers.tolist(), packed, strict=True):
        try:
            key, symbol = msgspec.msgpack.decode(name or b"", type=_Name)
        except msgspec.MsgspecError as error:
            raise StoreCorrupt(
                f"Expected the name of token {number} in the hot store, was {name!r}: empty it; "
                "the next whole update fills it again"
            ) from error
        names.append(TokenName(number, key, symbol))
    return names
