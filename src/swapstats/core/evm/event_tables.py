"""Events as the compiled scanner reads them: tables of numbers and bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from swapstats.core.evm.events import Event, Layout, PoolEvent, SyncEvent
from swapstats.core.kernels.log_scan import (
    ASKS_EMITTER,
    END_EMITTER,
    EVENT_COLUMNS,
    FIRST_EMITTER,
    LAYOUT,
    TOPIC_COUNT,
    VENUE_COUNT,
    WORD_COUNT,
)
from swapstats.core.kernels.log_swaps import (
    CONCENTRATED,
    NO_LAYOUT,
    SYNC,
    TURNED,
    V2,
    VENUE_BYTES_MAX,
)

_DIGITS: Final = frozenset("0123456789abcdef")
_SWAP_TOPICS: Final = 3
_CODES: Final[Mapping[Layout, int]] = {
    Layout.V2: V2,
    Layout.CONCENTRATED: CONCENTRATED,
    Layout.CONCENTRATED_SWAPPER: TURNED,
}
_WORDS: Final[Mapping[int, tuple[int, int]]] = {
    SYNC: (2, 2),
    V2: (4, 4),
    CONCENTRATED: (5, 1_000),
    TURNED: (6, 1_000),
}
"""Fewest and most words of a layout."""


@dataclass(frozen=True, slots=True)
class EventTables:
    """Tables of one registry; see `kernels.log_scan.scan_logs`.

    Attributes:
        topics: uint64[k, 8].
        events: int64[k, EVENT_COLUMNS].
        emitters: uint64[..., 5].
        venues: uint8[k, VENUE_BYTES_MAX].
    """

    topics: NDArray[np.uint64]
    events: NDArray[np.int64]
    emitters: NDArray[np.uint64]
    venues: NDArray[np.uint8]

    @staticmethod
    def of(kinds: Mapping[str, Event]) -> "EventTables":
        """Make the tables of events by topic0.

        A topic0 that is not 0x and 64 lower case digits is left out: only such logs get to look.
        """
        known = [(topic0, event) for topic0, event in kinds.items() if _is_hex(topic0, 64)]
        events = np.zeros((len(known), EVENT_COLUMNS), dtype=np.int64)
        venues = np.zeros((len(known), VENUE_BYTES_MAX), dtype=np.uint8)
        emitters: list[str] = []
        for row, (_, event) in enumerate(known):
            venue = msgspec.json.encode(event.venue)
            events[row, LAYOUT] = layout = _layout(event, venue)
            events[row, TOPIC_COUNT] = event.topics
            events[row, WORD_COUNT] = event.words
            if layout != NO_LAYOUT:
                events[row, VENUE_COUNT] = len(venue)
                venues[row, : len(venue)] = np.frombuffer(venue, dtype=np.uint8)
            events[row, ASKS_EMITTER] = event.emitters is not None
            events[row, FIRST_EMITTER] = len(emitters)
            emitters += sorted(one for one in event.emitters or () if _is_hex(one, 40))
            events[row, END_EMITTER] = len(emitters)
        topics = _rows([topic0 for topic0, _ in known], 64)
        return EventTables(topics, events, _rows(emitters, 40), venues)


def _is_hex(text: str, digits: int) -> bool:
    return text[:2] == "0x" and len(text) == digits + 2 and _DIGITS.issuperset(text[2:])


def _rows(texts: list[str], digits: int) -> NDArray[np.uint64]:
    """Hex digits of many texts, eight characters a word."""
    joined = "".join(text[2:] for text in texts).encode()
    words = np.frombuffer(joined, dtype="<u8").astype(np.uint64)
    return words.reshape(len(texts), digits // 8)


def _layout(event: Event, venue: bytes) -> int:
    """Which layout the logs of an event have; none if the scanner would read them otherwise."""
    if isinstance(event, PoolEvent):
        return NO_LAYOUT
    if isinstance(event, SyncEvent):
        code, topics = SYNC, event.topics
    elif event.layout is None:
        return NO_LAYOUT
    else:
        code, topics = _CODES[event.layout], _SWAP_TOPICS
    fewest, most = _WORDS[code]
    fits = event.topics == topics and fewest <= event.words <= most
    return code if fits and len(venue) <= VENUE_BYTES_MAX else NO_LAYOUT
