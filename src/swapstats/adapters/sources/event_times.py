"""Finding and moving `event_time` in the bytes of messages, without decoding or rewriting the rest.

Only what the contract takes for an event_time is found: the value of the last such key of the
outermost object, whatever else the message holds. A message that breaks the contract keeps
breaking it: it is never moved into the allowed range.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swapstats.core.plain_decode import time_ms
from swapstats.core.replay_pace import NO_TIME_MS
from swapstats.model.record import MessageBlock
from swapstats.model.wire import EVENT_MS_MIN

KIND_NONE, KIND_INTEGER, KIND_TEXT = 0, 1, 2
_NAME = np.frombuffer(b"event_time", dtype=np.uint8)
_QUOTE = 34
_BACKSLASH = 92
_BLANK_MAX = 32
_DIGITS_MAX = 18
_COMMON_DIGITS = 13
"""Milliseconds since the epoch have 13 digits from 2001 to 2286."""

_TEXT_MS_MAX = 253_370_764_800_000
"""The year 9999: beyond it a date cannot be written; the contract refuses such a time anyway."""

_rfc3339_parts = re.compile(
    r"([0-9-]+)([Tt])([0-9:]+)(?:\.([0-9]+))?([Zz]|([+-])([0-9]{2}):([0-9]{2}))"
).fullmatch


@dataclass(frozen=True, slots=True)
class EventTimes:
    """Where the event times of a block stand, and what they are.

    Attributes:
        event_ms: int64[n], NO_TIME_MS where there is none the contract allows.
        starts, stops: int64[n], place of the value in the buffer, quotes included.
        kinds: uint8[n], KIND_INTEGER or KIND_TEXT where `event_ms` is known.
    """

    event_ms: NDArray[np.int64]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    kinds: NDArray[np.uint8]


def find_event_times(block: MessageBlock) -> EventTimes:
    """Find the event times of all messages; O(bytes)."""
    count = len(block)
    event_ms = np.empty(count, dtype=np.int64)
    starts = np.zeros(count, dtype=np.int64)
    stops = np.zeros(count, dtype=np.int64)
    kinds = np.zeros(count, dtype=np.uint8)
    _scan(block.buffer, block.bounds, _NAME, event_ms, starts, stops, kinds)
    for index in np.flatnonzero(kinds == KIND_TEXT).tolist():
        text = _text(block.buffer[starts[index] : stops[index]].tobytes())
        event_ms[index] = NO_TIME_MS if text is None else (time_ms(text) or NO_TIME_MS)
    unknown = (event_ms < EVENT_MS_MIN) | (kinds == KIND_NONE)
    event_ms[unknown] = NO_TIME_MS
    kinds[unknown] = KIND_NONE
    return EventTimes(event_ms, starts, stops, kinds)


def shift_event_times(block: MessageBlock, times: EventTimes, shift_ms: int) -> MessageBlock:
    """Add `shift_ms` to every event time; every other byte stays.

    An integer stays an integer; an RFC 3339 text keeps its zone and its digits after the second
    (three of them at least where the new time needs them).
    """
    buffer = block.buffer.copy()
    lengths = times.stops - times.starts
    moved_ms = times.event_ms + shift_ms
    in_place = (
        (times.kinds == KIND_INTEGER)
        & (lengths == _COMMON_DIGITS)
        & (moved_ms >= 10 ** (_COMMON_DIGITS - 1))
        & (moved_ms < 10**_COMMON_DIGITS)
    )
    starts, rest = times.starts[in_place], moved_ms[in_place]
    for place in range(_COMMON_DIGITS - 1, -1, -1):
        buffer[starts + place] = rest % 10 + ord("0")
        rest //= 10
    others = np.flatnonzero((times.kinds != KIND_NONE) & ~in_place)
    if not len(others):
        return MessageBlock(buffer, block.bounds)
    pieces: list[bytes] = []
    grown = np.zeros(len(block), dtype=np.int64)
    done = 0
    for index in others.tolist():
        start, stop = int(times.starts[index]), int(times.stops[index])
        value = _moved(buffer[start:stop].tobytes(), int(moved_ms[index]))
        grown[index] = len(value) - (stop - start)
        pieces += (buffer[done:start].tobytes(), value)
        done = stop
    pieces.append(buffer[done:].tobytes())
    bounds = block.bounds.copy()
    bounds[1:] += np.cumsum(grown)
    return MessageBlock(np.frombuffer(b"".join(pieces), dtype=np.uint8), bounds)


def _text(value: bytes) -> str | None:
    try:
        text = json.loads(value)
    except ValueError:
        return None
    return text if isinstance(text, str) else None


def _moved(value: bytes, moved_ms: int) -> bytes:
    """Write a time the way `value` was written."""
    text = _text(value) if value.startswith(b'"') else None
    parts = _rfc3339_parts(text) if text is not None else None
    if parts is None:
        return b"%d" % moved_ms
    if not 0 <= moved_ms <= _TEXT_MS_MAX:
        return value
    zone = UTC
    if parts[6]:
        offset = timedelta(hours=int(parts[7]), minutes=int(parts[8]))
        zone = timezone(-offset if parts[6] == "-" else offset)
    # Built from whole units: a float of seconds does not hold every millisecond.
    moved = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=moved_ms)
    moved = moved.astimezone(zone)
    # As many digits as before where they suffice; what is below the millisecond never moves.
    old = parts[4] or ""
    digits = f"{moved_ms % 1_000:03d}"
    short = digits[: len(old)]
    fraction = short if short.ljust(3, "0") == digits else digits
    fraction += old[3:]
    point = "." if fraction else ""
    return (f'"{moved:%Y-%m-%d}{parts[2]}{moved:%H:%M:%S}{point}{fraction}{parts[5]}"').encode()


@njit(cache=True, nogil=True)
def _after_blanks(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    while at < end and buffer[at] <= _BLANK_MAX:
        at += 1
    return at


@njit(cache=True, nogil=True)
def _match_key(
    buffer: NDArray[np.uint8], at: int, end: int, name: NDArray[np.uint8]
) -> tuple[bool, int]:
    """Compare a key with `name`, reading a six-byte escape as the letter it stands for.

    Args:
        buffer: uint8[...].
        at: place after the opening quote.
        end: end of the message.
        name: uint8[...], the key looked for.

    Returns:
        Whether it is the key, and the place after the closing quote.
    """
    matched = 0
    while at < end and buffer[at] != _QUOTE:
        letter = int(buffer[at])
        if letter == _BACKSLASH:
            letter = -1
            at += 1
            if at + 4 < end and buffer[at] == ord("u"):
                letter = 0
                for place in range(at + 1, at + 5):
                    digit = int(buffer[place]) | 32
                    letter = letter * 16 + (digit - 48 if digit <= ord("9") else digit - 87)
                at += 4
        at += 1
        if 0 <= matched < len(name) and letter == name[matched]:
            matched += 1
        else:
            matched = -1
    return matched == len(name), at + 1


@njit(cache=True, nogil=True)
def _after_value(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """Pass over a JSON value: to the comma or bracket after it."""
    depth = 0
    while at < end:
        letter = buffer[at]
        if letter == _QUOTE:
            at += 1
            while at < end and buffer[at] != _QUOTE:
                at += 2 if buffer[at] == _BACKSLASH else 1
        elif letter in (ord("{"), ord("[")):
            depth += 1
        elif letter in (ord("}"), ord("]")):
            if depth == 0:
                break
            depth -= 1
        elif depth == 0 and letter == ord(","):
            break
        at += 1
    return min(at, end)


@njit(cache=True, nogil=True)
def _read_integer(buffer: NDArray[np.uint8], start: int, stop: int) -> int:
    """Read a JSON integer of at most _DIGITS_MAX digits; NO_TIME_MS if it is none."""
    if not 0 < stop - start <= _DIGITS_MAX or (buffer[start] == ord("0") and stop - start > 1):
        return NO_TIME_MS
    value = 0
    for place in range(start, stop):
        digit = int(buffer[place]) - ord("0")
        if not 0 <= digit <= 9:
            return NO_TIME_MS
        value = value * 10 + digit
    return value


@njit(cache=True, nogil=True)
def _scan(
    buffer: NDArray[np.uint8],
    bounds: NDArray[np.int64],
    name: NDArray[np.uint8],
    event_ms: NDArray[np.int64],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    kinds: NDArray[np.uint8],
) -> None:
    """Find the last `event_time` of each message's outermost object.

    Walks keys and values of the outermost object only, and stops at the first byte that makes
    no sense: such a message is no JSON.

    Args:
        buffer: uint8[...], the messages end to end.
        bounds: int64[n + 1].
        name: uint8[10], the key looked for.
        event_ms: int64[n], written; NO_TIME_MS unless the kind is KIND_INTEGER.
        starts: int64[n], written where found.
        stops: int64[n], written where found.
        kinds: uint8[n], written.
    """
    for index in range(len(bounds) - 1):
        end = bounds[index + 1]
        at = _after_blanks(buffer, bounds[index], end)
        event_ms[index] = NO_TIME_MS
        kinds[index] = KIND_NONE
        if at >= end or buffer[at] != ord("{"):
            continue
        at += 1
        while True:
            at = _after_blanks(buffer, at, end)
            if at < end and buffer[at] == ord(","):
                at = _after_blanks(buffer, at + 1, end)
            if at >= end or buffer[at] != _QUOTE:
                break
            is_name, at = _match_key(buffer, at + 1, end, name)
            at = _after_blanks(buffer, at, end)
            if at >= end or buffer[at] != ord(":"):
                break
            start = _after_blanks(buffer, at + 1, end)
            at = _after_value(buffer, start, end)
            if is_name:
                stop = at
                while stop > start and buffer[stop - 1] <= _BLANK_MAX:
                    stop -= 1
                starts[index] = start
                stops[index] = stop
                event_ms[index] = _read_integer(buffer, start, stop)
                kinds[index] = KIND_NONE if event_ms[index] == NO_TIME_MS else KIND_INTEGER
                if stop > start and buffer[start] == _QUOTE:
                    kinds[index] = KIND_TEXT
