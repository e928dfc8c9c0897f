"""The fast decoder: wire v1 JSON bytes into columns, or "look again" for anything unusual.

It accepts only what it is sure of (a flat object, ASCII, no escapes, no repeated keys, every
known field well-formed and in range) and leaves every other message, good or bad, to
`core.plain_decode`. So its one duty is: what it accepts, it reads as the plain decoder does.

One loop on purpose: messages of a stream look alike, so the processor guesses every branch and
runs ahead. The same in stages (find the fields, then read them) was measured 1.7 times slower,
for each stage has to wait for the places the one before has stored.
"""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.compiling import kernel
from swapstats.core.kernels.fields import (
    ADDRESS,
    AMOUNT,
    BLOCK,
    BLOCK_HASH,
    CHAIN,
    EVENT_ID,
    EVENT_TIME,
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
    field_named,
)
from swapstats.core.kernels.siphash import hash_bytes, hash_content
from swapstats.core.kernels.texts import (
    COLON,
    COMMA,
    DOT,
    NOT_A_WORD,
    NULL,
    QUOTE,
    amount,
    blank,
    digits_end,
    dollars,
    integer,
    literal,
    rfc3339_ms,
    text_end,
)

U64 = np.uint64
I64 = np.int64
PLAIN_BYTES_MAX = 65_536
"""Longer messages (blanks included) are left to the plain decoder."""
SCRATCH_BYTES = 600
"""The longest composed event id: 256 bytes of tx_hash and two numbers fit."""
CHECK_MASK = np.uint64(0x3FFFFFFF)
"""Content checks have 30 bits: they share a 32-bit word with the two state flags."""
_REQUIRED = (1 << SCHEMA) | (1 << ADDRESS) | (1 << SIDE) | (1 << AMOUNT) | (1 << EVENT_TIME)
_COMPOSED = (1 << CHAIN) | (1 << TX) | (1 << LOG_INDEX)


