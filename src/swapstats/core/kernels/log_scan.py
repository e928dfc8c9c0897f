"""The fast decoder of `eth_getLogs` answers: JSON of logs into JSON of swaps.

It takes logs of which it is sure (see `log_texts`): swaps whose layout it knows, the reserves told
before them, and events of others. All other logs it names by their place, for the plain decoder. So
its one duty is: what it takes comes out as `core.evm.plain_decode` reads it.

Swaps come out as JSON because one typed decode makes objects of them quicker than anything else
that Python can do with columns of numbers above 64 bits.
"""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.compiling import kernel, part
from swapstats.core.kernels.log_swaps import NO_LAYOUT, SWAP_BYTES_MAX, SYNC, V2, write_swap
from swapstats.core.kernels.log_texts import (
    ADDRESS,
    BLOCK_HASH,
    BLOCK_NUMBER,
    DATA,
    DATA_DIGITS,
    LOG_INDEX,
    PLACES,
    TOPIC0,
    TOPICS,
    read_log,
    skip_log,
)
from swapstats.core.kernels.texts import COMMA, blank
from swapstats.core.kernels.words import load_word

U64 = np.uint64

(
    AT,
    LOGS,
    SYNCS,
    FOREIGN,
    SWAPS,
    LEFT,
    BLOCKS,
    OUT_BYTES,
    LAST_BLOCK,
    LAST_INDEX,
    LAST_HASH,
    SYNC_INDEX,
    SYNC_ADDRESS,
    SYNC_DATA,
) = range(14)
"""Columns of the state. LOGS, SYNCS and FOREIGN count from the beginning of the answer; SWAPS,
LEFT, BLOCKS and OUT_BYTES say how much this call wrote. LAST_ is the last log that told reserves
or may have been told some, SYNC_ the last one that told some."""
STATE = 14
LAYOUT, TOPIC_COUNT, WORD_COUNT, ASKS_EMITTER, FIRST_EMITTER, END_EMITTER, VENUE_COUNT = range(7)
"""Columns of an event."""
EVENT_COLUMNS = 7
PLACE_COUNT = PLACES
"""Room for the places of a log."""
MORE, DONE, UNSURE = 0, 1, 2
_OPEN, _OPEN_LIST, _CLOSE_LIST = 123, 91, 93


@part
def _same(data: NDArray[np.uint8], one: int, other: int, words: int) -> bool:
    """Whether two runs of eight bytes each are equal."""
    for i in range(words):
        if load_word(data, one + 8 * i) != load_word(data, other + 8 * i):
            return False
    return True


@part
def _row_of(data: NDArray[np.uint8], at: int, rows: NDArray[np.uint64], row: int, end: int) -> int:
    """Which of the rows from `row` to `end` holds the bytes at `at`; -1 if none."""
    first = load_word(data, at)
    while row < end:
        if rows[row, 0] == first:
            is_same = True
            for i in range(1, rows.shape[1]):
                is_same = is_same and rows[row, i] == load_word(data, at + 8 * i)
            if is_same:
                return row
        row += 1
    return -1


@part
def _is_meant(
    data: NDArray[np.uint8],
    places: NDArray[np.int64],
    event: NDArray[np.int64],
    emitters: NDArray[np.uint64],
) -> bool:
    """Whether a log has what its event asks for."""
    if event[LAYOUT] == NO_LAYOUT or places[TOPICS] != event[TOPIC_COUNT]:
        return False
    if places[DATA_DIGITS] != 64 * event[WORD_COUNT]:
        return False
    if event[ASKS_EMITTER] == 0:
        return True
    return _row_of(data, places[ADDRESS], emitters, event[FIRST_EMITTER], event[END_EMITTER]) >= 0


@part
def _goes_on(
    data: NDArray[np.uint8],
    places: NDArray[np.int64],
    state: NDArray[np.int64],
    blocks: NDArray[np.int64],
) -> bool:
    """Whether a log stands behind the last one of its block, or begins another block."""
    number = places[BLOCK_NUMBER]
    if number == state[LAST_BLOCK]:
        if places[LOG_INDEX] <= state[LAST_INDEX]:
            return False
        if not _same(data, places[BLOCK_HASH], state[LAST_HASH], 8):
            return False
    else:
        if number < state[LAST_BLOCK]:
            return False
        state[LAST_BLOCK] = number
        state[SYNC_INDEX] = -1
        blocks[state[BLOCKS]] = places[BLOCK_HASH]
        state[BLOCKS] += 1
    state[LAST_INDEX] = places[LOG_INDEX]
    state[LAST_HASH] = places[BLOCK_HASH]
    return True


