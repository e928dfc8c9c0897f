"""Decoding answers: made logs come back as they were meant, and bad ones are refused by name."""

import json
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.evm.made_logs import (
    MANAGER,
    POOL,
    POOL_ID,
    SENDER,
    V3_SWAP,
    Log,
    answer,
    log,
    v2_swap,
    v2_sync,
    v3_swap,
    v4_swap,
)

from swapstats.core.evm.decode import decode_list, decode_logs
from swapstats.core.evm.logs import LOG_BYTES_SHOWN_MAX, DecodedLogs, DecodedSwap, EvmLog
from swapstats.core.evm.plain_decode import decode_read
from swapstats.core.evm.registry import standard_registry
from swapstats.errors import Rejected

REGISTRY = standard_registry([MANAGER.upper().replace("0X", "0x")])
PRICE = 79_228_162_514_264_337_593_543_950_336
"""2^96: a price of 1."""
FOREIGN = "0x" + "f6" * 32


def decoded(*logs: object) -> DecodedLogs:
    found = decode_logs(answer(*logs), REGISTRY)
    parts = len(found.swaps) + len(found.created) + len(found.refused) + found.syncs + found.foreign
    assert (len(logs), len(logs)) == (found.logs, parts)
    return found


def reasons(*logs: object) -> list[tuple[int, str]]:
    return [(one.index, one.reason) for one in decoded(*logs).refused]


def one_swap(*logs: object) -> DecodedSwap:
    found = decoded(*logs)
    assert found.refused == []
    (swap,) = found.swaps
    return swap


def test_every_field_of_a_swap() -> None:
    raw = v3_swap(-5, 7, 2 * PRICE, 1_001, -200_000, block=0x1234567, index=300)
    assert one_swap(raw) == DecodedSwap(
        venue="uniswap_v3",
        pool=POOL,
        amount0=-5,
        amount1=7,
        trader=SENDER,
        depth0=500,
        depth1=2_002,
        block_number=0x1234567,
        block_hash=raw["blockHash"],
        tx_hash=raw["transactionHash"],
        log_index=300,
    )


def test_v4_goes_by_the_pools_id_and_the_pools_view() -> None:
    swap = one_swap(v4_swap(-5, 7, PRICE, 9, 0))
    assert (swap.venue, swap.pool, swap.trader) == ("uniswap_v4", POOL_ID, SENDER)
    assert (swap.amount0, swap.amount1, swap.depth0, swap.depth1) == (5, -7, 9, 9)


def test_v2_is_net_of_both_directions() -> None:
    swap = one_swap(v2_swap(1_000, 30, 200, 500))
    assert (swap.amount0, swap.amount1) == (800, -470)


@pytest.mark.parametrize(
    ("place", "depth"),
    [
        ({}, (11, 12)),
        ({"index": 5}, (None, None)),
        ({"index": 7}, (None, None)),
        ({"address": SENDER}, (None, None)),
        ({"block": 1}, (None, None)),
    ],
)
def test_reserves_are_those_of_the_log_before(place: dict[str, Any], depth: object) -> None:
    """The same contract, the same block, the log index right before; wherever in the answer."""
    sync = v2_sync(11, 12, **({"index": 6} | place))
    for logs in ([sync, v2_swap(1, 0, 0, 2)], [v2_swap(1, 0, 0, 2), sync]):
        swap = one_swap(*logs)
        assert depth == (swap.depth0, swap.depth1)


def test_other_events_are_counted_and_no_more() -> None:
    anonymous = log([], [1])
    found = decoded(log([FOREIGN], []), anonymous, v3_swap(1, -1, PRICE, 1, 0), v2_sync(1, 2))
    assert (len(found.swaps), found.foreign, found.syncs) == (1, 2, 1)


def test_letters_may_be_of_either_case() -> None:
    plain = v3_swap(-5, 7, PRICE, 10**18, 3)
    shouted = {
        key: value.upper().replace("0X", "0x") if isinstance(value, str) else value
        for key, value in plain.items()
    }
    shouted["topics"] = [topic.upper().replace("0X", "0x") for topic in plain["topics"]]
    assert shouted["topics"] != plain["topics"]
    assert one_swap(plain) == one_swap(shouted)


def changed(**fields: object) -> Log:
    return v3_swap(1, -1, PRICE, 1, 0) | fields


def topics(*changes: tuple[int, str]) -> list[str]:
    found: list[str] = changed()["topics"]
    for index, topic in changes:
        found[index] = topic
    return found


