"""Logs read apart from the others; for all else see test_decode and test_both_decoders."""

import json

import pytest
from tests.core.evm.made_logs import Log, log, v2_swap, v2_sync, v3_swap
from tests.core.evm.spelled_answers import FOREIGN, REGISTRY

from swapstats.core.evm.plain_decode import decode_raws

PRICE = 2**96


def raw(one: object) -> bytes:
    return json.dumps(one).encode()


def test_swaps_keep_their_places() -> None:
    logs: list[object] = [
        v3_swap(1, -1, PRICE, 1, 0),
        log([FOREIGN], []),
        v3_swap(1, -1, 2**160, 1, 0),
        7,
        v3_swap(2, -1, PRICE, 1, 0),
        v2_sync(1, 2) | {"removed": True},
    ]
    read = decode_raws([(10 + at, raw(one)) for at, one in enumerate(logs)], REGISTRY)
    assert read is not None
    found, places = read
    assert (found.logs, found.foreign, found.syncs) == (6, 1, 0)
    assert [(place, swap.amount0) for place, swap in zip(places, found.swaps, strict=True)] == [
        (10, 1),
        (14, 2),
    ]
    assert [(one.index, one.reason) for one in found.refused] == [
        (12, "out_of_range"),
        (13, "bad_shape"),
        (15, "removed"),
    ]
    assert found.refused[1].raw == b"7"


@pytest.mark.parametrize(
    "one",
    [v2_sync(1, 2), v2_swap(1, 0, 0, 2), v2_swap(2**255, 0, 0, 2), v2_sync(1, 2, index=2**63)],
)
def test_none_is_read_apart_that_may_have_to_do_with_reserves(one: Log) -> None:
    assert decode_raws([(0, raw(v3_swap(1, -1, PRICE, 1, 0))), (1, raw(one))], REGISTRY) is None


@pytest.mark.parametrize(
    "text", [b"", b"{", b"{}}", b'{"address":"0x12",}', b'{"topics":[1}', b"\xff"]
)
def test_what_is_no_json_makes_the_whole_answer_none(text: bytes) -> None:
    assert decode_raws([(0, text)], REGISTRY) is None
