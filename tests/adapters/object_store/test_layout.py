import zlib

import msgspec
import numpy as np
import pytest

from swapstats.adapters.object_store.layout import (
    LAYOUT,
    Blobs,
    Garbage,
    Head,
    RevisionIndex,
    RevisionPlace,
    decode_head,
    decode_index,
    encode_head,
    encode_index,
    no_blobs,
    replaced,
    without_unused,
)
from swapstats.errors import StoreCorrupt, StoreFormat


def blobs(numbers: list[int], segments: list[int], *, crc: int = 1) -> Blobs:
    count = len(numbers)
    return Blobs(
        np.array(numbers, dtype=np.int64),
        np.array(segments, dtype=np.int32),
        np.arange(count, dtype=np.int64) * 10,
        np.full(count, 10, dtype=np.int64),
        np.full(count, crc, dtype=np.uint32),
    )


def index(buckets: Blobs, tokens: Blobs, segments: tuple[str, ...]) -> RevisionIndex:
    return RevisionIndex(b"{}", segments, np.full(len(segments), 99, np.int64), buckets, tokens)


def same(one: Blobs, other: Blobs) -> bool:
    return all(
        getattr(one, name).tolist() == getattr(other, name).tolist()
        for name in ("number", "segment", "start", "size", "crc")
    )


def place_of(content: bytes) -> RevisionPlace:
    return RevisionPlace(
        revision=1, segment="s", start=0, size_bytes=len(content), crc=zlib.crc32(content)
    )


def test_an_index_comes_back() -> None:
    written = index(blobs([-5, 3, 1 << 60], [1, 0, 1]), blobs([0, 1], [0, 0]), ("a", "b"))
    content = encode_index(written)
    read = decode_index(content, place_of(content), "here")
    assert (read.header, read.segments, read.sizes.tolist()) == (b"{}", ("a", "b"), [99, 99])
    assert same(read.buckets, written.buckets)
    assert same(read.tokens, written.tokens)


def test_a_damaged_index_is_found() -> None:
    content = encode_index(index(blobs([1], [0]), no_blobs(), ("a",)))
    damaged = bytes([content[0] ^ 1]) + content[1:]
    for found, place in ((damaged, place_of(content)), (b"x", place_of(b"x"))):
        with pytest.raises(StoreCorrupt, match="here"):
            decode_index(found, place, "here")


def test_a_head_comes_back() -> None:
    head = Head(layout=LAYOUT, epoch=3, saves=7, newest=place_of(b"a"), garbage=(Garbage("b", 6),))
    assert decode_head(encode_head(head), "here") == head


def test_a_damaged_head_is_found_and_a_newer_one_refused() -> None:
    content = encode_head(Head(layout=LAYOUT, epoch=3))
    with pytest.raises(StoreCorrupt, match="here"):
        decode_head(content.replace(b"3", b"4", 1), "here")
    with pytest.raises(StoreFormat, match=str(LAYOUT + 1)):
        decode_head(encode_head(Head(layout=LAYOUT + 1, epoch=3)), "here")
    body = msgspec.json.encode({"layout": LAYOUT, "epoch": "three"})
    with pytest.raises(StoreCorrupt):
        decode_head(b"%08x\n%s\n" % (zlib.crc32(body), body), "here")


def test_the_newer_blob_of_a_number_stands() -> None:
    found = replaced(blobs([1, 2, 3], [0, 0, 0], crc=1), blobs([2, 4], [1, 1], crc=2))
    assert found.number.tolist() == [1, 2, 3, 4]
    assert found.crc.tolist() == [1, 2, 1, 2]


def test_segments_without_blobs_are_left_out() -> None:
    found = without_unused(index(blobs([1, 2], [3, 1]), blobs([0], [3]), ("a", "b", "c", "d")))
    assert found.segments == ("b", "d")
    assert found.buckets.segment.tolist() == [1, 0]
    assert found.tokens.segment.tolist() == [1]
