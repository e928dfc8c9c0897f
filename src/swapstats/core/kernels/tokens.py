"""A flat JSON object into the places of its known fields, or "not plain"."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swapstats.core.kernels.texts import COLON, COMMA, QUOTE, blank, number_end, text_end
from swapstats.core.kernels.words import load_word

SCHEMA, EVENT_ID, CHAIN, TX, LOG_INDEX, BLOCK, BLOCK_HASH, INCLUSION = 0, 1, 2, 3, 4, 5, 6, 7
ADDRESS, SYMBOL, POOL, VENUE, TRADER, SIDE, AMOUNT, USD = 8, 9, 10, 11, 12, 13, 14, 15
EVENT_TIME, INGESTED_TIME, REMOVED = 16, 17, 18
UNKNOWN = 19
FIELD_COUNT = 20
NAMES = (
    "schema_version event_id chain_id tx_hash log_index block_number block_hash inclusion "
    "token_address token_symbol pool_address venue trader side amount_token amount_usd "
    "event_time ingested_time removed"
).split()
_NAME_BYTES = np.zeros((len(NAMES), 16), dtype=np.uint8)
for _index, _name in enumerate(NAMES):
    _NAME_BYTES[_index, : len(_name)] = np.frombuffer(_name.encode(), dtype=np.uint8)
_NAME_WORDS = _NAME_BYTES.view("<u8").astype(np.uint64)
_MASKS = np.array([(1 << 8 * _bytes) - 1 for _bytes in range(9)], dtype=np.uint64)

NOT_PLAIN = -1
_FALSE, _TRUE, _NULL = 0, 1, 2


@njit(cache=True, nogil=True, forceinline=True)
def field_named(data: NDArray[np.uint8], start: int, count: int) -> int:
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
    if field == UNKNOWN:
        return UNKNOWN
    if start + 16 <= data.shape[0]:
        first_mask = _MASKS[min(count, 8)]
        rest_mask = _MASKS[max(count - 8, 0)]
        if (load_word(data, start) & first_mask) != _NAME_WORDS[field, 0]:
            return UNKNOWN
        if (load_word(data, start + 8) & rest_mask) != _NAME_WORDS[field, 1]:
            return UNKNOWN
        return field
    for i in range(count):
        if data[start + i] != _NAME_BYTES[field, i]:
            return UNKNOWN
    return field


@njit(cache=True, nogil=True, forceinline=True)
def _skip_blanks(data: NDArray[np.uint8], at: int, stop: int) -> int:
    while at < stop and blank(data[at]):
        at += 1
    return at


@njit(cache=True, nogil=True, forceinline=True)
def _literal(data: NDArray[np.uint8], at: int, stop: int) -> tuple[int, int]:
    """Which of `false`, `true` and `null` stands here, and the position after it."""
    c = data[at]
    if c == 102 and at + 5 <= stop:
        if data[at + 1] == 97 and data[at + 2] == 108 and data[at + 3] == 115:
            if data[at + 4] == 101:
                return _FALSE, at + 5
    elif c == 116 and at + 4 <= stop:
        if data[at + 1] == 114 and data[at + 2] == 117 and data[at + 3] == 101:
            return _TRUE, at + 4
    elif c == 110 and at + 4 <= stop:
        if data[at + 1] == 117 and data[at + 2] == 108 and data[at + 3] == 108:
            return _NULL, at + 4
    return NOT_PLAIN, at


@njit(cache=True, nogil=True, forceinline=True)
def tokenize(
    data: NDArray[np.uint8],
    at: int,
    stop: int,
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> tuple[int, int, int, int]:
    """Find the values of the known fields of one flat object.

    Plain means: ASCII, no escapes, no nested values, no sign or exponent in a number, no field
    twice, no null but for amount_usd (which counts as absent).

    Args:
        data: uint8[...].
        at: position after the opening brace.
        stop: position of the closing brace.
        begins: int64[FIELD_COUNT], out: where its text or number begins.
        ends: int64[FIELD_COUNT], out: where it ends.

    Returns:
        Bit masks by field: seen (NOT_PLAIN if the object is not plain), those that are texts,
        those that are numbers, those that are `true`.
    """
    seen = 0
    texts = 0
    numbers = 0
    trues = 0
    while True:
        at = _skip_blanks(data, at, stop)
        if at >= stop or data[at] != QUOTE:
            break
        end = text_end(data, at + 1, stop)
        if end < 0:
            break
        field = field_named(data, at + 1, end - at - 1)
        bit = 1 << field
        if field != UNKNOWN and seen & bit:
            break
        at = _skip_blanks(data, end + 1, stop)
        if at >= stop or data[at] != COLON:
            break
        at = _skip_blanks(data, at + 1, stop)
        if at >= stop:
            break
        c = data[at]
        if c == QUOTE:
            begins[field] = at + 1
            end = text_end(data, at + 1, stop)
            if end < 0:
                break
            ends[field] = end
            seen |= bit
            texts |= bit
            at = end + 1
        elif 48 <= c <= 57:
            end = number_end(data, at, stop)
            if end < 0:
                break
            begins[field] = at
            ends[field] = end
            seen |= bit
            numbers |= bit
            at = end
        else:
            value, at = _literal(data, at, stop)
            if value == NOT_PLAIN:
                break
            if value == _NULL:
                if field != USD and field != UNKNOWN:
                    break
            else:
                seen |= bit
                if value == _TRUE:
                    trues |= bit
        at = _skip_blanks(data, at, stop)
        if at == stop:
            return seen, texts, numbers, trues
        if data[at] != COMMA:
            break
        at += 1
    return NOT_PLAIN, 0, 0, 0
