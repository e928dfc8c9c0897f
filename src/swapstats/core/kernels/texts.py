"""Pieces of JSON text: where a text ends, what digits and times say. Scalars in, scalars out."""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.compiling import part
from swapstats.core.kernels.words import load_word

U64 = np.uint64
I64 = np.int64
POW10 = np.array([10**_exponent for _exponent in range(20)], dtype=np.uint64)
_E18 = 10**18
_E36_LO = np.uint64((10**36) & ((1 << 64) - 1))
_E36_HI = np.uint64((10**36) >> 64)

NULL, NOT_A_WORD = 2, -1
QUOTE, BACKSLASH, COMMA, COLON, DOT, MINUS = 34, 92, 44, 58, 46, 45


@part
def blank(c: int) -> bool:
    """Whether a byte is white space in JSON."""
    return c == 32 or c == 10 or c == 13 or c == 9


@part
def text_end(data: NDArray[np.uint8], at: int, stop: int) -> int:
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
        if c == QUOTE:
            return at
        if c == BACKSLASH or c < 32 or c > 127:
            return -1
        at += 1
    return -1


@part
def literal(data: NDArray[np.uint8], at: int, stop: int) -> tuple[int, int]:
    """Read `false` (0), `true` (1) or `null` (NULL); returns it and the position after it."""
    c = data[at]
    if c == 102 and at + 5 <= stop:
        if data[at + 1] == 97 and data[at + 2] == 108 and data[at + 3] == 115:
            if data[at + 4] == 101:
                return 0, at + 5
    elif c == 116 and at + 4 <= stop:
        if data[at + 1] == 114 and data[at + 2] == 117 and data[at + 3] == 101:
            return 1, at + 4
    elif c == 110 and at + 4 <= stop:
        if data[at + 1] == 117 and data[at + 2] == 108 and data[at + 3] == 108:
            return NULL, at + 4
    return NOT_A_WORD, at


@part
def digits_end(data: NDArray[np.uint8], at: int, stop: int) -> int:
    """Position of the first byte from `at` on that is no digit."""
    while at < stop and 48 <= data[at] <= 57:
        at += 1
    return at


@part
def integer(data: NDArray[np.uint8], at: int, end: int) -> int:
    """Value of a plain JSON integer of at most 18 digits; -1 if it is not one."""
    count = end - at
    if count < 1 or count > 18 or (count > 1 and data[at] == 48):
        return -1
    value = 0
    for i in range(at, end):
        c = data[i]
        if c < 48 or c > 57:
            return -1
        value = value * 10 + (int(I64(c)) - 48)
    return value


@part
def digits(data: NDArray[np.uint8], at: int, end: int) -> np.uint64:
    """Value of at most 19 digits."""
    value = U64(0)
    for i in range(at, end):
        value = value * U64(10) + U64(data[i] - 48)
    return value


@part
def wide(whole_hi: np.uint64, whole_lo: np.uint64, rest: np.uint64) -> tuple[np.uint64, np.uint64]:
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
        for _ in range(int(I64(whole_hi))):  # below 100
            total = lo + _E36_LO
            hi += _E36_HI
            if total < lo:
                hi += U64(1)
            lo = total
    return lo, hi


@part
def rfc3339_ms(data: NDArray[np.uint8], at: int, end: int) -> int:
    """Milliseconds of `YYYY-MM-DDTHH:MM:SS[.fraction]Z`; -1 for any other spelling."""
    if end - at < 20 or data[end - 1] != 90:
        return -1
    for i in range(19):
        c = data[at + i]
        if i == 4 or i == 7:
            if c != MINUS:
                return -1
        elif i == 10:
            if c != 84:
                return -1
        elif i == 13 or i == 16:
            if c != COLON:
                return -1
        elif c < 48 or c > 57:
            return -1
    year = int(I64(digits(data, at, at + 4)))
    month = int(I64(digits(data, at + 5, at + 7)))
    day = int(I64(digits(data, at + 8, at + 10)))
    hour = int(I64(digits(data, at + 11, at + 13)))
    minute = int(I64(digits(data, at + 14, at + 16)))
    second = int(I64(digits(data, at + 17, at + 19)))
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
        if data[at + 19] != DOT or end - at > 30 or digits_end(data, at + 20, end - 1) != end - 1:
            return -1
        places = end - 1 - (at + 20)
        if places < 1:
            return -1
        taken = min(places, 3)
        ms = int(I64(digits(data, at + 20, at + 20 + taken)))
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


@part
def amount(data: NDArray[np.uint8], at: int, end: int) -> tuple[bool, np.uint64, np.uint64]:
    """Read a plain decimal of at most 20 digits before and 18 after the point.

    Returns:
        Whether it is one, and its value times 10^18 as (low, high) words.
    """
    whole_end = digits_end(data, at, end)
    whole = whole_end - at
    places = end - whole_end - 1
    if whole < 1 or whole > 20 or places > 18:
        return False, U64(0), U64(0)
    rest = U64(0)
    if places >= 0:
        if data[whole_end] != DOT or places == 0 or digits_end(data, whole_end + 1, end) != end:
            return False, U64(0), U64(0)
        rest = digits(data, whole_end + 1, end) * POW10[18 - places]
    cut = whole_end - 18 if whole > 18 else at
    lo, hi = wide(digits(data, at, cut), digits(data, cut, whole_end), rest)
    return True, lo, hi


@part
def dollars(data: NDArray[np.uint8], at: int, end: int) -> int:
    """Micro-dollars of a plain decimal below 10^12 with at most 6 places; -1 if it is none."""
    whole_end = digits_end(data, at, end)
    whole = whole_end - at
    places = end - whole_end - 1
    if whole < 1 or whole > 12 or places > 6:
        return -1
    value = int(I64(digits(data, at, whole_end) * POW10[6]))
    if places >= 0:
        if data[whole_end] != DOT or places == 0 or digits_end(data, whole_end + 1, end) != end:
            return -1
        value += int(I64(digits(data, whole_end + 1, end) * POW10[6 - places]))
    return value
