from swapstats.adapters.object_store.layout import TOKENS_PLACE, blob_crc
from swapstats.adapters.object_store.revision import laid_over, part_of, with_moved
from swapstats.model.checkpoint import CHECKPOINT_FORMAT, CheckpointDelta, CheckpointHeader


def delta(
    buckets: dict[int, bytes], tokens: bytes = b"", *, min_bucket: int = 0
) -> CheckpointDelta:
    header = CheckpointHeader(
        format=CHECKPOINT_FORMAT,
        shard=4,
        epoch=1,
        revision=1,
        t_ms=0,
        newest_ms=0,
        complete_since_ms=0,
        next_offset=0,
        min_bucket=min_bucket,
        token_count=0,
        step_ms=5_000,
        widths_ms=(300_000,),
        key_id="k",
        clock="wall",
        counters={},
        reasons={},
    )
    return CheckpointDelta(header, buckets, tokens)


def test_a_first_delta_lies_end_to_end() -> None:
    content, index = laid_over("s", delta({2: b"two", 1: b"", -7: b"old"}, b"names"), None)
    assert content == b"oldtwonames"
    assert index.segments == ("s",)
    assert index.sizes.tolist() == [11]
    assert index.buckets.number.tolist() == [1, 2]
    assert index.buckets.start.tolist() == [3, 3]
    assert index.buckets.crc.tolist() == [blob_crc(b"", 4, 1), blob_crc(b"two", 4, 2)]
    assert index.tokens.start.tolist() == [6]
    assert index.tokens.crc.tolist() == [blob_crc(b"names", 4, TOKENS_PLACE)]


def test_a_further_delta_replaces_adds_and_drops() -> None:
    _, base = laid_over("s", delta({1: b"a", 2: b"b", 3: b"c"}, b"t"), None)
    content, index = laid_over("r", delta({2: b"BB", 5: b"e"}, b"u", min_bucket=2), base)
    assert content == b"BBeu"
    assert index.segments == ("s", "r")
    assert index.buckets.number.tolist() == [2, 3, 5]
    assert index.buckets.segment.tolist() == [1, 0, 1]
    assert index.tokens.segment.tolist() == [0, 1]
    assert index.tokens.number.tolist() == [0, 1]


def test_an_empty_delta_keeps_the_base() -> None:
    _, base = laid_over("s", delta({1: b"a"}, b"t"), None)
    content, index = laid_over("r", delta({}), base)
    assert content == b""
    assert index.buckets.number.tolist() == [1]
    assert len(index.tokens) == 1


def test_the_newest_are_chosen_within_the_bound() -> None:
    _, base = laid_over("s", delta({1: b"a" * 10, 2: b"b" * 10}, b"t"), None)
    _, index = laid_over("r", delta({3: b"c" * 10}), base)
    assert part_of(index, [0], 10).buckets.number.tolist() == [2]
    assert part_of(index, [0], 20).buckets.number.tolist() == [1, 2]
    assert part_of(index, [1], 0).buckets.number.tolist() == [3]
    assert len(part_of(index, [1], 99).tokens) == 0


def test_moved_blobs_are_found_in_their_new_place() -> None:
    _, base = laid_over("s", delta({1: b"a", 2: b"b"}, b"t"), None)
    index = with_moved(base, "m", 2, {(False, 2): 0, (True, 0): 1})
    assert index.segments == ("s", "m")
    assert index.sizes.tolist() == [3, 2]
    assert index.buckets.segment.tolist() == [0, 1]
    assert index.buckets.start.tolist() == [0, 0]
    assert (index.tokens.segment.tolist(), index.tokens.start.tolist()) == ([1], [1])
