"""The fast decoder: wire v1 JSON bytes into columns, or "look again" for anything unusual.

It accepts only what it is sure of (a flat object, ASCII, no escapes, no repeated keys, every
known field well-formed and in range) and leaves every other message, good or bad, to
`core.plain_decode`. So its one duty is: what it accepts, it reads as the plain decoder does.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swapstats.core.kernels.siphash import hash_bytes, hash_content
from swapstats.core.kernels.texts import (
    COLON,
    amount,
    blank,
    dollars,
    integer,
    rfc3339_ms,
)
from swapstats.core.kernels.tokens import (
    ADDRESS,
    AMOUNT,
    BLOCK,
    BLOCK_HASH,
    CHAIN,
    EVENT_ID,
    EVENT_TIME,
    FIELD_COUNT,
    INCLUSION,
    INGESTED_TIME,
    LOG_INDEX,
    POOL,
    REMOVED,
    SCHEMA,
    SIDE,
    SYMBOL,
    TRADER,
    TX,
    UNKNOWN,
    USD,
    VENUE,
    tokenize,
)

U64 = np.uint64
PLAIN_BYTES_MAX = 65_536
"""Longer messages (blanks included) are left to the plain decoder."""
CHECK_MASK = np.uint64(0x3FFFFFFF)
"""Content checks have 30 bits: they share a 32-bit word with the two state flags."""
_TEXT_BYTES_MAX = 256
_SCRATCH_BYTES = 600
_REQUIRED = (1 << SCHEMA) | (1 << ADDRESS) | (1 << SIDE) | (1 << AMOUNT) | (1 << EVENT_TIME)
_COMPOSED = (1 << CHAIN) | (1 << TX) | (1 << LOG_INDEX)
_TEXTS = (
    (1 << EVENT_ID)
    | (1 << TX)
    | (1 << BLOCK_HASH)
    | (1 << ADDRESS)
    | (1 << SYMBOL)
    | (1 << POOL)
    | (1 << VENUE)
    | (1 << TRADER)
    | (1 << SIDE)
    | (1 << AMOUNT)
    | (1 << USD)
    | (1 << EVENT_TIME)
    | (1 << INGESTED_TIME)
)
"""Fields that may be texts."""
_NUMBERS = (
    (1 << SCHEMA)
    | (1 << CHAIN)
    | (1 << LOG_INDEX)
    | (1 << BLOCK)
    | (1 << INCLUSION)
    | (1 << AMOUNT)
    | (1 << USD)
    | (1 << EVENT_TIME)
    | (1 << INGESTED_TIME)
)
"""Fields that may be numbers."""
_FLAGS = 1 << REMOVED
"""Fields that must be `true` or `false`."""
_ANY = 1 << UNKNOWN


@njit(cache=True, nogil=True, forceinline=True)
def _whole(
    data: NDArray[np.uint8],
    seen: int,
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    field: int,
) -> int:
    """Value of an integer field that is 0 if absent; -1 if it is no plain integer."""
    if not (seen >> field) & 1:
        return 0
    return integer(data, begins[field], ends[field])


@njit(cache=True, nogil=True, forceinline=True)
def _moment(
    data: NDArray[np.uint8],
    texts: int,
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    field: int,
) -> int:
    """Milliseconds of a time field; -1 if it is not written plainly."""
    if (texts >> field) & 1:
        return rfc3339_ms(data, begins[field], ends[field])
    return integer(data, begins[field], ends[field])


@njit(cache=True, nogil=True, forceinline=True)
def _side(
    data: NDArray[np.uint8],
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> int:
    """1 = buy, 0 = sell, -1 = neither."""
    at = begins[SIDE]
    count = ends[SIDE] - at
    if count == 3 and data[at] == 98 and data[at + 1] == 117 and data[at + 2] == 121:
        return 1
    if (
        count == 4
        and data[at] == 115
        and data[at + 1] == 101
        and data[at + 2] == 108
        and data[at + 3] == 108
    ):
        return 0
    return -1


@njit(cache=True, nogil=True, forceinline=True)
def _pair(
    data: NDArray[np.uint8],
    seen: int,
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    inclusion: int,
    scratch: NDArray[np.uint8],
    k0: np.uint64,
    k1: np.uint64,
) -> tuple[bool, np.uint64]:
    """Fingerprint of (event_id, inclusion), never 0; whether there is a good event_id."""
    if (seen >> EVENT_ID) & 1:
        start = begins[EVENT_ID]
        count = ends[EVENT_ID] - start
        if count < 1 or count > _TEXT_BYTES_MAX:
            return False, U64(0)
        fp = hash_bytes(data, start, count, U64(inclusion), True, k0, k1)
        return True, fp if fp != U64(0) else U64(1)
    tx_count = ends[TX] - begins[TX]
    if (seen & _COMPOSED) != _COMPOSED or tx_count < 1 or tx_count > _TEXT_BYTES_MAX:
        return False, U64(0)
    end = _copy(data, begins[CHAIN], ends[CHAIN], scratch, 0)
    scratch[end] = COLON
    end = _copy(data, begins[TX], ends[TX], scratch, end + 1)
    scratch[end] = COLON
    end = _copy(data, begins[LOG_INDEX], ends[LOG_INDEX], scratch, end + 1)
    if end > _TEXT_BYTES_MAX:
        return False, U64(0)
    fp = hash_bytes(scratch, 0, end, U64(inclusion), True, k0, k1)
    return True, fp if fp != U64(0) else U64(1)


@njit(cache=True, nogil=True, forceinline=True)
def _copy(data: NDArray[np.uint8], start: int, stop: int, out: NDArray[np.uint8], at: int) -> int:
    """Copy a piece of text; returns the position after it."""
    for i in range(start, stop):
        out[at] = data[i]
        at += 1
    return at


@njit(cache=True, nogil=True)
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
) -> int:
    """Decode every message it is sure of.

    Args:
        data: uint8[...], messages end to end.
        bounds: int64[n + 1], message i is `data[bounds[i]:bounds[i + 1]]`.
        append_ms: int64[n], append times, for the upper bound on event_time.
        ahead_ms: how far event_time may be ahead of append_ms; negative = no bound.
        event_ms_min: lowest event_time.
        k0: first word of the hash key.
        k1: second word of the hash key.
        keys: uint8[...], room for all token keys (message bytes + 24 for each message).
        key_start: int64[n], out: where the token key of message i begins in `keys`.
        key_count: int32[n], out: its length in bytes.
        symbol_start: int64[n], out: where the symbol begins in `data`.
        symbol_count: int32[n], out: its length; 0 = none.
        token_hash: uint64[n], out: keyed hash of the token key.
        fingerprint: uint64[n], out: keyed hash of (event_id, inclusion), never 0.
        check: uint32[n], out: 30-bit content check.
        event_ms: int64[n], out.
        side: uint8[n], out: 1 = buy.
        removed: uint8[n], out.
        unpriced: uint8[n], out: 1 = no amount_usd.
        usd: int64[n], out: micro-dollars.
        lo: uint64[n], out: low word of the token amount scaled by 10^18.
        hi: uint64[n], out: high word.
        accepted: uint8[n], out: 1 = decoded; 0 = left to the plain decoder.

    Returns:
        Number of messages left to the plain decoder.
    """
    left = 0
    key_at = 0
    scratch = np.empty(_SCRATCH_BYTES, dtype=np.uint8)
    begins = np.zeros(FIELD_COUNT, dtype=np.int64)
    ends = np.zeros(FIELD_COUNT, dtype=np.int64)
    for row in range(bounds.shape[0] - 1):
        accepted[row] = 0
        left += 1
        at = bounds[row]
        stop = bounds[row + 1]
        if stop - at > PLAIN_BYTES_MAX:
            continue
        while stop > at and blank(data[stop - 1]):
            stop -= 1
        while at < stop and blank(data[at]):
            at += 1
        if stop - at < 2 or data[at] != 123 or data[stop - 1] != 125:
            continue
        seen, texts, numbers, trues = tokenize(data, at + 1, stop - 1, begins, ends)
        if seen < 0 or (seen & _REQUIRED) != _REQUIRED:
            continue
        if seen & ~((texts & _TEXTS) | (numbers & _NUMBERS) | _FLAGS | _ANY):
            continue
        if (seen & _FLAGS) & (texts | numbers):
            continue
        address_count = ends[ADDRESS] - begins[ADDRESS]
        if address_count < 1 or address_count > _TEXT_BYTES_MAX:
            continue
        when = _moment(data, texts, begins, ends, EVENT_TIME)
        if when < event_ms_min or (ahead_ms >= 0 and when > append_ms[row] + ahead_ms):
            continue
        if (seen >> INGESTED_TIME) & 1 and _moment(data, texts, begins, ends, INGESTED_TIME) < 0:
            continue
        is_buy = _side(data, begins, ends)
        good, amount_lo, amount_hi = amount(data, begins[AMOUNT], ends[AMOUNT])
        if is_buy < 0 or not good or integer(data, begins[SCHEMA], ends[SCHEMA]) != 1:
            continue
        is_unpriced = 1 - ((seen >> USD) & 1)
        value = 0 if is_unpriced else dollars(data, begins[USD], ends[USD])
        inclusion = _whole(data, seen, begins, ends, INCLUSION)
        if value < 0 or inclusion < 0 or _whole(data, seen, begins, ends, CHAIN) < 0:
            continue
        if _whole(data, seen, begins, ends, LOG_INDEX) < 0:
            continue
        if _whole(data, seen, begins, ends, BLOCK) < 0:
            continue
        good, fp = _pair(data, seen, begins, ends, inclusion, scratch, k0, k1)
        if not good:
            continue
        key_start[row] = key_at
        key_end = key_at
        if (seen >> CHAIN) & 1:
            key_end = _copy(data, begins[CHAIN], ends[CHAIN], keys, key_end)
            keys[key_end] = COLON
            key_end += 1
        key_end = _copy(data, begins[ADDRESS], ends[ADDRESS], keys, key_end)
        key_count[row] = key_end - key_at
        token = hash_bytes(keys, key_at, key_end - key_at, U64(0), False, k0, k1)
        key_at = key_end
        token_hash[row] = token
        fingerprint[row] = fp
        content = hash_content(
            token,
            U64(is_buy | (is_unpriced << 1)),
            amount_lo,
            amount_hi,
            U64(value),
            U64(when),
            k0,
            k1,
        )
        check[row] = np.uint32(content & CHECK_MASK)
        symbol_count[row] = 0
        if (seen >> SYMBOL) & 1:
            symbol_start[row] = begins[SYMBOL]
            symbol_count[row] = ends[SYMBOL] - begins[SYMBOL]
        event_ms[row] = when
        side[row] = is_buy
        removed[row] = (trues >> REMOVED) & 1
        unpriced[row] = is_unpriced
        usd[row] = value
        lo[row] = amount_lo
        hi[row] = amount_hi
        accepted[row] = 1
        left -= 1
    return left
