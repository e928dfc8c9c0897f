"""Token keys to dense numbers, by an open-addressing table over a byte arena."""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.compiling import kernel, part
from swapstats.core.kernels.words import load_word

U64 = np.uint64
NO_TOKEN = np.int32(-1)


@part
def _same(
    one: NDArray[np.uint8], at: int, other: NDArray[np.uint8], start: int, count: int
) -> bool:
    """Whether two pieces of `count` bytes are equal."""
    words = count // 8
    for i in range(words):
        if load_word(one, at + 8 * i) != load_word(other, start + 8 * i):
            return False
    for i in range(8 * words, count):
        if one[at + i] != other[start + i]:
            return False
    return True


@kernel
def intern(
    rows: NDArray[np.int32],
    keys: NDArray[np.uint8],
    key_start: NDArray[np.int64],
    key_count: NDArray[np.int32],
    token_hash: NDArray[np.uint64],
    symbol_count: NDArray[np.int32],
    table: NDArray[np.int32],
    hashes: NDArray[np.uint64],
    arena: NDArray[np.uint8],
    arena_bounds: NDArray[np.int64],
    has_symbol: NDArray[np.uint8],
    token_count: int,
    tokens: NDArray[np.int32],
    named_rows: NDArray[np.int32],
) -> tuple[int, int]:
    """Give every row its token number, new tokens the next free one.

    The caller leaves room for as many new tokens as there are rows in `hashes`, `arena_bounds`,
    `has_symbol` and `arena`, and keeps `table` (a power of two, 0 = empty, else number + 1) at
    least twice as long as all tokens.

    Args:
        rows: int32[k], rows to look at.
        keys: uint8[...], key bytes.
        key_start: int64[n], where each row's key begins.
        key_count: int32[n], its length.
        token_hash: uint64[n], its hash.
        symbol_count: int32[n], length of the row's symbol; 0 = none.
        table: int32[2^m], changed.
        hashes: uint64[tokens], changed.
        arena: uint8[...], key bytes of all tokens, changed.
        arena_bounds: int64[tokens + 1], changed.
        has_symbol: uint8[tokens], changed.
        token_count: tokens known.
        tokens: int32[n], out: token number of each row.
        named_rows: int32[k], out: rows that brought a new token or its first symbol.

    Returns:
        The new token count, and the number of `named_rows`.
    """
    mask = U64(table.shape[0] - 1)
    named = 0
    for i in range(rows.shape[0]):
        row = rows[i]
        code = token_hash[row]
        count = key_count[row]
        start = key_start[row]
        slot = code & mask
        while True:
            token = table[slot] - 1
            if token < 0:
                token = token_count
                token_count += 1
                table[slot] = token + 1
                hashes[token] = code
                at = arena_bounds[token]
                for j in range(count):
                    arena[at + j] = keys[start + j]
                arena_bounds[token + 1] = at + count
                has_symbol[token] = 1 if symbol_count[row] > 0 else 0
                named_rows[named] = row
                named += 1
                break
            if hashes[token] == code:
                at = arena_bounds[token]
                if arena_bounds[token + 1] - at == count:
                    if _same(arena, at, keys, start, count):
                        if has_symbol[token] == 0 and symbol_count[row] > 0:
                            has_symbol[token] = 1
                            named_rows[named] = row
                            named += 1
                        break
            slot = (slot + U64(1)) & mask
        tokens[row] = token
    return token_count, named


@kernel
def fill_table(hashes: NDArray[np.uint64], token_count: int, table: NDArray[np.int32]) -> None:
    """Rebuild an empty `table` (a power of two) from the hashes of all tokens."""
    mask = U64(table.shape[0] - 1)
    for token in range(token_count):
        slot = hashes[token] & mask
        while table[slot] != 0:
            slot = (slot + U64(1)) & mask
        table[slot] = token + 1


@kernel
def partition_of(
    keys: NDArray[np.uint8],
    key_start: NDArray[np.int64],
    key_count: NDArray[np.int32],
    partition_count: int,
    partitions: NDArray[np.int32],
) -> None:
    """Choose the partition of each key as Kafka's default partitioner does (murmur2).

    Source: org.apache.kafka.common.utils.Utils.murmur2 (seed 0x9747b28c), sign bit cleared.

    Args:
        keys: uint8[...], key bytes.
        key_start: int64[n], where each key begins.
        key_count: int32[n], its length.
        partition_count: number of partitions.
        partitions: int32[n], out.
    """
    m = np.uint32(0x5BD1E995)
    for row in range(key_start.shape[0]):
        start = key_start[row]
        count = key_count[row]
        h = np.uint32(0x9747B28C) ^ np.uint32(count)
        whole = count // 4
        for i in range(whole):
            at = start + 4 * i
            k = (
                np.uint32(keys[at])
                | (np.uint32(keys[at + 1]) << np.uint32(8))
                | (np.uint32(keys[at + 2]) << np.uint32(16))
                | (np.uint32(keys[at + 3]) << np.uint32(24))
            )
            k = np.uint32(k * m)
            k = np.uint32(k ^ (k >> np.uint32(24)))
            k = np.uint32(k * m)
            h = np.uint32(np.uint32(h * m) ^ k)
        at = start + 4 * whole
        rest = count - 4 * whole
        if rest == 3:
            h = np.uint32(h ^ (np.uint32(keys[at + 2]) << np.uint32(16)))
        if rest >= 2:
            h = np.uint32(h ^ (np.uint32(keys[at + 1]) << np.uint32(8)))
        if rest >= 1:
            h = np.uint32(h ^ np.uint32(keys[at]))
            h = np.uint32(h * m)
        h = np.uint32(h ^ (h >> np.uint32(13)))
        h = np.uint32(h * m)
        h = np.uint32(h ^ (h >> np.uint32(15)))
        partitions[row] = np.int32(np.int64(h & np.uint32(0x7FFFFFFF)) % partition_count)
