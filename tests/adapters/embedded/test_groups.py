"""How messages are cut into groups and laid together again."""

import random

import numpy as np
import pytest
import zstandard

from swapstats.adapters.embedded.groups import (
    GROUP_BYTES_MAX,
    Piece,
    fit_piece,
    join_pieces,
    split_block,
    unpack_group,
)
from swapstats.model.record import MessageBlock

COMPRESSOR = zstandard.ZstdCompressor(level=1)


def split(messages: list[bytes], partitions: list[int]) -> dict[int, list[list[bytes]]]:
    """Messages of each group, by partition."""
    found: dict[int, list[list[bytes]]] = {}
    block = MessageBlock.of(messages)
    for stored in split_block(block, np.array(partitions, dtype=np.int32), COMPRESSOR):
        group = unpack_group(0, 0, stored.count, stored.raw_bytes, stored.payload)
        batch = join_pieces(stored.partition, [Piece(group, 0, stored.count)])
        assert batch is not None
        found.setdefault(stored.partition, []).append(
            [batch.message(at) for at in range(len(batch))]
        )
    return found


def test_order_within_a_partition_is_kept() -> None:
    assert split([b"a", b"b", b"", b"d", b"e"], [2, 0, 2, 0, 2]) == {
        0: [[b"b", b"d"]],
        2: [[b"a", b"", b"e"]],
    }


def test_empty_block_makes_no_group() -> None:
    assert split([], []) == {}


def test_random_blocks_come_back_within_the_limit() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    sizes = (0, 3, 40_000, 300_000, GROUP_BYTES_MAX, GROUP_BYTES_MAX + 1)
    messages = [chance.randbytes(chance.choice(sizes)) for _ in range(40)]
    partitions = [chance.randrange(3) for _ in messages]
    found = split(messages, partitions)
    for partition, groups in found.items():
        wanted = [body for body, at in zip(messages, partitions, strict=True) if at == partition]
        assert [body for group in groups for body in group] == wanted
        for group in groups:
            assert len(group) == 1 or sum(map(len, group)) <= GROUP_BYTES_MAX
    assert set(found) == set(partitions)


def test_block_that_begins_within_its_buffer() -> None:
    whole = MessageBlock.of([b"skipped", b"a", b"bc"])
    part = MessageBlock(whole.buffer, whole.bounds[1:])
    (stored,) = split_block(part, np.zeros(2, dtype=np.int32), COMPRESSOR)
    group = unpack_group(5, 7, stored.count, stored.raw_bytes, stored.payload)
    assert group.buffer.tobytes() == b"abc"
    assert group.next_offset == 7


def test_fitting_takes_whole_messages() -> None:
    (stored,) = split_block(
        MessageBlock.of([b"aa", b"bb", b"", b"cc"]), np.zeros(4, dtype=np.int32), COMPRESSOR
    )
    group = unpack_group(0, 0, stored.count, stored.raw_bytes, stored.payload)
    taken = [(fit_piece(group, 0, room).end, fit_piece(group, 1, room).end) for room in range(8)]
    assert taken == [(0, 1), (0, 1), (1, 3), (1, 3), (3, 4), (3, 4), (4, 4), (4, 4)]


@pytest.mark.parametrize(
    ("count", "raw", "claimed"),
    [
        (1, b"\x05\x00\x00\x00ab", None),
        (2, b"\x02\x00\x00\x00ab", None),
        (0, b"", None),
        (-1, b"\x02\x00\x00\x00ab", None),
        (1, b"\x02\x00\x00\x00ab", 1 << 50),
    ],
)
def test_a_payload_that_does_not_add_up_is_refused(
    count: int, raw: bytes, claimed: int | None
) -> None:
    with pytest.raises(ValueError, match="Expected"):
        unpack_group(
            0, 0, count, len(raw) if claimed is None else claimed, COMPRESSOR.compress(raw)
        )
