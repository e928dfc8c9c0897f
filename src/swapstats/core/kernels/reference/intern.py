"""Plain twin of `kernels.intern`: a dictionary of keys, and murmur2 on integers."""

import numpy as np
from numpy.typing import NDArray

_HALF = 1 << 32


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
    """Number the keys in order of appearance; name rows that bring a key or its first symbol."""
    ends = arena_bounds.tolist()
    numbers = {arena[ends[i] : ends[i + 1]].tobytes(): i for i in range(token_count)}
    named = []
    for row in rows.tolist():
        start, end = int(key_start[row]), int(key_start[row] + key_count[row])
        key = keys[start:end].tobytes()
        if key not in numbers:
            number = numbers[key] = len(numbers)
            at = int(arena_bounds[number])
            arena[at : at + len(key)] = keys[start:end]
            arena_bounds[number + 1] = at + len(key)
            hashes[number] = token_hash[row]
            table[_free_slot(table, int(token_hash[row]))] = number + 1
            has_symbol[number] = symbol_count[row] > 0
            named.append(row)
        elif symbol_count[row] > 0 and not has_symbol[numbers[key]]:
            has_symbol[numbers[key]] = 1
            named.append(row)
        tokens[row] = numbers[key]
    named_rows[: len(named)] = named
    return len(numbers), len(named)


def fill_table(hashes: NDArray[np.uint64], token_count: int, table: NDArray[np.int32]) -> None:
    """Put every token number + 1 at the first free slot from its hash on."""
    for token in range(token_count):
        table[_free_slot(table, int(hashes[token]))] = token + 1


def _free_slot(table: NDArray[np.int32], code: int) -> int:
    return next(slot for slot in _round_from(code % len(table), len(table)) if table[slot] == 0)


def _round_from(first: int, count: int) -> list[int]:
    """Every slot of a table once, from the given one on."""
    return [*range(first, count), *range(first)]


def partition_of(
    keys: NDArray[np.uint8],
    key_start: NDArray[np.int64],
    key_count: NDArray[np.int32],
    partition_count: int,
    partitions: NDArray[np.int32],
) -> None:
    """Take murmur2 of the key without its sign bit, modulo the number of partitions."""
    for row, (start, count) in enumerate(zip(key_start.tolist(), key_count.tolist(), strict=True)):
        code = murmur2(keys[start : start + count].tobytes())
        partitions[row] = (code & 0x7FFFFFFF) % partition_count


def murmur2(key: bytes) -> int:
    """Hash a key as Kafka's `Utils.murmur2` does; unsigned, 32 bits."""
    factor = 0x5BD1E995
    code = 0x9747B28C ^ len(key)
    whole = len(key) // 4 * 4
    for at in range(0, whole, 4):
        word = int.from_bytes(key[at : at + 4], "little") * factor % _HALF
        word = (word ^ word >> 24) * factor % _HALF
        code = code * factor % _HALF ^ word
    if len(key) > whole:
        code = (code ^ int.from_bytes(key[whole:], "little")) * factor % _HALF
    code = (code ^ code >> 13) * factor % _HALF
    return code ^ code >> 15
