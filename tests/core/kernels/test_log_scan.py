"""The scanner of logs against its twin, and at the ends of memory."""

import json
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.evm.made_logs import Log, v2_swap, v2_sync, v3_swap
from tests.core.evm.spelled_answers import as_nodes_do, damaged, oddly, some_logs
from tests.core.kernels.guarded_pages import guarded
from tests.core.kernels.log_scanning import begun, scanned
from tests.core.kernels.twins import readonly

from swapstats.core.kernels import log_scan as compiled
from swapstats.core.kernels.log_scan import (
    AT,
    DONE,
    LOGS,
    MORE,
    SYNC_ADDRESS,
    SYNC_DATA,
    UNSURE,
)
from swapstats.core.kernels.log_swaps import SWAP_BYTES_MAX
from swapstats.core.kernels.reference import log_scan as plain

seeds = st.randoms(use_true_random=False)


def listed(*logs: object) -> np.ndarray:
    return readonly(json.dumps(logs, separators=(",", ":")).encode())


@settings(max_examples=100, deadline=None)
@given(seeds)
def test_lists_as_nodes_write_them(rng: Random) -> None:
    """Alike to the last byte, in slices of any size."""
    logs = some_logs(rng, rng.randrange(12))
    if rng.random() < 0.2:
        rng.shuffle(logs)
    data = readonly(as_nodes_do(rng, logs).encode())
    mine, theirs = begun(), begun()
    status = MORE
    while status == MORE:
        rows, room = rng.randint(1, 5), SWAP_BYTES_MAX * rng.randint(1, 3) + 1
        found = scanned(compiled, data, mine, rows, room)
        wanted = scanned(plain, data, theirs, rows, room)
        status = found["status"]
        if status == UNSURE:
            assert wanted["status"] == UNSURE
        else:
            assert found == wanted
    assert status == UNSURE or (mine[AT], mine[LOGS]) == (len(data), len(logs))


@settings(max_examples=100, deadline=None)
@given(seeds)
def test_other_spellings_are_read_alike_or_left(rng: Random) -> None:
    """The kernel takes no log that its twin leaves, and none otherwise."""
    text = oddly(rng, some_logs(rng, rng.randrange(1, 6))).encode("utf-8", "surrogatepass")
    data = readonly(text)
    found = scanned(compiled, data, begun())
    if found["status"] == UNSURE:
        return
    wanted = scanned(plain, data, begun())
    if found["left"] == wanted["left"]:
        for values in (found, wanted):
            for column in (SYNC_ADDRESS, SYNC_DATA):  # of a key twice, the twin looks at the first
                values["state"][column] = 0
        assert found == wanted
    assert {tuple(one) for one in wanted["left"]} <= {tuple(one) for one in found["left"]}


def order(*changes: Log) -> int:
    """The status of a list of a reserve, a swap and others."""
    data = listed(v2_sync(11, 12, index=6), v2_swap(1, 0, 0, 2, index=7), *changes)
    status: int = scanned(compiled, data, begun())["status"]
    assert status == scanned(plain, data, begun())["status"]
    return status


def test_logs_about_reserves_have_to_come_in_order() -> None:
    swap = v2_swap(1, 0, 0, 2, index=8)
    assert order(swap) == DONE
    assert order(swap | {"logIndex": "0x7"}) == UNSURE
    assert order(swap | {"logIndex": "0x5"}) == UNSURE
    assert order(swap | {"blockHash": "0x" + "a" * 64}) == UNSURE
    assert order(v2_sync(1, 2, block=18_937_381, index=9)) == UNSURE
    assert order(v2_sync(1, 2, block=18_937_383, index=0)) == DONE
    assert order(v3_swap(1, -1, 2**96, 5, 0, block=1, index=1)) == DONE


@pytest.mark.parametrize(
    "text",
    [
        *(b"[", b"[{", b"[{}", b"[{},", b"[{},]", b"[{}{}]", b"[,{}]", b"[7]", b"[null]", b"[{]"),
        b'[{"a]',
        b"[" + b'{"a":' * 9 + b"0" + b"}" * 9 + b"]",
        b'[{"\\u0061":0}]',
        b'[{"a":"\xc3\xa9"}]',
    ],
)
def test_lists_that_are_for_the_plain_decoder_as_a_whole(text: bytes) -> None:
    assert scanned(compiled, readonly(text), begun())["status"] == UNSURE


@pytest.mark.parametrize("text", [b"[]", b"[ \n]", b"[{}]", b'[ {"a":[1,{}]}\t,\r{}\n] x'])
def test_lists_of_which_logs_are_left(text: bytes) -> None:
    data = readonly(text)
    found = scanned(compiled, data, begun())
    assert found["status"] == DONE
    assert found == scanned(plain, data, begun())


def test_nothing_is_read_outside_of_the_buffer() -> None:
    """Every cut of a list, and lists with damage, between two pages that may not be touched."""
    rng = Random(4)
    logs = [v2_sync(1, 2, index=6), v2_swap(1, 0, 0, 2), v3_swap(1, -1, 2**96, 5, 0, index=9)]
    text = as_nodes_do(rng, logs).encode()
    with guarded(pages=2) as lay:
        for count in range(1, len(text) + 1):
            for at_end in (False, True):
                status = scanned(compiled, lay(text[:count], at_end), begun())["status"]
                assert status == (DONE if count == len(text) else UNSURE)
        for _ in range(3_000):
            hurt = damaged(rng, text)[:8_000] or b"["
            scanned(compiled, lay(hurt, True), begun())
            scanned(compiled, lay(hurt[: rng.randrange(len(hurt)) + 1], True), begun())


def test_nothing_is_written_outside_of_the_room() -> None:
    """The longest swap there is, one after the other, as many as fit."""
    widest = v3_swap(-(2**255), -(2**255), 1, 2**128 - 1, -1)
    widest |= {"blockNumber": "0x" + "f" * 15, "logIndex": "0x" + "f" * 15}
    data = listed(*[widest] * 5)
    for room in range(SWAP_BYTES_MAX + 1, 3 * SWAP_BYTES_MAX, 97):
        found = scanned(compiled, data, begun(), out_bytes=room)
        assert found == scanned(plain, data, begun(), out_bytes=room)
        assert found["swaps"]
        assert len(found["out"]) <= room
