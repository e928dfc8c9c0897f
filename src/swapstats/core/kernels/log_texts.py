"""Where the fields of one log of an `eth_getLogs` answer lie, if it is written as nodes write it.

Taken is less than JSON is: known fields once each, ASCII without escapes, hex digits in lower case.
"""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.compiling import kernel, part
from swapstats.core.kernels.limbs import is_lower_hex
from swapstats.core.kernels.texts import (
    COLON,
    COMMA,
    NOT_A_WORD,
    NULL,
    QUOTE,
    blank,
    digits_end,
    integer,
    literal,
    text_end,
)
from swapstats.core.kernels.words import load_word

U64 = np.uint64
I64 = np.int64

(
    ADDRESS,
    TOPICS,
    DATA,
    BLOCK_NUMBER,
    BLOCK_HASH,
    TX_HASH,
    LOG_INDEX,
    DATA_DIGITS,
    TOPIC0,
    TOPIC1,
    TOPIC2,
    TOPIC3,
) = range(12)
"""Places of a log. Of hex texts: where their digits begin, after 0x; TOPICS is their number, and
BLOCK_NUMBER and LOG_INDEX are the values themselves."""
PLACES = 12
UNSURE = -1
_TX_INDEX, _REMOVED, _UNKNOWN = 12, 13, 14
_REQUIRED = (1 << (LOG_INDEX + 1)) - 1
_TOPICS_MAX = 4
_DEPTH_MAX = 8
_LETTER_X = 120
_OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST = 123, 125, 91, 93


def _word(text: bytes) -> np.uint64:
    return U64(int.from_bytes(text, "little"))


_ADDRESS = _word(b'address"')
_TOPICS = _word(b'topics"')
_DATA = _word(b'data"')
_BLOCK_NUMBER = _word(b"blockNum"), _word(b'kNumber"')
_BLOCK_HASH = _word(b"blockHas"), _word(b'ockHash"')
_TX = _word(b"transact")
_TX_HASH_END = _word(b'ionHash"')
_TX_INDEX_END = _word(b"ionIndex")
_LOG_INDEX = _word(b"logIndex")
_REMOVED_NAME = _word(b'removed"')
_FIVE_BYTES = U64((1 << 40) - 1)
_SEVEN_BYTES = U64((1 << 56) - 1)


@part
def _field_named(data: NDArray[np.uint8], at: int, stop: int) -> tuple[int, int]:
    """Which field a key names that begins at `at`, and where its closing quote is, or UNSURE."""
    if at + 8 <= stop:
        word = load_word(data, at)
        if word == _ADDRESS:
            return ADDRESS, at + 7
        if word & _SEVEN_BYTES == _TOPICS:
            return TOPICS, at + 6
        if word & _FIVE_BYTES == _DATA:
            return DATA, at + 4
        if word == _REMOVED_NAME:
            return _REMOVED, at + 7
        if word == _LOG_INDEX and at + 9 <= stop and data[at + 8] == QUOTE:
            return LOG_INDEX, at + 8
        if word == _TX and at + 17 <= stop:
            ending = load_word(data, at + 8)
            if ending == _TX_HASH_END:
                return TX_HASH, at + 15
            if ending == _TX_INDEX_END and data[at + 16] == QUOTE:
                return _TX_INDEX, at + 16
        if word == _BLOCK_HASH[0] and at + 10 <= stop:
            if load_word(data, at + 2) == _BLOCK_HASH[1]:
                return BLOCK_HASH, at + 9
        if word == _BLOCK_NUMBER[0] and at + 12 <= stop:
            if load_word(data, at + 4) == _BLOCK_NUMBER[1]:
                return BLOCK_NUMBER, at + 11
    return _UNKNOWN, text_end(data, at, stop)


@part
def _after_blanks(data: NDArray[np.uint8], at: int, stop: int) -> int:
    """Position of the first byte from `at` on that is no white space; `stop` if there is none."""
    while at < stop and blank(data[at]):
        at += 1
    return at


@part
def _hex_end(data: NDArray[np.uint8], at: int, stop: int) -> int:
    """Position of the first eight bytes from `at` on that are not all hex digits."""
    while at + 8 <= stop and is_lower_hex(load_word(data, at)):
        at += 8
    return at


@part
def _begins_hex(data: NDArray[np.uint8], at: int, stop: int) -> bool:
    """Whether a text that begins with 0x stands at `at`."""
    return at + 3 <= stop and data[at] == QUOTE and data[at + 1] == 48 and data[at + 2] == _LETTER_X


@part
def _is_hex_text(data: NDArray[np.uint8], at: int, stop: int, digits: int) -> bool:
    """Whether a text of 0x and so many digits, a multiple of 8, stands at `at`."""
    end = at + 3 + digits
    if end >= stop or not _begins_hex(data, at, stop) or data[end] != QUOTE:
        return False
    return _hex_end(data, at + 3, end) == end


