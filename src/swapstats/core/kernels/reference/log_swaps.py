"""Plain twin of `kernels.log_swaps`: the readers of `core.evm`, and Python's own numbers."""

import json

import numpy as np
from numpy.typing import NDArray

from swapstats.core.evm import uniswap_v2, uniswap_v3, uniswap_v4
from swapstats.core.evm.logs import EvmLog
from swapstats.core.evm.words import OutOfRange
from swapstats.core.kernels.log_swaps import CONCENTRATED, TURNED, V2
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

_READERS = {
    V2: uniswap_v2.read_swap,
    CONCENTRATED: uniswap_v3.read_swap,
    TURNED: uniswap_v4.read_swap,
}


def write_swap(
    data: NDArray[np.uint8],
    places: NDArray[np.int64],
    layout: int,
    reserves: int,
    venue: NDArray[np.uint8],
    venue_count: int,
    n: NDArray[np.uint64],  # noqa: ARG001 - the compiled twin's
    out: NDArray[np.uint8],
    end: int,
) -> int:
    """Read a swap as the plain decoder does, and write its JSON."""

    def digits(at: int, count: int) -> str:
        return data[at : at + count].tobytes().decode()

    def text(column: int, count: int = 64) -> str:
        return "0x" + digits(int(places[column]), count)

    log = EvmLog(
        address=text(ADDRESS, 40),
        topics=tuple(text(TOPIC0 + topic) for topic in range(places[TOPICS])),
        data=text(DATA, int(places[DATA_DIGITS])),
        block_number="",
        block_hash="",
        transaction_hash="",
        log_index="",
    )
    told = None
    if reserves >= 0:
        told = int(digits(reserves, 64), 16), int(digits(reserves + 64, 64), 16)
    try:
        facts = _READERS[layout](log, bytes.fromhex(log.data[2:]), told)
    except OutOfRange:
        return -1
    place = int(places[BLOCK_NUMBER]), text(BLOCK_HASH), text(TX_HASH), int(places[LOG_INDEX])
    name = json.loads(venue[:venue_count].tobytes())
    written = json.dumps([name, *facts, *place], separators=(",", ":")).encode()
    out[end : end + len(written)] = np.frombuffer(written, dtype=np.uint8)
    return end + len(written)