@kernel
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
    scratch: NDArray[np.uint8],
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
        scratch: uint8[SCRATCH_BYTES], for its own use: kernels allocate nothing.

    Returns:
        Number of messages left to the plain decoder.
    """
    left = 0
    key_at = 0
    n = bounds.shape[0] - 1
    for row in range(n):
        accepted[row] = 0
        left += 1
        at = bounds[row]
        stop = bounds[row + 1]
        if stop - at > PLAIN_BYTES_MAX:  # blanks count too
            continue
        while stop > at and blank(data[stop - 1]):
            stop -= 1
        while at < stop and blank(data[at]):
            at += 1
        if stop - at < 2 or data[at] != 123 or data[stop - 1] != 125:
            continue
        at += 1
        stop -= 1  # the closing brace stays outside
        seen = 0
        id_at = -1
        id_count = 0
        chain = -1
        tx_at = 0
        tx_count = 0
        chain_at = 0
        chain_end = 0
        log_at = 0
        log_end = 0
        inclusion = 0
        address_at = 0
        address_count = 0
        symbol_at = 0
        symbol_n = 0
        is_buy = 0
        is_removed = 0
        is_unpriced = 1
        usd_value = 0
        amount_lo = U64(0)
        amount_hi = U64(0)
        when = -1
        good = True
        while True:
            while at < stop and blank(data[at]):
                at += 1
            if at >= stop or data[at] != QUOTE:
                good = False
                break
            key_end = text_end(data, at + 1, stop)
            if key_end < 0:
                good = False
                break
            field = field_named(data, at + 1, key_end - at - 1)
            if field != UNKNOWN:
                if (seen >> field) & 1:
                    good = False
                    break
                seen |= 1 << field
            at = key_end + 1
            while at < stop and blank(data[at]):
                at += 1
            if at >= stop or data[at] != COLON:
                good = False
                break
            at += 1
            while at < stop and blank(data[at]):
                at += 1
            if at >= stop:
                good = False
                break
            c = data[at]
            begin = at
            end = at
            if c == QUOTE:
                begin = at + 1
                end = text_end(data, begin, stop)
                if end < 0:
                    good = False
                    break
                count = end - begin
                at = end + 1
                if field == EVENT_ID:
                    id_at = begin
                    id_count = count
                elif field == ADDRESS:
                    address_at = begin
                    address_count = count
                elif field == TX:
                    tx_at = begin
                    tx_count = count
                elif field == SYMBOL:
                    symbol_at = begin
                    symbol_n = count
                elif field == SIDE:
                    if count == 3 and data[begin] == 98 and data[begin + 1] == 117:
                        is_buy = 1
                        good = data[begin + 2] == 121
                    else:
                        good = (
                            count == 4
                            and data[begin] == 115
                            and data[begin + 1] == 101
                            and data[begin + 2] == 108
                            and data[begin + 3] == 108
                        )
                    if not good:
                        break
                elif field == AMOUNT or field == USD:
                    pass
                elif field == EVENT_TIME:
                    when = rfc3339_ms(data, begin, end)
                    if when < 0:
                        good = False
                        break
                elif field == INGESTED_TIME:
                    if rfc3339_ms(data, begin, end) < 0:
                        good = False
                        break
                elif not (
                    field == UNKNOWN
                    or field == BLOCK_HASH
                    or field == POOL
                    or field == VENUE
                    or field == TRADER
                ):
                    good = False
                    break
            elif 48 <= c <= 57:
                end = digits_end(data, at, stop)
                at = end
                if at < stop and data[at] == DOT:
                    at = digits_end(data, at + 1, stop)
                    if at == end + 1:
                        good = False
                        break
                if data[begin] == 48 and end - begin > 1:
                    good = False
                    break
                if field == AMOUNT or field == USD or field == UNKNOWN:
                    end = at
                else:
                    value = integer(data, begin, end) if at == end else -1
                    if value < 0:
                        good = False
                        break
                    if field == EVENT_TIME:
                        when = value
                    elif field == CHAIN:
                        chain = value
                        chain_at = begin
                        chain_end = end
                    elif field == LOG_INDEX:
                        log_at = begin
                        log_end = end
                    elif field == INCLUSION:
                        inclusion = value
                    elif field == SCHEMA:
                        if value != 1:
                            good = False
                            break
                    elif not (field == BLOCK or field == INGESTED_TIME):
                        good = False
                        break
            else:
                word, at = literal(data, at, stop)
                if word == NOT_A_WORD:
                    good = False
                    break
                if word == NULL:
                    # Counts as absent; but for the field that is often null it is not plain.
                    if field != UNKNOWN and field != USD:
                        good = False
                        break
                    seen &= ~(1 << USD) if field == USD else -1
                    field = UNKNOWN
                elif field == REMOVED:
                    is_removed = word
                elif field != UNKNOWN:
                    good = False
                    break
            if field == AMOUNT:
                good, amount_lo, amount_hi = amount(data, begin, end)
                if not good:
                    break
            elif field == USD:
                usd_value = dollars(data, begin, end)
                is_unpriced = 0
                if usd_value < 0:
                    good = False
                    break
            while at < stop and blank(data[at]):
                at += 1
            if at == stop:
                break
            if data[at] != COMMA:
                good = False
                break
            at += 1
        if not good or (seen & _REQUIRED) != _REQUIRED:
            continue
        if address_count < 1 or address_count > 256:
            continue
        if when < event_ms_min or (ahead_ms >= 0 and when > append_ms[row] + ahead_ms):
            continue
        if (seen >> EVENT_ID) & 1:
            if id_count < 1 or id_count > 256:
                continue
            fp = hash_bytes(data, id_at, id_count, U64(inclusion), True, k0, k1)
        else:
            if (seen & _COMPOSED) != _COMPOSED or tx_count < 1 or tx_count > 256:
                continue
            end = 0
            for i in range(chain_at, chain_end):
                scratch[end] = data[i]
                end += 1
            scratch[end] = COLON
            end += 1
            for i in range(tx_count):
                scratch[end + i] = data[tx_at + i]
            end += tx_count
            scratch[end] = COLON
            end += 1
            for i in range(log_at, log_end):
                scratch[end] = data[i]
                end += 1
            if end > 256:
                continue
            fp = hash_bytes(scratch, 0, end, U64(inclusion), True, k0, k1)
        key_start[row] = key_at
        end = key_at
        if chain >= 0:
            for i in range(chain_at, chain_end):
                keys[end] = data[i]
                end += 1
            keys[end] = COLON
            end += 1
        for i in range(address_count):
            keys[end + i] = data[address_at + i]
        end += address_count
        key_count[row] = end - key_at
        token = hash_bytes(keys, key_at, end - key_at, U64(0), False, k0, k1)
        key_at = end
        token_hash[row] = token
        fingerprint[row] = fp if fp != U64(0) else U64(1)
        check[row] = np.uint32(
            hash_content(
                token,
                U64(is_buy | (is_unpriced << 1)),
                amount_lo,
                amount_hi,
                U64(usd_value),
                U64(when),
                k0,
                k1,
            )
            & CHECK_MASK
        )
        symbol_start[row] = symbol_at
        symbol_count[row] = symbol_n
        event_ms[row] = when
        side[row] = is_buy
        removed[row] = is_removed
        unpriced[row] = is_unpriced
        usd[row] = usd_value
        lo[row] = amount_lo
        hi[row] = amount_hi
        accepted[row] = 1
        left -= 1
    return left