BAD: dict[str, list[Any]] = {
    "removed": [changed(removed=True), v2_sync(1, 2) | {"removed": True}],
    "topic_count": [
        changed(topics=topics()[:2]),
        changed(topics=[*topics(), FOREIGN]),
        v2_sync(1, 2) | {"topics": [v2_sync(1, 2)["topics"][0], FOREIGN]},
    ],
    "data_length": [
        changed(data="0x"),
        changed(data=changed()["data"][:-1]),
        changed(data=changed()["data"][:-2]),
        changed(data=changed()["data"] + "00" * 32),
        v2_sync(1, 2) | {"data": "0x" + "0" * 64},
    ],
    "bad_hex": [
        changed(data="0x" + "g" * 320),
        changed(data="0x" + " " * 320),
        changed(data="00" + changed()["data"][2:]),
        changed(address="0x" + "z" * 40),
        changed(address="0y" + "a" * 40),
        changed(address="0x0x" + "a" * 38),
        changed(address="0xé" + "a" * 39),
        changed(blockHash="0x" + "-" * 64),
        changed(blockHash="  " + "a" * 64),
        changed(transactionHash="0x" + "G" * 64),
        changed(topics=topics((1, "0x" + "0" * 24 + "_" * 40))),
        changed(blockNumber="0x1_0"),
        changed(blockNumber="17173049"),
        changed(logIndex="0x٣"),
        changed(logIndex="0x-1"),
        v2_sync(1, 2) | {"data": "0x" + "q" * 128},
        v2_sync(1, 2) | {"logIndex": "0xxx"},
    ],
    "out_of_range": [
        changed(topics=topics((1, "0x" + "1" * 64))),
        changed(topics=topics((2, "0x" + "1" * 64))),
        v3_swap(1, -1, 2**160, 1, 0),
        v3_swap(1, -1, PRICE, 2**128, 0),
        v3_swap(1, -1, PRICE, 1, 2**23),
        v3_swap(1, -1, PRICE, 1, -(2**23) - 1),
        v2_swap(2**255, 0, 0, 1),
        v2_swap(0, 2**255, 1, 0),
        v2_swap(1, 0, 0, 2**256 - 1),
        v4_swap(2**127, -1, PRICE, 1, 0),
        v4_swap(1, -(2**127) - 1, PRICE, 1, 0),
        v4_swap(1, -1, PRICE, 1, 0, fee=2**24),
    ],
    "unknown_emitter": [v4_swap(1, -1, PRICE, 1, 0, address=POOL)],
    "bad_shape": [
        None,
        7,
        [],
        {},
        changed(topics=None),
        changed(topics=["0x12"]),
        changed(data=None),
        changed(address="0x12"),
        changed(blockHash=None),
        changed(blockNumber=None),
        changed(blockNumber=17_173_049),
        changed(logIndex="0x"),
        changed(logIndex="0x" + "1" * 17),
        changed(removed="no"),
    ],
}


@pytest.mark.parametrize(
    ("reason", "bad"), [(reason, bad) for reason, several in BAD.items() for bad in several]
)
def test_a_bad_log_is_refused_by_name_and_the_others_are_read(reason: str, bad: object) -> None:
    good = v3_swap(-5, 7, PRICE, 3, 0, index=90)
    found = decoded(good, bad, good)
    assert [(1, reason)] == [(one.index, one.reason) for one in found.refused]
    assert found.refused[0].detail.startswith("Expected ")
    assert [one_swap(good)] * 2 == found.swaps


def test_values_at_the_edges_of_their_types_are_read() -> None:
    edges = [
        v3_swap(-(2**255), 2**255 - 1, 2**160 - 1, 2**128 - 1, -(2**23)),
        v3_swap(0, 0, 0, 0, 2**23 - 1),
        v4_swap(-(2**127), 2**127 - 1, 1, 2**128 - 1, 2**23 - 1, fee=2**24 - 1),
        v2_swap(2**255 - 1, 0, 0, 2**255 - 1),
    ]
    widest, priceless, v4, v2 = decoded(*edges).swaps
    assert (widest.amount0, widest.amount1) == (-(2**255), 2**255 - 1)
    assert (priceless.depth0, priceless.depth1) == (None, None)
    assert (
        *(v4.amount0, v4.amount1),
        *(v4.depth0, v4.depth1 if (2**128 - 1) >> 96 == 0 else 0),
    ) == (2**127, 1 - 2**127, (2**128 - 1) * 2**96, 0)
    assert (v2.amount0, v2.amount1) == (2**255 - 1, 1 - 2**255)


