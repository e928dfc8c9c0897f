"""The generators of streams: what they promise to those who test with them."""

from random import Random

import pytest

from swapstats.core.plain_decode import Refusal, Swap, decode_message
from swapstats.testing.wire_streams import (
    StreamShape,
    bad_message,
    conflicting,
    random_stream,
    respelled,
    shuffled,
    spelled,
)

AHEAD_MS = 3_600_000
SHAPE = StreamShape(swaps=40)
NEWEST_MS = SHAPE.start_ms + AHEAD_MS


def decoded(message: bytes) -> Swap:
    found = decode_message(message, SHAPE.start_ms, AHEAD_MS)
    assert isinstance(found, Swap), (message, found)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_every_spelling_is_the_same_swap(seed: int) -> None:
    print("seed", seed)
    rng = Random(seed)
    for swap in random_stream(rng, SHAPE):
        plain = decoded(spelled(swap))
        other = decoded(respelled(rng, swap))
        assert other.content == plain.content
        assert (other.event_id, other.inclusion) == (plain.event_id, plain.inclusion)
        assert other.removed == plain.removed == swap.removed


@pytest.mark.parametrize("seed", range(5))
def test_a_stream_has_removals_and_further_inclusions_and_repeats(seed: int) -> None:
    print("seed", seed)
    rng = Random(seed)
    stream = random_stream(rng, SHAPE)
    assert any(swap.removed for swap in stream)
    assert any(swap.inclusion for swap in stream)
    assert len(shuffled(rng, stream)) > len(stream)
    assert random_stream(Random(seed), SHAPE) == random_stream(Random(seed), SHAPE)


@pytest.mark.parametrize("seed", range(5))
def test_a_conflict_has_the_name_but_not_the_content(seed: int) -> None:
    print("seed", seed)
    rng = Random(seed)
    for swap in random_stream(rng, SHAPE):
        one, other = decoded(spelled(swap)), decoded(spelled(conflicting(rng, swap, 5_000)))
        assert (one.event_id, one.inclusion) == (other.event_id, other.inclusion)
        assert one.content != other.content
        assert one.event_ms // 5_000 == other.event_ms // 5_000


@pytest.mark.parametrize("seed", range(200))
def test_a_bad_message_is_refused_for_its_reason(seed: int) -> None:
    reason, message = bad_message(Random(seed), SHAPE.start_ms, NEWEST_MS)
    found = decode_message(message, SHAPE.start_ms, AHEAD_MS)
    assert isinstance(found, Refusal)
    assert found.reason == reason
