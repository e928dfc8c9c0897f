"""Plain twin of `kernels.log_scan`: JSON by Python, one log after the other.

It takes the logs whose hex text is in lower case and leaves the others, as the kernel does; of
odder spellings (escapes, numbers with exponents, keys twice) the kernel leaves more.
"""

import json
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.log_scan import (
    ASKS_EMITTER,
    AT,
    BLOCKS,
    DONE,
    END_EMITTER,
    FIRST_EMITTER,
    FOREIGN,
    LAST_BLOCK,
    LAST_HASH,
    LAST_INDEX,
    LAYOUT,
    LEFT,
    LOGS,
    MORE,
    OUT_BYTES,
    SWAPS,
    SYNC_ADDRESS,
    SYNC_DATA,
    SYNC_INDEX,
    SYNCS,
    TOPIC_COUNT,
    UNSURE,
    VENUE_COUNT,
    WORD_COUNT,
)
from swapstats.core.kernels.log_swaps import NO_LAYOUT, SWAP_BYTES_MAX, SYNC, V2
from swapstats.core.kernels.log_texts import (
    ADDRESS,
    BLOCK_HASH,
    BLOCK_NUMBER,
    DATA,
    DATA_DIGITS,
    LOG_INDEX,
    TOPIC0,
    TOPICS,
    TX_HASH,
)
from swapstats.core.kernels.reference.log_swaps import write_swap

_HASH = "0x[0-9a-f]{64}"
_QUANTITY = "0x[0-9a-f]{1,15}"
_FIELDS = {
    ADDRESS: ("address", "0x[0-9a-f]{40}"),
    DATA: ("data", "0x([0-9a-f]{8})*"),
    BLOCK_NUMBER: ("blockNumber", _QUANTITY),
    BLOCK_HASH: ("blockHash", _HASH),
    TX_HASH: ("transactionHash", _HASH),
    LOG_INDEX: ("logIndex", _QUANTITY),
}
_blanks = re.compile(r"[ \t\r\n]*")


def scan_logs(
    data: NDArray[np.uint8],
    topics: NDArray[np.uint64],
    events: NDArray[np.int64],
    emitters: NDArray[np.uint64],
    venues: NDArray[np.uint8],
    state: NDArray[np.int64],
    out: NDArray[np.uint8],
    swaps: NDArray[np.int64],
    left: NDArray[np.int64],
    blocks: NDArray[np.int64],
    places: NDArray[np.int64],
    n: NDArray[np.uint64],
) -> int:
    """Read log by log."""
    text = data.tobytes().decode("latin-1")
    state[[SWAPS, LEFT, BLOCKS]] = 0
    out[0] = ord("[")
    end, status = 1, MORE
    for _ in range(min(len(swaps), len(left), len(blocks))):
        if end + SWAP_BYTES_MAX > len(out):
            break
        status = _next_log(text, state)
        if status != MORE:
            break
        begin, number = int(state[AT]), int(state[LOGS])
        try:
            log, at = json.JSONDecoder().raw_decode(text, begin)
        except ValueError:
            return UNSURE
        state[AT] = at
        state[LOGS] += 1
        row = _row(log, text, begin, topics, places)
        if row is None or (row >= 0 and not _is_meant(data, places, events[row], emitters)):
            is_taken = False
        elif row < 0:
            state[FOREIGN] += 1
            is_taken = True
        else:
            layout, reserves = int(events[row, LAYOUT]), -1
            if layout in (SYNC, V2):
                if not _goes_on(data, places, state, blocks):
                    return UNSURE
                reserves = _reserves(data, places, state)
            if layout == SYNC:
                state[[SYNC_INDEX, SYNC_ADDRESS, SYNC_DATA]] = places[[LOG_INDEX, ADDRESS, DATA]]
                state[SYNCS] += 1
                is_taken = True
            else:
                venue, count = venues[row], int(events[row, VENUE_COUNT])
                begin_swap = end + (end > 1)
                after = write_swap(data, places, layout, reserves, venue, count, n, out, begin_swap)
                is_taken = after >= 0
                if is_taken:
                    if end > 1:
                        out[end] = ord(",")
                    end = after
                    swaps[state[SWAPS]] = number
                    state[SWAPS] += 1
        if not is_taken:
            left[state[LEFT]] = number, begin, at
            state[LEFT] += 1
    out[end] = ord("]")
    state[OUT_BYTES] = end + 1
    return status