def test_several_bad_logs_are_told_in_the_order_of_the_answer() -> None:
    logs = [BAD["removed"][0], BAD["bad_hex"][0], None, BAD["out_of_range"][2], BAD["removed"][1]]
    assert reasons(*logs) == [
        (0, "removed"),
        (1, "bad_hex"),
        (2, "bad_shape"),
        (3, "out_of_range"),
        (4, "removed"),
    ]


def test_what_is_kept_of_a_refused_log_is_bounded() -> None:
    huge = changed(data="0x" + "00" * 10**6)
    unshaped = changed(data=["0" * 10**6])
    for refused in decoded(huge, unshaped).refused:
        assert len(refused.raw) == LOG_BYTES_SHOWN_MAX
        assert len(refused.detail) < 1_000
    (small,) = decoded(changed(removed=True)).refused
    assert changed()["transactionHash"] == json.loads(small.raw)["transactionHash"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"7",
        b"{}",
        answer(v3_swap(1, -1, PRICE, 1, 0))[:-3],
        b'{"result":null}',
        b'{"result":{}}',
        b'{"result":"0x"}',
        b'{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"too many results"}}',
        b'{"result":[],"error":{"code":1}}',
        b'{"result":[7],"error":{"code":1}}',
        b'{"result":[\xff]}',
        b'{"result":[{"address":"\\ud800"}]}',
        b'{"result":[' + b"[" * 10**5,
        b'{"result":' + b"[" * 10**5 + b"]" * 10**5 + b"}",
    ],
)
def test_an_answer_that_is_none_is_rejected_as_a_whole(body: bytes) -> None:
    with pytest.raises(Rejected, match="Expected"):
        decode_logs(body, REGISTRY)


def test_a_log_with_text_that_is_no_utf8_is_refused() -> None:
    raw = json.dumps(changed()).encode()
    for key in ("address", "data", "blockNumber", "logIndex", "removed"):
        before, after = raw.split(json.dumps(changed()[key]).encode(), 1)
        body = b'{"result":[' + before + b'"\xff"' + after + b"]}"
        (refused,) = decode_logs(body, REGISTRY).refused
        assert refused.reason == "bad_shape"


def test_an_empty_list_is_an_answer() -> None:
    assert DecodedLogs(0, [], [], [], 0, 0) == decoded()


def test_the_three_ways_in_agree() -> None:
    logs = [v2_sync(1, 2, index=6), v2_swap(1, 0, 0, 2), changed(removed=True)]
    body = answer(*logs)
    read = [
        EvmLog(
            address=one["address"],
            topics=tuple(one["topics"]),
            data=one["data"],
            block_number=one["blockNumber"],
            block_hash=one["blockHash"],
            transaction_hash=one["transactionHash"],
            log_index=one["logIndex"],
            transaction_index=one["transactionIndex"],
            removed=one["removed"],
        )
        for one in logs
    ]
    found = decode_logs(body, REGISTRY)
    assert found == decode_list(json.dumps(logs).encode(), REGISTRY) == decode_read(read, REGISTRY)


uints = st.integers(0, 2**255 - 1) | st.integers(0, 1 << 70)
ints = st.integers(-(2**255), 2**255 - 1) | st.integers(-(1 << 70), 1 << 70)
prices = st.integers(1, 2**160 - 1) | st.integers(4_295_128_739, 1 << 128)
liquidities = st.integers(0, 2**128 - 1)
ticks = st.integers(-(2**23), 2**23 - 1)
addresses = st.integers(0, 2**160 - 1).map(lambda number: f"0x{number:040x}")
halves = st.integers(-(2**127), 2**127 - 1) | st.integers(-(1 << 70), 1 << 70)

Made = tuple[list[Log], tuple[str, str, int, int, int | None, int | None]]
"""The logs of a swap, and venue, pool, amounts and depth."""


