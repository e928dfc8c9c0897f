"""A decoded batch: one array per field, one row per message, in log order."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True)
class Columns:
    """Well-formed messages as arrays; rows with `accepted` 0 hold nothing but a refusal.

    Attributes:
        accepted: uint8[n], 1 = well-formed.
        keys: uint8[...], token keys.
        key_start: int64[n], where each key begins in `keys`.
        key_count: int32[n], its length in bytes.
        symbol_start: int64[n], where the symbol begins in the batch's buffer.
        symbol_count: int32[n], its length; 0 = none.
        token_hash: uint64[n], keyed hash of the token key.
        fingerprint: uint64[n], keyed hash of (event_id, inclusion), never 0.
        check: uint32[n], 30-bit hash of what a duplicate must repeat.
        event_ms: int64[n].
        side: uint8[n], 1 = buy.
        removed: uint8[n].
        unpriced: uint8[n], 1 = no amount_usd.
        usd: int64[n], micro-dollars.
        lo: uint64[n], token amount scaled by 10^18, low word.
        hi: uint64[n], high word.
        symbols: symbols of rows whose text does not stand plainly in the buffer.
        refusals: row -> (reason, detail) of messages that broke the contract.
    """

    accepted: NDArray[np.uint8]
    keys: NDArray[np.uint8]
    key_start: NDArray[np.int64]
    key_count: NDArray[np.int32]
    symbol_start: NDArray[np.int64]
    symbol_count: NDArray[np.int32]
    token_hash: NDArray[np.uint64]
    fingerprint: NDArray[np.uint64]
    check: NDArray[np.uint32]
    event_ms: NDArray[np.int64]
    side: NDArray[np.uint8]
    removed: NDArray[np.uint8]
    unpriced: NDArray[np.uint8]
    usd: NDArray[np.int64]
    lo: NDArray[np.uint64]
    hi: NDArray[np.uint64]
    symbols: dict[int, str] = field(default_factory=dict)
    refusals: dict[int, tuple[str, str]] = field(default_factory=dict)

    @staticmethod
    def empty(count: int, key_bytes: int) -> "Columns":
        """Make room for `count` messages and `key_bytes` bytes of token keys."""
        return Columns(
            accepted=np.zeros(count, dtype=np.uint8),
            keys=np.empty(key_bytes, dtype=np.uint8),
            key_start=np.zeros(count, dtype=np.int64),
            key_count=np.zeros(count, dtype=np.int32),
            symbol_start=np.zeros(count, dtype=np.int64),
            symbol_count=np.zeros(count, dtype=np.int32),
            token_hash=np.empty(count, dtype=np.uint64),
            fingerprint=np.empty(count, dtype=np.uint64),
            check=np.empty(count, dtype=np.uint32),
            event_ms=np.empty(count, dtype=np.int64),
            side=np.empty(count, dtype=np.uint8),
            removed=np.empty(count, dtype=np.uint8),
            unpriced=np.empty(count, dtype=np.uint8),
            usd=np.empty(count, dtype=np.int64),
            lo=np.empty(count, dtype=np.uint64),
            hi=np.empty(count, dtype=np.uint64),
        )

    def key(self, row: int) -> str:
        """Token key of a row."""
        start = int(self.key_start[row])
        return self.keys[start : start + int(self.key_count[row])].tobytes().decode()
