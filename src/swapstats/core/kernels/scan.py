"""The fast decoder: wire v1 JSON bytes into columns, or "look again" for anything unusual.

It accepts only what it is sure of (a flat object, ASCII, no escapes, no repeated keys, every
known field well-formed and in range) and leaves every other message, good or bad, to
`core.plain_decode`. So its one duty is: what it accepts, it reads as the plain decoder does.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swapstats.core.kernels.siphash import hash_bytes, hash_content
from swapstats.core.kernels.words import load_word

U64 = np.uint64
I64 = np.int64

SCHEMA, EVENT_ID, CHAIN, TX, LOG_INDEX, BLOCK, BLOCK_HASH, INCLUSION = 0, 1, 2, 3, 4, 5, 6, 7
ADDRESS, SYMBOL, POOL, VENUE, TRADER, SIDE, AMOUNT, USD = 8, 9, 10, 11, 12, 13, 14, 15
EVENT_TIME, INGESTED_TIME, REMOVED = 16, 17, 18
UNKNOWN = 19
NAMES = (
    "schema_version event_id chain_id tx_hash log_index block_number block_hash inclusion "
    "token_address token_symbol pool_address venue trader side amount_token amount_usd "
    "event_time ingested_time removed"
).split()
_NAME_BYTES = np.zeros((len(NAMES), 16), dtype=np.uint8)
for _index, _name in enumerate(NAMES):
    _NAME_BYTES[_index, : len(_name)] = np.frombuffer(_name.encode(), dtype=np.uint8)

POW10 = np.array([10**_exponent for _exponent in range(20)], dtype=np.uint64)
_E18 = 10**18
E36_LO = np.uint64((10**36) & ((1 << 64) - 1))
E36_HI = np.uint64((10**36) >> 64)
_REQUIRED = (1 << SCHEMA) | (1 << ADDRESS) | (1 << SIDE) | (1 << AMOUNT) | (1 << EVENT_TIME)
_COMPOSED = (1 << CHAIN) | (1 << TX) | (1 << LOG_INDEX)
CHECK_MASK = np.uint64(0x3FFFFFFF)
"""Content checks have 30 bits: they share a 32-bit word with the two state flags."""

_QUOTE, _BACKSLASH, _COMMA, _COLON, _DOT, _MINUS = 34, 92, 44, 58, 46, 45


@njit(cache=True, nogil=True, inline="always")
def _blank(c: int) -> bool:
    return c == 32 or c == 10 or c == 13 or c == 9


@njit(cache=True, nogil=True)
def _field(data: NDArray[np.uint8], start: int, count: int) -> int:
    """Which known field a key names; UNKNOWN if none."""
    if count < 4 or count > 14:
        return UNKNOWN
    first = data[start]
    field = UNKNOWN
    if count == 4:
        field = SIDE
    elif count == 5:
        field = VENUE
    elif count == 6:
        field = TRADER
    elif count == 7:
        field = TX if first == 116 else REMOVED
    elif count == 8:
        field = EVENT_ID if first == 101 else CHAIN
    elif count == 9:
        field = LOG_INDEX if first == 108 else INCLUSION
    elif count == 10:
        field = BLOCK_HASH if first == 98 else (USD if first == 97 else EVENT_TIME)
    elif count == 12:
        if first == 98:
            field = BLOCK
        elif first == 116:
            field = SYMBOL
        elif first == 112:
            field = POOL
        else:
            field = AMOUNT
    elif count == 13:
        field = ADDRESS if first == 116 else INGESTED_TIME
    elif count == 14:
        field = SCHEMA
    if field != UNKNOWN:
        for i in range(count):
            if data[start + i] != _NAME_BYTES[field, i]:
                return UNKNOWN
    return field


@njit(cache=True, nogil=True)
def _text_end(data: NDArray[np.uint8], at: int, stop: int) -> int:
    """Position of the closing quote of a text that begins at `at`; -1 if it is not plain."""
    high = U64(0x8080808080808080)
    ones = U64(0x0101010101010101)
    quotes = U64(0x2222222222222222)
    slashes = U64(0x5C5C5C5C5C5C5C5C)
    while at + 8 <= stop:
        word = load_word(data, at)
        quote = word ^ quotes
        slash = word ^ slashes
        odd = (
            ((quote - ones) & ~quote)
            | ((slash - ones) & ~slash)
            | (word - U64(0x2020202020202020))
            | word
        ) & high
        if odd != U64(0):
            break
        at += 8
    while at < stop:
        c = data[at]
        if c == _QUOTE:
            return at
        if c == _BACKSLASH or c < 32 or c > 127:
            return -1
        at += 1
    return -1


@njit(cache=True, nogil=True)
def _digits_end(data: NDArray[np.uint8], at: int, stop: int) -> int:
    while at < stop and 48 <= data[at] <= 57:
        at += 1
    return at


@njit(cache=True, nogil=True)
def _integer(data: NDArray[np.uint8], at: int, end: int) -> int:
    """Value of a plain JSON integer of at most 18 digits; -1 if it is not one."""
    count = end - at
    if count < 1 or count > 18 or (count > 1 and data[at] == 48):
        return -1
    value = 0
    for i in range(at, end):
        value = value * 10 + (I64(data[i]) - 48)
    return value


@njit(cache=True, nogil=True)
def _digits(data: NDArray[np.uint8], at: int, end: int) -> np.uint64:
    value = U64(0)
    for i in range(at, end):
        value = value * U64(10) + U64(data[i] - 48)
    return value


@njit(cache=True, nogil=True)
def _wide(whole_hi: np.uint64, whole_lo: np.uint64, rest: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return whole_hi * 10^36 + whole_lo * 10^18 + rest as (low, high) words."""
    mask = U64(0xFFFFFFFF)
    a0 = whole_lo & mask
    a1 = whole_lo >> U64(32)
    b0 = U64(_E18) & mask
    b1 = U64(_E18) >> U64(32)
    p00 = a0 * b0
    p01 = a0 * b1
    p10 = a1 * b0
    middle = (p00 >> U64(32)) + (p01 & mask) + (p10 & mask)
    lo = (p00 & mask) | (middle << U64(32))
    hi = a1 * b1 + (p01 >> U64(32)) + (p10 >> U64(32)) + (middle >> U64(32))
    total = lo + rest
    if total < lo:
        hi += U64(1)
    lo = total
    if whole_hi != U64(0):
        for _ in range(I64(whole_hi)):  # below 100
            total = lo + E36_LO
            hi += E36_HI
            if total < lo:
                hi += U64(1)
            lo = total
    return lo, hi


