"""From the bytes of an `eth_getLogs` answer to swaps. Pure, and never stopped by a log.

answer ──> scanner ──> JSON of swaps, one typed decode ──> swaps
              └──> logs it is not sure of ──> plain decoder ──> swaps, new pools, refused
"""

import re
from dataclasses import dataclass, field
from heapq import merge
from operator import itemgetter
from typing import Final

import msgspec
import numpy as np

from swapstats.core.evm import plain_decode
from swapstats.core.evm.event_tables import EventTables
from swapstats.core.evm.logs import DecodedLogs, DecodedSwap
from swapstats.core.evm.registry import Registry
from swapstats.core.kernels.log_scan import (
    AT,
    BLOCKS,
    DONE,
    FOREIGN,
    LAST_BLOCK,
    LEFT,
    LOGS,
    OUT_BYTES,
    PLACE_COUNT,
    STATE,
    SWAPS,
    SYNCS,
    UNSURE,
    scan_logs,
)
from swapstats.core.kernels.log_swaps import LIMBS

_MEMBER: Final = (
    rb'(?:"(?:jsonrpc|id)"[ \t\r\n]*:[ \t\r\n]*(?:"[ !#-\[\]-~]*"|0|[1-9][0-9]{0,17}|null)'
    rb'|"error"[ \t\r\n]*:[ \t\r\n]*null)[ \t\r\n]*'
)
_head: Final = re.compile(
    rb"[ \t\r\n]*\{[ \t\r\n]*(?:" + _MEMBER + rb",[ \t\r\n]*)*"
    rb'"result"[ \t\r\n]*:[ \t\r\n]*\['
).match
_tail: Final = re.compile(rb"[ \t\r\n]*(?:,[ \t\r\n]*" + _MEMBER + rb")*\}[ \t\r\n]*").fullmatch
_list_head: Final = re.compile(rb"[ \t\r\n]*\[").match
_list_tail: Final = re.compile(rb"[ \t\r\n]*").fullmatch
_decode_swaps: Final = msgspec.json.Decoder(list[DecodedSwap]).decode

SLICE_BYTES: Final = 1 << 16
"""Swaps that are written before objects are made of them: they stay in the cache."""
_SLICE_LOGS: Final = 1_024


@dataclass(slots=True)
class _Scanned:
    """What the scanner made of an answer.

    Attributes:
        body: JSON text that holds the list.
        end: position after the list.
        logs: how many there were.
        syncs: of which only told reserves.
        foreign: of other events.
        swaps: as they came.
        places: which log each swap was.
        left: number, begin and end of logs for the plain decoder.
    """

    body: bytes
    end: int = 0
    logs: int = 0
    syncs: int = 0
    foreign: int = 0
    swaps: list[DecodedSwap] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    left: list[tuple[int, int, int]] = field(default_factory=list)


def decode_logs(body: bytes, registry: Registry) -> DecodedLogs:
    """Decode a whole JSON-RPC answer to `eth_getLogs`.

    Args:
        body: the answer as it came.
        registry: events to read; all others count as foreign.

    Raises:
        Rejected: the answer as a whole is none: no JSON, cut off, an error or without a list. It
            says nothing about any log, and has to be asked for again.
    """
    head = _head(body)
    if head:
        scanned = _scan(body, head.end(), registry.tables)
        if scanned is not None and _tail(body, scanned.end):
            found = _with_left(scanned, registry)
            if found is not None:
                return found
    return plain_decode.decode_logs(body, registry)


def decode_list(result: bytes | msgspec.Raw, registry: Registry) -> DecodedLogs:
    """Decode the list of logs of an answer whose envelope was read already; see `decode_logs`."""
    body = bytes(result)
    head = _list_head(body)
    if head:
        scanned = _scan(body, head.end(), registry.tables)
        if scanned is not None and _list_tail(body, scanned.end):
            found = _with_left(scanned, registry)
            if found is not None:
                return found
    return plain_decode.decode_logs(b'{"result":' + body + b"}", registry)


def _scan(body: bytes, at: int, tables: EventTables) -> _Scanned | None:
    """Scan the list of logs that begins before `at`; None if the whole answer is not plain."""
    found = _Scanned(body)
    data = np.frombuffer(body, dtype=np.uint8)
    state = np.zeros(STATE, dtype=np.int64)
    state[AT], state[LAST_BLOCK] = at, -1
    out = np.empty(SLICE_BYTES, dtype=np.uint8)
    swaps, blocks = np.empty((2, _SLICE_LOGS), dtype=np.int64)
    left = np.empty((_SLICE_LOGS, 3), dtype=np.int64)
    places, limbs = np.empty(PLACE_COUNT, dtype=np.int64), np.empty(LIMBS, dtype=np.uint64)
    hashes: set[bytes] = set()
    status = -1
    while status != DONE:
        status = scan_logs(
            data,
            tables.topics,
            tables.events,
            tables.emitters,
            tables.venues,
            state,
            out,
            swaps,
            left,
            blocks,
            places,
            limbs,
        )
        if status == UNSURE:
            return None
        if state[SWAPS]:
            found.swaps += _decode_swaps(out[: state[OUT_BYTES]].data)
            found.places += swaps[: state[SWAPS]].tolist()
        if state[LEFT]:
            found.left += left[: state[LEFT]].tolist()
        for begin in blocks[: state[BLOCKS]].tolist():
            block_hash = body[begin : begin + 64]
            if block_hash in hashes:
                return None
            hashes.add(block_hash)
    found.end, found.logs = int(state[AT]), int(state[LOGS])
    found.syncs, found.foreign = int(state[SYNCS]), int(state[FOREIGN])
    return found


def _with_left(scanned: _Scanned, registry: Registry) -> DecodedLogs | None:
    """Add what the plain decoder makes of the logs left to it.

    Returns:
        None if one of them is no JSON, or may have to do with the reserves of another log.
    """
    swaps = scanned.swaps
    if not scanned.left:
        return DecodedLogs(scanned.logs, swaps, [], [], scanned.syncs, scanned.foreign)
    raws = [(index, scanned.body[begin:end]) for index, begin, end in scanned.left]
    read = plain_decode.decode_raws(raws, registry)
    if read is None:
        return None
    found, places = read
    if found.swaps:
        both = merge(
            zip(scanned.places, swaps, strict=True),
            zip(places, found.swaps, strict=True),
            key=itemgetter(0),
        )
        swaps = [swap for _, swap in both]
    foreign = scanned.foreign + found.foreign
    return DecodedLogs(scanned.logs, swaps, found.created, found.refused, scanned.syncs, foreign)
