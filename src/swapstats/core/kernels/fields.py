"""The fields of wire v1, by number and by name."""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.compiling import part
from swapstats.core.kernels.words import load_word

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
_NAME_WORDS = _NAME_BYTES.view("<u8").astype(np.uint64)
_MASKS = np.array([(1 << 8 * _bytes) - 1 for _bytes in range(9)], dtype=np.uint64)


@part
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
