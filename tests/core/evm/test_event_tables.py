"""Events as tables: what the scanner may read by itself, and what it has to leave."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.core.evm.made_logs import MANAGER, V3_SWAP, answer, v2_swap, v2_sync, v3_swap

from swapstats.core.evm import plain_decode, uniswap_v2, uniswap_v3, uniswap_v4
from swapstats.core.evm.decode import decode_logs
from swapstats.core.evm.event_tables import EventTables
from swapstats.core.evm.events import Event, SyncEvent
from swapstats.core.evm.registry import Registry, standard_registry
from swapstats.core.kernels.log_scan import (
    ASKS_EMITTER,
    END_EMITTER,
    FIRST_EMITTER,
    LAYOUT,
    TOPIC_COUNT,
    VENUE_COUNT,
    WORD_COUNT,
)
from swapstats.core.kernels.log_swaps import CONCENTRATED, NO_LAYOUT, SYNC, TURNED, V2

SYNC_EVENT = SyncEvent(topic0=uniswap_v2.SYNC_TOPIC0, venue="any")
V4 = uniswap_v4.swap_event([MANAGER])


def text(words: Any) -> str:
    found: str = words.astype("<u8").tobytes().decode()
    return found


def layout(event: Event) -> int:
    return int(EventTables.of({event.topic0: event}).events[0, LAYOUT])


def test_the_standard_events() -> None:
    registry = standard_registry(["0x" + "d" * 40, "0x" + "C" * 40])
    tables = registry.tables
    assert ["0x" + text(row) for row in tables.topics] == list(registry.kinds)
    assert tables.events[:, LAYOUT].tolist() == [
        *(V2, SYNC, NO_LAYOUT, CONCENTRATED, NO_LAYOUT, TURNED, NO_LAYOUT)
    ]
    assert tables.events[:, TOPIC_COUNT].tolist() == [3, 1, 3, 3, 4, 3, 4]
    assert tables.events[:, WORD_COUNT].tolist() == [4, 2, 2, 5, 2, 6, 5]
    row = tables.events[5]
    assert tables.venues[5, : row[VENUE_COUNT]].tobytes() == b'"uniswap_v4"'
    known = tables.emitters[row[FIRST_EMITTER] : row[END_EMITTER]]
    assert (row[ASKS_EMITTER], [text(one) for one in known]) == (1, ["c" * 40, "d" * 40])
    assert not tables.events[:5, ASKS_EMITTER].any()


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (uniswap_v2.SWAP, V2),
        (uniswap_v3.SWAP, CONCENTRATED),
        (V4, TURNED),
        (SYNC_EVENT, SYNC),
        (replace(uniswap_v3.SWAP, words=7), CONCENTRATED),
        (replace(uniswap_v3.SWAP, layout=None), NO_LAYOUT),
        (replace(uniswap_v2.SWAP, words=5), NO_LAYOUT),
        (replace(uniswap_v2.SWAP, topics=2), NO_LAYOUT),
        (replace(uniswap_v3.SWAP, words=4), NO_LAYOUT),
        (replace(V4, words=5), NO_LAYOUT),
        (replace(V4, topics=4), NO_LAYOUT),
        (replace(SYNC_EVENT, words=3), NO_LAYOUT),
        (replace(SYNC_EVENT, topics=2), SYNC),
        (replace(uniswap_v3.SWAP, venue="v" * 62), CONCENTRATED),
        (replace(uniswap_v3.SWAP, venue="v" * 63), NO_LAYOUT),
        (replace(uniswap_v3.SWAP, venue='a "venue" \n é'), CONCENTRATED),
    ],
)
def test_only_what_it_would_read_alike_has_a_layout(event: Event, code: int) -> None:
    assert layout(event) == code


@pytest.mark.parametrize(
    "event", [replace(uniswap_v3.SWAP, words=7), replace(uniswap_v3.SWAP, layout=None), SYNC_EVENT]
)
def test_it_makes_no_difference_who_reads(event: Event) -> None:
    logs = [v2_sync(1, 2, index=6), v2_swap(1, 0, 0, 2), v3_swap(1, -1, 2**96, 5, 0)]
    logs[2]["data"] += "00" * 32 * (event.words - 5)
    registry = Registry({event.topic0: event})
    found = decode_logs(answer(*logs), registry)
    assert found == plain_decode.decode_logs(answer(*logs), registry)
    assert (len(found.swaps) + found.syncs, found.foreign) == (1, 2)


def test_a_venue_of_any_letters_comes_through() -> None:
    event = replace(uniswap_v3.SWAP, venue='a "venue" \n é')
    found = decode_logs(answer(v3_swap(1, -1, 2**96, 5, 0)), Registry({event.topic0: event}))
    assert [swap.venue for swap in found.swaps] == ['a "venue" \n é']


@pytest.mark.parametrize("topic0", ["0X" + V3_SWAP[2:], V3_SWAP.upper(), V3_SWAP[:-1], "", "0x"])
def test_a_topic_that_no_node_writes_is_no_row(topic0: str) -> None:
    tables = EventTables.of({topic0: uniswap_v3.SWAP})
    assert (tables.topics.shape, tables.events.shape[0]) == ((0, 8), 0)
    registry = Registry({topic0: uniswap_v3.SWAP})
    body = answer(v3_swap(1, -1, 2**96, 5, 0))
    assert decode_logs(body, registry) == plain_decode.decode_logs(body, registry)


def test_emitters_that_are_no_addresses_match_none() -> None:
    event = replace(V4, emitters=frozenset({"0x12", MANAGER.upper(), MANAGER}))
    tables = EventTables.of({event.topic0: event})
    assert np.diff(tables.events[0, [FIRST_EMITTER, END_EMITTER]]).tolist() == [1]
    nobody = EventTables.of({event.topic0: replace(V4, emitters=frozenset())})
    assert nobody.emitters.shape == (0, 5)
    assert nobody.events[0, ASKS_EMITTER] == 1
