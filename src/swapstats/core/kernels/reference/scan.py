"""Plain twin of `kernels.scan`: the plain decoder, written into the same arrays.

It decodes every good message but those whose symbol does not stand plainly in the buffer. The
kernel may leave more of them; what it does decode must come out as here.
"""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.reference.siphash import hash_bytes, hash_content
from swapstats.core.plain_decode import Refusal, decode_message


def scan(
    data: NDArray[np.uint8],
    bounds: NDArray[np.int64],
    append_ms: NDArray[np.int64],
    ahead_ms: int,
    event_ms_min: int,
    k0: np.uint64,
    k1: np.uint64,
    keys: NDArray[np.uint8],
    key_start: NDArray[np.int64],
    key_count: NDArray[np.int32],
    symbol_start: NDArray[np.int64],
    symbol_count: NDArray[np.int32],
    token_hash: NDArray[np.uint64],
    fingerprint: NDArray[np.uint64],
    check: NDArray[np.uint32],
    event_ms: NDArray[np.int64],
    side: NDArray[np.uint8],
    removed: NDArray[np.uint8],
    unpriced: NDArray[np.uint8],
    usd: NDArray[np.int64],
    lo: NDArray[np.uint64],
    hi: NDArray[np.uint64],
    accepted: NDArray[np.uint8],
    scratch: NDArray[np.uint8],  # noqa: ARG001 - the compiled twin's
) -> int:
    """Decode one message after the other; returns how many are left."""
    accepted[:] = 0
    key_at = 0
    for row in range(len(accepted)):
        message = data[bounds[row] : bounds[row + 1]].tobytes()
        swap = decode_message(message, int(append_ms[row]), ahead_ms if ahead_ms >= 0 else None)
        if isinstance(swap, Refusal) or swap.event_ms < event_ms_min:
            continue
        symbol = (swap.token_symbol or "").encode()
        symbol_at = message.find(b'"%b"' % symbol) + 1
        if symbol and symbol_at == 0:
            continue
        symbol_start[row], symbol_count[row] = bounds[row] + symbol_at, len(symbol)
        key = np.frombuffer(swap.token_key.encode(), dtype=np.uint8)
        keys[key_at : key_at + len(key)] = key
        key_start[row], key_count[row] = key_at, len(key)
        key_at += len(key)
        token_hash[row] = hash_bytes(key, 0, len(key), np.uint64(0), False, k0, k1)
        event_id = np.frombuffer(swap.event_id.encode(), dtype=np.uint8)
        inclusion = np.uint64(swap.inclusion)
        code = hash_bytes(event_id, 0, len(event_id), inclusion, True, k0, k1)
        fingerprint[row] = max(1, int(code))
        event_ms[row] = swap.event_ms
        side[row] = swap.side == "buy"
        removed[row] = swap.removed
        unpriced[row] = swap.amount_usd is None
        usd[row] = swap.amount_usd or 0
        lo[row] = swap.amount_token % (1 << 64)
        hi[row] = swap.amount_token >> 64
        content = hash_content(
            token_hash[row],
            np.uint64(side[row] + 2 * unpriced[row]),
            lo[row],
            hi[row],
            np.uint64(usd[row]),
            np.uint64(event_ms[row]),
            k0,
            k1,
        )
        check[row] = int(content) % (1 << 30)
        accepted[row] = 1
    return int(np.count_nonzero(accepted == 0))