@njit(cache=True, nogil=True)
def _rfc3339(data: NDArray[np.uint8], at: int, end: int) -> int:
    """Milliseconds of `YYYY-MM-DDTHH:MM:SS[.fraction]Z`; -1 for any other spelling."""
    if end - at < 20 or data[end - 1] != 90:
        return -1
    for i in range(19):
        c = data[at + i]
        if i == 4 or i == 7:
            if c != _MINUS:
                return -1
        elif i == 10:
            if c != 84:
                return -1
        elif i == 13 or i == 16:
            if c != _COLON:
                return -1
        elif c < 48 or c > 57:
            return -1
    year = I64(_digits(data, at, at + 4))
    month = I64(_digits(data, at + 5, at + 7))
    day = I64(_digits(data, at + 8, at + 10))
    hour = I64(_digits(data, at + 11, at + 13))
    minute = I64(_digits(data, at + 14, at + 16))
    second = I64(_digits(data, at + 17, at + 19))
    if year < 1970 or month < 1 or month > 12 or day < 1 or hour > 23 or minute > 59 or second > 59:
        return -1
    leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
    last = 31
    if month == 2:
        last = 29 if leap else 28
    elif month == 4 or month == 6 or month == 9 or month == 11:
        last = 30
    if day > last:
        return -1
    ms = 0
    if end - at > 20:
        if data[at + 19] != _DOT or end - at > 30 or _digits_end(data, at + 20, end - 1) != end - 1:
            return -1
        places = end - 1 - (at + 20)
        if places < 1:
            return -1
        taken = min(places, 3)
        ms = I64(_digits(data, at + 20, at + 20 + taken))
        for _ in range(3 - taken):
            ms *= 10
    shifted_year = year - 1 if month <= 2 else year  # days from civil, March-based years
    era = shifted_year // 400
    year_of_era = shifted_year - era * 400
    shifted_month = month - 3 if month > 2 else month + 9
    day_of_year = (153 * shifted_month + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    days = era * 146097 + day_of_era - 719468
    return ((days * 24 + hour) * 60 + minute) * 60000 + second * 1000 + ms


@njit(cache=True, nogil=True)
def _write_integer(out: NDArray[np.uint8], at: int, value: int) -> int:
    """Write `value` >= 0 in decimal; returns the position after it."""
    if value == 0:
        out[at] = 48
        return at + 1
    count = 0
    rest = value
    while rest > 0:
        rest //= 10
        count += 1
    rest = value
    for i in range(count - 1, -1, -1):
        out[at + i] = 48 + rest % 10
        rest //= 10
    return at + count


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
    n = bounds.shape[0] - 1
    scratch = np.empty(600, dtype=np.uint8)
    for row in range(n):
        accepted[row] = 0
        left += 1
        at = bounds[row]
        stop = bounds[row + 1]
        while stop > at and _blank(data[stop - 1]):
            stop -= 1
        while at < stop and _blank(data[at]):
            at += 1
        if stop - at < 2 or stop - at > 65536 or data[at] != 123 or data[stop - 1] != 125:
            continue
        at += 1
        stop -= 1  # the closing brace stays outside
        seen = 0
        id_at = -1
        id_count = 0
        chain = -1
        tx_at = 0
        tx_count = 0
        log_index = 0
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
            while at < stop and _blank(data[at]):
                at += 1
            if at >= stop or data[at] != _QUOTE:
                good = False
                break
            key_end = _text_end(data, at + 1, stop)
            if key_end < 0:
                good = False
                break
            field = _field(data, at + 1, key_end - at - 1)
            if field != UNKNOWN:
                if (seen >> field) & 1:
                    good = False
                    break
                seen |= 1 << field
            at = key_end + 1
            while at < stop and _blank(data[at]):
                at += 1
            if at >= stop or data[at] != _COLON:
                good = False
                break
            at += 1
            while at < stop and _blank(data[at]):
                at += 1
            if at >= stop:
                good = False
                break
            c = data[at]
            if c == _QUOTE:
                begin = at + 1
                end = _text_end(data, begin, stop)
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
                    when = _rfc3339(data, begin, end)
                    if when < 0:
                        good = False
                        break
                elif field == INGESTED_TIME:
                    if _rfc3339(data, begin, end) < 0:
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
                begin = at
                end = _digits_end(data, at, stop)
                at = end
                if at < stop and data[at] == _DOT:
                    at = _digits_end(data, at + 1, stop)
                    if at == end + 1:
                        good = False
                        break
                if data[begin] == 48 and end - begin > 1:
                    good = False
                    break
                if field == AMOUNT or field == USD or field == UNKNOWN:
                    end = at
                else:
                    value = _integer(data, begin, end) if at == end else -1
                    if value < 0:
                        good = False
                        break
                    if field == EVENT_TIME:
                        when = value
                    elif field == CHAIN:
                        chain = value
                    elif field == LOG_INDEX:
                        log_index = value
                    elif field == INCLUSION:
                        inclusion = value
                    elif field == SCHEMA:
                        if value != 1:
                            good = False
                            break
                    elif not (field == BLOCK or field == INGESTED_TIME):
                        good = False
                        break
            elif c == 102:  # false
                if (
                    at + 5 > stop
                    or data[at + 1] != 97
                    or data[at + 2] != 108
                    or data[at + 3] != 115
                    or data[at + 4] != 101
                    or not (field == REMOVED or field == UNKNOWN)
                ):
                    good = False
                    break
                begin = at
                at += 5
                end = at
            elif c == 116:  # true
                if (
                    at + 4 > stop
                    or data[at + 1] != 114
                    or data[at + 2] != 117
                    or data[at + 3] != 101
                    or not (field == REMOVED or field == UNKNOWN)
                ):
                    good = False
                    break
                if field == REMOVED:
                    is_removed = 1
                begin = at
                at += 4
                end = at
            elif c == 110:  # null
                if (
                    at + 4 > stop
                    or data[at + 1] != 117
                    or data[at + 2] != 108
                    or data[at + 3] != 108
                ):
                    good = False
                    break
                begin = at
                at += 4
                end = at
                if field != UNKNOWN:
                    seen &= ~(1 << field)
                    # A null counts as absent, but a second spelling of the key is not plain.
                    if field != USD:
                        good = False
                        break
                    field = UNKNOWN
            else:
                good = False
                break
            if field == AMOUNT or field == USD:
                whole_end = _digits_end(data, begin, end)
                whole = whole_end - begin
                places = 0
                if whole_end < end:
                    places = end - whole_end - 1
                    if (
                        data[whole_end] != _DOT
                        or places < 1
                        or _digits_end(data, whole_end + 1, end) != end
                    ):
                        good = False
                        break
                if field == AMOUNT:
                    if whole < 1 or whole > 20 or places > 18:
                        good = False
                        break
                    cut = begin
                    if whole > 18:
                        cut = whole_end - 18
                    rest = U64(0)
                    if places > 0:
                        rest = _digits(data, whole_end + 1, end) * POW10[18 - places]
                    amount_lo, amount_hi = _wide(
                        _digits(data, begin, cut), _digits(data, cut, whole_end), rest
                    )
                else:
                    if whole < 1 or whole > 12 or places > 6:
                        good = False
                        break
                    usd_value = I64(_digits(data, begin, whole_end) * POW10[6])
                    if places > 0:
                        usd_value += I64(_digits(data, whole_end + 1, end) * POW10[6 - places])
                    is_unpriced = 0
            while at < stop and _blank(data[at]):
                at += 1
            if at == stop:
                break
            if data[at] != _COMMA:
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
            end = _write_integer(scratch, 0, chain)
            scratch[end] = _COLON
            end += 1
            for i in range(tx_count):
                scratch[end + i] = data[tx_at + i]
            end += tx_count
            scratch[end] = _COLON
            end = _write_integer(scratch, end + 1, log_index)
            if end > 256:
                continue
            fp = hash_bytes(scratch, 0, end, U64(inclusion), True, k0, k1)
        key_start[row] = key_at
        end = key_at
        if chain >= 0:
            end = _write_integer(keys, end, chain)
            keys[end] = _COLON
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