def _next_log(text: str, state: NDArray[np.int64]) -> int:
    at = _end_of_blanks(text, int(state[AT]))
    if text[at : at + 1] == "]":
        state[AT] = at + 1
        return DONE
    if state[LOGS]:
        if text[at : at + 1] != ",":
            return UNSURE
        at = _end_of_blanks(text, at + 1)
    if text[at : at + 1] != "{":
        return UNSURE
    state[AT] = at
    return MORE


def _end_of_blanks(text: str, at: int) -> int:
    found = _blanks.match(text, at)
    return found.end() if found else at


def _row(
    log: dict[str, Any],
    text: str,
    begin: int,
    topics: NDArray[np.uint64],
    places: NDArray[np.int64],
) -> int | None:
    """Fill the places of a log; returns its event, -1 if it is another, None if it is not plain."""
    if log.get("removed", False) is not False:
        return None
    listed = log.get("topics")
    if not isinstance(listed, list) or not 1 <= len(listed) <= 4:
        return None
    if not all(isinstance(topic, str) and re.fullmatch(_HASH, topic) for topic in listed):
        return None
    at = text.index("[", text.index('"topics"', begin))
    for index, topic in enumerate(listed):
        at = text.index(topic, at)
        places[TOPIC0 + index] = at + 2
        at += len(topic)
    places[TOPICS] = len(listed)
    for column, (name, form) in _FIELDS.items():
        value = log.get(name)
        if not isinstance(value, str) or not re.fullmatch(form, value):
            return None
        if form == _QUANTITY:
            places[column] = int(value, 16)
        else:
            places[column] = text.index(value, text.index(f'"{name}"', begin)) + 2
    places[DATA_DIGITS] = len(log["data"]) - 2
    rows = [topic.astype("<u8").tobytes().decode() for topic in topics]
    first = listed[0][2:]
    return rows.index(first) if first in rows else -1


def _is_meant(
    data: NDArray[np.uint8],
    places: NDArray[np.int64],
    event: NDArray[np.int64],
    emitters: NDArray[np.uint64],
) -> bool:
    known = [one.astype("<u8").tobytes() for one in emitters]
    return (
        event[LAYOUT] != NO_LAYOUT
        and places[TOPICS] == event[TOPIC_COUNT]
        and places[DATA_DIGITS] == 64 * event[WORD_COUNT]
        and (
            not event[ASKS_EMITTER]
            or _digits(data, places[ADDRESS], 40)
            in known[event[FIRST_EMITTER] : event[END_EMITTER]]
        )
    )


def _goes_on(
    data: NDArray[np.uint8],
    places: NDArray[np.int64],
    state: NDArray[np.int64],
    blocks: NDArray[np.int64],
) -> bool:
    here, last = int(places[BLOCK_HASH]), int(state[LAST_HASH])
    place = int(places[BLOCK_NUMBER]), int(places[LOG_INDEX])
    if place[0] > state[LAST_BLOCK]:
        blocks[state[BLOCKS]] = here
        state[BLOCKS] += 1
        state[SYNC_INDEX] = -1
    elif place <= (int(state[LAST_BLOCK]), int(state[LAST_INDEX])) or (
        _digits(data, here, 64) != _digits(data, last, 64)
    ):
        return False
    state[[LAST_BLOCK, LAST_INDEX]] = place
    state[LAST_HASH] = here
    return True


def _reserves(data: NDArray[np.uint8], places: NDArray[np.int64], state: NDArray[np.int64]) -> int:
    """Where the reserves are that the log right before told, by the same contract; -1 if none."""
    address = int(state[SYNC_ADDRESS])
    is_before = state[SYNC_INDEX] >= 0 and state[SYNC_INDEX] == places[LOG_INDEX] - 1
    if is_before and _digits(data, address, 40) == _digits(data, places[ADDRESS], 40):
        return int(state[SYNC_DATA])
    return -1


def _digits(data: NDArray[np.uint8], at: int, count: int) -> bytes:
    return data[at : at + count].tobytes()
