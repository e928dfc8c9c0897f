"""The tokens of a shard: key to dense number and back, with symbols.

Numbers are given in order of appearance. A silent token is kept, so that it still answers with
zeros, until there are too many (`core.shard`).
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from swapstats.core.columns import Columns
from swapstats.core.hash_key import HashKey
from swapstats.core.kernels.intern import fill_table, intern
from swapstats.core.kernels.siphash import hash_bytes
from swapstats.errors import StoreCorrupt
from swapstats.model.effects import TokenName

_ZERO = np.uint64(0)


class TokenTable:
    """Interned token keys.

    Attributes:
        count: tokens known.
        keys: key of each token.
        symbols: symbol of each token, None until a message brought one.
    """

    def __init__(self) -> None:
        self.count = 0
        self.keys: list[str] = []
        self.symbols: list[str | None] = []
        self._numbers: dict[str, int] = {}
        self._table = np.zeros(1 << 10, dtype=np.int32)
        self._hashes = np.zeros(1 << 9, dtype=np.uint64)
        self._arena = np.zeros(1 << 15, dtype=np.uint8)
        self._bounds = np.zeros((1 << 9) + 1, dtype=np.int64)
        self._has_symbol = np.zeros(1 << 9, dtype=np.uint8)

    def number(self, key: str) -> int | None:
        """Token number of a key, None if unknown."""
        return self._numbers.get(key)

    @property
    def size_bytes(self) -> int:
        """Memory of the arrays (the texts come on top)."""
        return (
            self._table.nbytes
            + self._hashes.nbytes
            + self._arena.nbytes
            + self._bounds.nbytes
            + self._has_symbol.nbytes
        )

    def intern(
        self, rows: NDArray[np.int32], columns: Columns, buffer: NDArray[np.uint8]
    ) -> tuple[NDArray[np.int32], tuple[TokenName, ...]]:
        """Give each row its token number.

        Args:
            rows: int32[k], rows to look at.
            columns: the decoded batch.
            buffer: uint8[...], the batch's bytes, where plain symbols stand.

        Returns:
            int32[n] token numbers by row (only those of `rows` are set), and the names of tokens
            that are new or got their symbol.
        """
        self._reserve(len(rows), int(columns.key_count[rows].sum()) if len(rows) else 0)
        tokens = np.zeros(len(columns.accepted), dtype=np.int32)
        named_rows = np.empty(len(rows), dtype=np.int32)
        self.count, named = intern(
            rows,
            columns.keys,
            columns.key_start,
            columns.key_count,
            columns.token_hash,
            columns.symbol_count,
            self._table,
            self._hashes,
            self._arena,
            self._bounds,
            self._has_symbol,
            self.count,
            tokens,
            named_rows,
        )
        names: dict[int, TokenName] = {}
        for row in named_rows[:named].tolist():
            number = int(tokens[row])
            symbol = _symbol(row, columns, buffer)
            key = columns.key(row)
            if number == len(self.keys):
                self.keys.append(key)
                self.symbols.append(symbol)
                self._numbers[key] = number
            else:
                self.symbols[number] = symbol
            names[number] = TokenName(number, key, symbol)
        return tokens, tuple(names[number] for number in sorted(names))

    def load(self, names: list[TokenName], key: HashKey) -> None:
        """Add names read back from a checkpoint, in the order they were written.

        Raises:
            StoreCorrupt: the numbers do not continue those known.
        """
        self._reserve(len(names), sum(len(name.key.encode()) for name in names))
        for name in names:
            if name.token_id < self.count:
                self.symbols[name.token_id] = name.symbol
                self._has_symbol[name.token_id] = name.symbol is not None
                continue
            if name.token_id > self.count:
                raise StoreCorrupt(
                    f"Expected token number {self.count}, was {name.token_id}; start with --rebuild"
                )
            text = np.frombuffer(name.key.encode(), dtype=np.uint8)
            at = int(self._bounds[self.count])
            self._arena[at : at + len(text)] = text
            self._bounds[self.count + 1] = at + len(text)
            self._hashes[self.count] = hash_bytes(text, 0, len(text), _ZERO, False, key.k0, key.k1)
            self._has_symbol[self.count] = name.symbol is not None
            self.keys.append(name.key)
            self.symbols.append(name.symbol)
            self._numbers[name.key] = self.count
            self.count += 1
        self._table[:] = 0
        fill_table(self._hashes, self.count, self._table)

    def names(self) -> tuple[TokenName, ...]:
        """Every token, by number."""
        return tuple(
            TokenName(number, key, symbol)
            for number, (key, symbol) in enumerate(zip(self.keys, self.symbols, strict=True))
        )

    def _reserve(self, new_tokens: int, new_bytes: int) -> None:
        """Make room, so that the kernel never has to stop."""
        tokens = self.count + new_tokens
        if tokens > len(self._hashes):
            room = max(tokens, 2 * len(self._hashes))
            self._hashes = np.resize(self._hashes, room)
            self._has_symbol = np.resize(self._has_symbol, room)
            self._bounds = np.resize(self._bounds, room + 1)
        needed = int(self._bounds[self.count]) + new_bytes
        if needed > len(self._arena):
            self._arena = np.resize(self._arena, max(needed, 2 * len(self._arena)))
        if 2 * tokens > len(self._table):
            self._table = np.zeros(1 << (2 * tokens - 1).bit_length(), dtype=np.int32)
            fill_table(self._hashes, self.count, self._table)


def _symbol(row: int, columns: Columns, buffer: NDArray[np.uint8]) -> str | None:
    if row in columns.symbols:
        return columns.symbols[row]
    count = int(columns.symbol_count[row])
    if count == 0:
        return None
    start = int(columns.symbol_start[row])
    return buffer[start : start + count].tobytes().decode()


def encode_names(names: list[TokenName]) -> bytes:
    """Write names for a checkpoint."""
    if not names:
        return b""
    return msgspec.json.encode([(name.token_id, name.key, name.symbol) for name in names])


def decode_names(blob: bytes) -> list[TokenName]:
    """Read back what `encode_names` wrote.

    Raises:
        StoreCorrupt: the bytes are not names.
    """
    if not blob:
        return []
    try:
        rows = msgspec.json.decode(blob, type=list[tuple[int, str, str | None]])
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"Expected token names, was {error}; start with --rebuild") from error
    return [TokenName(number, key, symbol) for number, key, symbol in rows]