@st.composite
def made_swaps(draw: st.DrawFn, block: int, index: int) -> Made:
    """A swap of any protocol and its logs, the last of them at `index`."""
    protocol = draw(st.sampled_from(["v2", "v2 without sync", "v3", "v4"]))
    pool = draw(addresses)
    place: dict[str, Any] = {"block": block, "index": index}
    if protocol.startswith("v2"):
        in0, in1, out0, out1, reserve0, reserve1 = (draw(uints) for _ in range(6))
        swap = v2_swap(in0, in1, out0, out1, address=pool, **place)
        net = (in0 - out0, in1 - out1)
        if protocol != "v2":
            return [swap], ("uniswap_v2", pool, *net, None, None)
        sync = v2_sync(reserve0, reserve1, address=pool, block=block, index=index - 1)
        return [sync, swap], ("uniswap_v2", pool, *net, reserve0, reserve1)
    price, liquidity, tick = draw(prices), draw(liquidities), draw(ticks)
    depth = (liquidity * 2**96 // price, liquidity * price // 2**96)
    if protocol == "v3":
        amounts = (draw(ints), draw(ints))
        swap = v3_swap(*amounts, price, liquidity, tick, address=pool, **place)
        return [swap], ("uniswap_v3", pool, *amounts, *depth)
    swapper = (draw(halves), draw(halves))
    swap = v4_swap(*swapper, price, liquidity, tick, **place)
    return [swap], ("uniswap_v4", POOL_ID, -swapper[0], -swapper[1], *depth)


@st.composite
def made_answers(draw: st.DrawFn) -> list[Made]:
    count = draw(st.integers(1, 12))
    return [draw(made_swaps(number // 5, 3 * number + 2)) for number in range(count)]


def facts(swap: DecodedSwap) -> tuple[object, ...]:
    return swap.venue, swap.pool, swap.amount0, swap.amount1, swap.depth0, swap.depth1


@settings(max_examples=50, deadline=None)
@given(made_answers(), st.randoms(use_true_random=False))
def test_random_swaps_come_back_in_any_order_of_their_logs(made: list[Made], rng: Random) -> None:
    logs = [one for several, _ in made for one in several]
    expected = [meant for _, meant in made]
    assert expected == [facts(swap) for swap in decoded(*logs).swaps]
    rng.shuffle(logs)
    found = decoded(*logs)
    assert found.refused == []
    in_order = sorted(found.swaps, key=lambda swap: (swap.block_number, swap.log_index))
    assert expected == [facts(swap) for swap in in_order]


@settings(max_examples=50, deadline=None)
@given(made_answers(), st.data())
def test_a_wrong_length_is_refused_with_its_reason(made: list[Made], data: st.DataObject) -> None:
    """Data cut or lengthened by any number of characters, beside logs that are right."""
    place = data.draw(st.integers(0, len(made) - 1))
    swap = made[place][0][-1]
    length = data.draw(st.integers(0, 1_000).filter(lambda size: size != len(swap["data"]) - 2))
    swap["data"] = "0x" + (swap["data"][2:] * 8)[:length]
    found = decoded(*[one for several, _ in made for one in several])
    assert [one.reason for one in found.refused] == ["data_length"]
    assert [meant for at, (_, meant) in enumerate(made) if at != place] == [
        facts(one) for one in found.swaps
    ]


@settings(max_examples=50, deadline=None)
@given(made_answers(), st.data())
def test_a_changed_character_is_never_lost(made: list[Made], data: st.DataObject) -> None:
    """Whatever one character of one log becomes: every log is accounted for, others are read."""
    place = data.draw(st.integers(0, len(made) - 1))
    swap = made[place][0][-1]
    key = data.draw(st.sampled_from(["address", "data", "blockNumber", "blockHash", "logIndex"]))
    at = data.draw(st.integers(0, len(swap[key]) - 1))
    swap[key] = swap[key][:at] + data.draw(st.characters(codec="utf-8")) + swap[key][at + 1 :]
    found = decoded(*[one for several, _ in made for one in several])
    others = [meant for number, (_, meant) in enumerate(made) if number != place]
    read = [facts(one) for one in found.swaps]
    assert others == read[:place] + read[len(read) - len(others) + place :]
    assert len(read) - len(others) + len(found.refused) == 1


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=50).map(str.encode))
def test_any_bytes_are_an_answer_or_rejected(body: bytes) -> None:
    with suppress(Rejected):
        assert decode_logs(body, REGISTRY).logs >= 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=70),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(list(changed())), inner, max_size=9)
    ),
    max_leaves=12,
)


@settings(max_examples=50, deadline=None)
@given(st.lists(json_values, max_size=6))
def test_any_json_is_accounted_for(values: list[object]) -> None:
    found = decoded(*values, v3_swap(1, -1, PRICE, 1, 0))
    assert len(found.swaps) == 1


def test_the_topic_alone_says_which_event_it_is() -> None:
    assert (changed()["topics"][0], one_swap(changed()).venue) == (V3_SWAP, "uniswap_v3")