@part
def _next_log(data: NDArray[np.uint8], at: int, stop: int, state: NDArray[np.int64]) -> int:
    """Move on to the next log of the list, or behind its end."""
    while at < stop and blank(data[at]):
        at += 1
    if at < stop and data[at] == _CLOSE_LIST:
        state[AT] = at + 1
        return DONE
    if state[LOGS] > 0:
        if at >= stop or data[at] != COMMA:
            return UNSURE
        at += 1
        while at < stop and blank(data[at]):
            at += 1
    if at >= stop or data[at] != _OPEN:
        return UNSURE
    state[AT] = at
    return MORE


@kernel
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
    """Go on with a list of logs until its end, or until there is no more room for what comes out.

    Reserves belong to the swap right behind them. That no other log of the answer can have told
    some for it holds because these logs have to come in the order of the chain, and every block
    with a hash of its own: the latter is for the caller to check, by `blocks`.

    Args:
        data: uint8[...], JSON text.
        topics: uint64[k, 8], hex digits of the topic0 of each event, as text.
        events: int64[k, EVENT_COLUMNS].
        emitters: uint64[..., 5], hex digits of addresses, as text.
        venues: uint8[k, VENUE_BYTES_MAX], venues as JSON texts.
        state: int64[STATE], changed: AT is within the list, all else 0 and LAST_BLOCK -1 at first.
        out: uint8[...], out: swaps as a JSON list.
        swaps: int64[...], out: which log of the answer each swap was.
        left: int64[..., 3], out: number, begin and end of logs for the plain decoder.
        blocks: int64[...], out: where the hash of each block that began is.
        places: int64[PLACE_COUNT], for its own use.
        n: uint64[LIMBS], for its own use.

    Returns:
        MORE, DONE, or UNSURE if the whole answer is for the plain decoder.
    """
    stop = data.shape[0]
    state[SWAPS] = 0
    state[LEFT] = 0
    state[BLOCKS] = 0
    room = min(swaps.shape[0], left.shape[0], blocks.shape[0])
    end = 1
    out[0] = _OPEN_LIST
    status = MORE
    while room > 0 and end + SWAP_BYTES_MAX <= out.shape[0]:
        status = _next_log(data, state[AT], stop, state)
        if status != MORE:
            break
        room -= 1
        begin = state[AT]
        number = state[LOGS]
        state[LOGS] += 1
        is_left = True
        at = read_log(data, begin, stop, places)
        if at >= 0:
            row = _row_of(data, places[TOPIC0], topics, 0, topics.shape[0])
            if row < 0:
                state[FOREIGN] += 1
                is_left = False
            elif _is_meant(data, places, events[row], emitters):
                layout = events[row, LAYOUT]
                reserves = -1
                if layout == SYNC or layout == V2:
                    if not _goes_on(data, places, state, blocks):
                        return UNSURE
                    if (
                        layout == V2
                        and state[SYNC_INDEX] >= 0
                        and state[SYNC_INDEX] == places[LOG_INDEX] - 1
                        and _same(data, state[SYNC_ADDRESS], places[ADDRESS], 5)
                    ):
                        reserves = state[SYNC_DATA]
                if layout == SYNC:
                    state[SYNC_INDEX] = places[LOG_INDEX]
                    state[SYNC_ADDRESS] = places[ADDRESS]
                    state[SYNC_DATA] = places[DATA]
                    state[SYNCS] += 1
                    is_left = False
                else:
                    if end > 1:
                        out[end] = COMMA
                    after = write_swap(
                        data,
                        places,
                        layout,
                        reserves,
                        venues[row],
                        events[row, VENUE_COUNT],
                        n,
                        out,
                        end + 1 if end > 1 else end,
                    )
                    if after >= 0:
                        end = after
                        swaps[state[SWAPS]] = number
                        state[SWAPS] += 1
                        is_left = False
        else:
            at = skip_log(data, begin, stop)
            if at < 0:
                return UNSURE
        if is_left:
            row = state[LEFT]
            left[row, 0] = number
            left[row, 1] = begin
            left[row, 2] = at
            state[LEFT] += 1
        state[AT] = at
    out[end] = _CLOSE_LIST
    state[OUT_BYTES] = end + 1
    return status
