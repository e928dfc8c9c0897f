"""Slabs of one reservation: handed out, freed as a whole, used again, given back."""

import mmap
import resource
import sys
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from swapstats.core import heap as heaps
from swapstats.core.heap import GRANULE_BYTES, GRANULE_WORDS, Heap
from swapstats.core.kernels.records import END, NEXT, WANTED, give_back, take
from swapstats.errors import StateTooLarge

SMALL_BYTES = 256 << 20


def taken(heap: Heap, words: int) -> int:
    """A block from the young slab, with another slab if need be."""
    while True:
        address = int(take(words, heap.young, heap.live, heap.owner))
        if address:
            return address
        heap.make_room(heap.young)


def test_blocks_lie_apart_and_never_at_address_zero() -> None:
    heap, rng = Heap(SMALL_BYTES), Random(1)
    blocks: list[tuple[int, int]] = []
    for _ in range(2_000):
        words = rng.choice((1, 3, 7, 60, 500, 3_000))
        blocks.append((taken(heap, words), words))
    blocks.sort()
    assert blocks[0][0] > 0
    assert all(a + n <= b for (a, n), (b, _) in pairwise(blocks))
    assert heap.used_bytes >= 8 * sum(words for _, words in blocks)


def test_a_block_larger_than_a_slab_gets_a_slab_of_its_size() -> None:
    heap = Heap(SMALL_BYTES)
    address = taken(heap, 5 * GRANULE_WORDS + 1)
    heap.words[address : address + 5 * GRANULE_WORDS + 1] = 7
    assert heap.used_bytes == 6 * GRANULE_BYTES
    assert {int(first) for first in heap.owner[address // GRANULE_WORDS :][:6]} == {
        address // GRANULE_WORDS
    }


def test_a_slab_is_free_again_when_all_its_blocks_were_given_back() -> None:
    heap = Heap(SMALL_BYTES)
    first = [taken(heap, 1_000) for _ in range(16)]
    taken(heap, 5_000)
    used_bytes = heap.used_bytes
    for address in first[:-9]:
        give_back(address, 1_000, heap.live, heap.owner)
    heap.release()
    assert heap.used_bytes == used_bytes
    for address in first[-9:]:
        give_back(address, 1_000, heap.live, heap.owner)
    heap.release()
    assert heap.used_bytes < used_bytes
    assert taken(heap, 8_000) < max(first)


def test_the_slab_being_filled_is_not_freed() -> None:
    heap = Heap(SMALL_BYTES)
    address = taken(heap, 10)
    give_back(address, 10, heap.live, heap.owner)
    heap.release()
    assert heap.used_bytes == GRANULE_BYTES
    assert taken(heap, 10) == address + 10


def test_free_runs_join_and_are_used_for_larger_slabs() -> None:
    """Whatever the order in which neighbours are freed."""
    for seed in range(20):
        heap, rng = Heap(SMALL_BYTES), Random(seed)
        blocks = [taken(heap, GRANULE_WORDS) for _ in range(8)]
        taken(heap, 3 * GRANULE_WORDS)
        rng.shuffle(blocks)
        for address in blocks:
            give_back(address, GRANULE_WORDS, heap.live, heap.owner)
            heap.release()
        assert taken(heap, 8 * GRANULE_WORDS) == min(blocks), seed


def test_much_free_memory_goes_back_to_the_system_and_reads_as_zeros(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heaps, "_WARM_BYTES_MIN", 0)
    heap = Heap(SMALL_BYTES)
    words = 64 * GRANULE_WORDS
    address = taken(heap, words)
    heap.words[address : address + words] = 1
    taken(heap, 65 * GRANULE_WORDS)
    size_bytes = heap.size_bytes
    give_back(address, words, heap.live, heap.owner)
    heap.release()
    assert size_bytes - heap.size_bytes == 8 * words
    if sys.platform == "linux":
        assert not heap.words[address : address + words].any()


def test_little_free_memory_is_kept_warm() -> None:
    heap = Heap(SMALL_BYTES)
    address = taken(heap, GRANULE_WORDS)
    heap.words[address] = 9
    taken(heap, GRANULE_WORDS)
    size_bytes = heap.size_bytes
    give_back(address, GRANULE_WORDS, heap.live, heap.owner)
    heap.release()
    assert heap.size_bytes == size_bytes
    assert heap.words[address] == 9


def test_a_full_reservation_says_what_to_do() -> None:
    heap = Heap(1 << 20)
    with pytest.raises(StateTooLarge, match="more partitions"):
        taken(heap, 1 << 20)
    assert heap.young[[NEXT, END]].tolist() == [0, 0]
    assert heap.young[WANTED] == 1 << 20


def test_less_is_reserved_where_less_is_allowed() -> None:
    """As under `ulimit -v`."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    with Path("/proc/self/statm").open() as statm:
        now_bytes = int(statm.read().split()[0]) * mmap.PAGESIZE
    try:
        resource.setrlimit(resource.RLIMIT_AS, (now_bytes + (1 << 30), limits[1]))
        heap = Heap(8 << 30)
        assert 256 << 20 <= len(heap.words) * 8 <= 1 << 30
        with pytest.raises(StateTooLarge, match="ulimit"):
            while True:
                _keep.append(Heap(8 << 30))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
        _keep.clear()


_keep: list[Heap] = []
