"""The registry; and, from A to Z, a protocol of one's own."""

from struct import Struct

import pytest
from tests.core.evm.keccak import topic0
from tests.core.evm.made_logs import POOL, SENDER, V3_SWAP, answer, log, v2_swap, v2_sync, v3_swap

from swapstats.core.evm import uniswap_v2, uniswap_v3
from swapstats.core.evm.decode import decode_logs
from swapstats.core.evm.events import Reserves, SwapEvent, SwapFacts
from swapstats.core.evm.logs import EvmLog
from swapstats.core.evm.registry import Registry, standard_registry
from swapstats.core.evm.words import OutOfRange, address_of
from swapstats.errors import UsageError

# A protocol of one's own takes one file that holds what follows. Say its pools write
#
#     Traded(address indexed buyer, bool isToken0Sold, uint128 sold, uint128 bought)
#
# 1. How topics and data are read. `data` has as many words as the event says and is hex; topics are
#    lower case. Amounts are returned as the pool sees them; a value that does not fit its
#    type is OutOfRange. What cannot be known is None.

_unpack = Struct(">32s16s16s16s16s").unpack


def read_traded(log: EvmLog, data: bytes, _reserves: Reserves | None) -> SwapFacts:
    flag, sold_pad, sold, bought_pad, bought = _unpack(data)
    if any(sold_pad) or any(bought_pad) or int.from_bytes(flag, "big") > 1:
        raise OutOfRange("Expected a bool and two amounts in 128 bits, was more")
    came, left = int.from_bytes(sold, "big"), int.from_bytes(bought, "big")
    amount0, amount1 = (came, -left) if flag[-1] else (-left, came)
    return log.address, amount0, amount1, address_of(log.topics[1]), None, None


# 2. Which logs it is for.

TRADED = SwapEvent(
    topic0=topic0("Traded(address,bool,uint128,uint128)"),
    venue="toyswap",
    topics=2,
    words=3,
    read=read_traded,
)

# 3. Where the registry is made: `standard_registry(managers).with_events(TRADED)`.


def test_a_protocol_of_ones_own() -> None:
    registry = standard_registry().with_events(TRADED)
    assert TRADED.topic0 in registry.topics()
    logs = [
        log([TRADED.topic0, SENDER], [1, 500, 30], index=1),
        log([TRADED.topic0, SENDER], [0, 500, 30], index=2),
        v3_swap(1, -1, 2**96, 1, 0, index=3),
        log([TRADED.topic0, SENDER], [1, 2**128, 30], index=4),
        log([TRADED.topic0, SENDER], [2, 500, 30], index=5),
        log([TRADED.topic0, SENDER], [1, 500], index=6),
        log([TRADED.topic0], [1, 500, 30], index=7),
    ]
    found = decode_logs(answer(*logs), registry)
    assert [(swap.venue, swap.amount0, swap.amount1, swap.log_index) for swap in found.swaps] == [
        ("toyswap", 500, -30, 1),
        ("toyswap", -30, 500, 2),
        ("uniswap_v3", 1, -1, 3),
    ]
    assert (found.swaps[0].pool, found.swaps[0].trader) == (POOL, SENDER)
    assert [(one.index, one.reason) for one in found.refused] == [
        (3, "out_of_range"),
        (4, "out_of_range"),
        (5, "data_length"),
        (6, "topic_count"),
    ]


def test_a_reader_that_stumbles_refuses_its_log_only() -> None:
    def read(_log: EvmLog, data: bytes, _reserves: Reserves | None) -> SwapFacts:
        return POOL, 1 // data[31], 2, None, None, None

    stumbling = SwapEvent(topic0="0x" + "ab" * 32, venue="stumble", topics=1, words=1, read=read)
    registry = Registry({}).with_events(stumbling)
    logs = [log([stumbling.topic0], [0]), log([stumbling.topic0], [1])]
    found = decode_logs(answer(*logs), registry)
    assert [(one.index, one.reason) for one in found.refused] == [(0, "not_readable")]
    assert [(swap.pool, swap.amount0) for swap in found.swaps] == [(POOL, 1)]


def test_reserves_may_be_told_by_another_log_than_v2s() -> None:
    """A fork with wider reserves, beside V2 itself."""

    def read(log: EvmLog, _data: bytes, reserves: Reserves | None) -> SwapFacts:
        return log.address, 1, -1, None, *(reserves or (None, None))

    wide_sync = topic0("Sync(uint256,uint256)")
    swap = SwapEvent(
        topic0="0x" + "ab" * 32, venue="fork", topics=1, words=0, read=read, sync_topic0=wide_sync
    )
    registry = standard_registry().with_events(swap)
    logs = [
        log([wide_sync], [2**200, 7], index=1),
        log([swap.topic0], [], index=2),
        v2_sync(3, 4, index=3),
        v2_swap(1, 0, 0, 1, index=4),
    ]
    found = decode_logs(answer(*logs), registry)
    assert [(swap.depth0, swap.depth1) for swap in found.swaps] == [(2**200, 7), (3, 4)]


def test_topics_are_all_that_a_node_has_to_be_asked_for() -> None:
    topics = standard_registry().topics()
    assert len(topics) == len(set(topics)) == 7
    assert {V3_SWAP, uniswap_v2.SYNC_TOPIC0, uniswap_v3.POOL.topic0} <= set(topics)


def test_two_events_of_one_topic0_are_refused() -> None:
    with pytest.raises(UsageError, match="both of uniswap_v3 and of uniswap_v3"):
        standard_registry().with_events(uniswap_v3.SWAP)
    with pytest.raises(UsageError, match="one event for each topic0"):
        standard_registry().with_events(
            SwapEvent(
                topic0=uniswap_v2.SYNC_TOPIC0, venue="odd", topics=1, words=2, read=read_traded
            )
        )


def test_a_registry_that_was_added_to_is_another_one() -> None:
    registry = standard_registry()
    registry.with_events(TRADED)
    assert TRADED.topic0 not in registry.topics()