@part
def _quantity(data: NDArray[np.uint8], at: int, stop: int) -> tuple[int, int]:
    """Read a text of 0x and 1 to 15 hex digits; returns its value, or UNSURE, and what follows."""
    if not _begins_hex(data, at, stop):
        return UNSURE, at
    at += 3
    last = min(stop, at + 16)
    value = 0
    begin = at
    while at < last:
        c = int(data[at])
        if 48 <= c <= 57:
            value = value * 16 + c - 48
        elif 97 <= c <= 102:
            value = value * 16 + c - 87
        else:
            break
        at += 1
    if at == begin or at == last or data[at] != QUOTE:
        return UNSURE, at
    return value, at + 1


@part
def _read_topics(data: NDArray[np.uint8], at: int, stop: int, places: NDArray[np.int64]) -> int:
    """Read one to four topics; returns the position after their list, or UNSURE."""
    if at >= stop or data[at] != _OPEN_LIST:
        return UNSURE
    at += 1
    for topic in range(_TOPICS_MAX):
        at = _after_blanks(data, at, stop)
        if not _is_hex_text(data, at, stop, 64):
            return UNSURE
        places[TOPIC0 + topic] = at + 3
        places[TOPICS] = topic + 1
        at = _after_blanks(data, at + 68, stop)
        if at >= stop:
            return UNSURE
        if data[at] == _CLOSE_LIST:
            return at + 1
        if data[at] != COMMA:
            return UNSURE
        at += 1
    return UNSURE


@part
def _other_end(data: NDArray[np.uint8], at: int, stop: int, field: int) -> int:
    """Position after a value that says nothing about a swap, or UNSURE."""
    if at >= stop:
        return UNSURE
    if data[at] == QUOTE:
        end = text_end(data, at + 1, stop)
        if field == _TX_INDEX and not 3 <= end - at - 1 <= 18:
            return UNSURE
        return end + 1 if end >= 0 and field != _REMOVED else UNSURE
    if 48 <= data[at] <= 57:
        end = digits_end(data, at, stop)
        return end if field == _UNKNOWN and integer(data, at, end) >= 0 else UNSURE
    word, end = literal(data, at, stop)
    if word == NOT_A_WORD or (field == _TX_INDEX and word != NULL):
        return UNSURE
    return end if field != _REMOVED or word == 0 else UNSURE


@kernel
def read_log(data: NDArray[np.uint8], at: int, stop: int, places: NDArray[np.int64]) -> int:
    """Find the fields of one log.

    Args:
        data: uint8[...], JSON text.
        at: where its opening brace is.
        stop: where the text ends.
        places: int64[PLACES], out.

    Returns:
        The position after its closing brace, or UNSURE.
    """
    seen = 0
    at += 1
    while True:
        at = _after_blanks(data, at, stop)
        if at >= stop or data[at] != QUOTE:
            return UNSURE
        field, at = _field_named(data, at + 1, stop)
        if at < 0 or (field != _UNKNOWN and (seen >> field) & 1):
            return UNSURE
        seen |= 1 << field
        at = _after_blanks(data, at + 1, stop)
        if at >= stop or data[at] != COLON:
            return UNSURE
        at = _after_blanks(data, at + 1, stop)
        if field == TOPICS:
            at = _read_topics(data, at, stop, places)
            if at < 0:
                return UNSURE
        elif field == ADDRESS or field == BLOCK_HASH or field == TX_HASH:
            digits = 40 if field == ADDRESS else 64
            if not _is_hex_text(data, at, stop, digits):
                return UNSURE
            places[field] = at + 3
            at += digits + 4
        elif field == DATA:
            if not _begins_hex(data, at, stop):
                return UNSURE
            end = _hex_end(data, at + 3, stop)
            if end >= stop or data[end] != QUOTE:
                return UNSURE
            places[DATA] = at + 3
            places[DATA_DIGITS] = end - at - 3
            at = end + 1
        elif field == BLOCK_NUMBER or field == LOG_INDEX:
            value, at = _quantity(data, at, stop)
            if value < 0:
                return UNSURE
            places[field] = value
        else:
            at = _other_end(data, at, stop, field)
            if at < 0:
                return UNSURE
        at = _after_blanks(data, at, stop)
        if at >= stop:
            return UNSURE
        if data[at] == _CLOSE:
            return at + 1 if seen & _REQUIRED == _REQUIRED else UNSURE
        if data[at] != COMMA:
            return UNSURE
        at += 1


@kernel
def skip_log(data: NDArray[np.uint8], at: int, stop: int) -> int:
    """Find the end of an object by its braces alone; what stands between them may be no JSON.

    Returns:
        The position after its closing brace, or UNSURE.
    """
    depth = 0
    while at < stop:
        c = data[at]
        if c == QUOTE:
            at = text_end(data, at + 1, stop)
            if at < 0:
                return UNSURE
        elif c == _OPEN or c == _OPEN_LIST:
            depth += 1
            if depth > _DEPTH_MAX:
                return UNSURE
        elif c == _CLOSE or c == _CLOSE_LIST:
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return UNSURE
