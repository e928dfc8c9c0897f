import numpy as np
import pytest

from swapstats.core.decode import decode
from swapstats.core.plain_decode import Swap, decode_message
from swapstats.errors import UsageError
from swapstats.roles.bench.full_path import shard_config
from swapstats.roles.bench.made_swaps import (
    DUPLICATES_PER_10K,
    LATE_PER_10K,
    START_MS,
    Popularity,
    SteadyStream,
    cut_records,
    write_messages,
)

KEY = shard_config(event_clock=True).key


def test_messages_say_what_they_were_asked_to() -> None:
    numbers = np.array([0, 7, 9_999_999_999], dtype=np.int64)
    tokens = np.array([1, 2, 9_999_999], dtype=np.int64)
    when = START_MS + numbers % 1_000
    removed = np.array([False, True, False])
    table = write_messages(numbers, tokens, when, removed)
    for row in range(3):
        swap = decode_message(table[row].tobytes(), START_MS, None)
        assert isinstance(swap, Swap)
        assert swap.event_id == f"bench:{numbers[row]:010d}"
        assert swap.token_key == f"t{tokens[row]:07d}"
        assert swap.event_ms == when[row]
        assert swap.removed == removed[row]


def test_the_fast_decoder_takes_all_of_them_and_repeats_are_exact() -> None:
    numbers = np.repeat(np.arange(500, dtype=np.int64), 2)
    table = write_messages(numbers, numbers % 9, START_MS + numbers)
    (batch,) = cut_records(table, START_MS + numbers, 0, 1_000)
    columns = decode(batch, KEY, None)
    assert columns.accepted.all()
    assert not columns.refusals
    assert (columns.fingerprint[::2] == columns.fingerprint[1::2]).all()
    assert (columns.check[::2] == columns.check[1::2]).all()
    assert len(np.unique(columns.fingerprint)) == 500
    assert 0 < columns.side.sum() < 1_000


def test_records_are_cut_without_gaps() -> None:
    numbers = np.arange(25, dtype=np.int64)
    table = write_messages(numbers, numbers, START_MS + numbers)
    batches = list(cut_records(table, START_MS + numbers, 100, 10))
    assert [len(batch) for batch in batches] == [10, 10, 5]
    assert [int(batch.offsets[0]) for batch in batches] == [100, 110, 120]
    assert batches[2].message(4) == table[24].tobytes()


def test_a_stream_does_not_depend_on_how_it_is_cut() -> None:
    stream = SteadyStream(500.0, Popularity.of(40))
    whole, _ = stream.arrivals(0, 400_000)
    parts = [stream.arrivals(first, first + 8_000)[0] for first in range(0, 400_000, 8_000)]
    assert sorted(whole.tolist()) == sorted(np.concatenate(parts).tolist())


def test_a_stream_has_its_share_of_repeated_and_late_ones() -> None:
    count = 500_000
    stream = SteadyStream(500.0, Popularity.of(40))
    numbers, arrived_ms = stream.arrivals(0, count)
    distinct, times = np.unique(numbers, return_counts=True)
    assert times.max() == 2
    assert abs((times == 2).sum() / count * 10_000 - DUPLICATES_PER_10K) < 20
    assert count - len(distinct) < count * LATE_PER_10K / 10_000
    first_seen = arrived_ms - stream.event_ms(numbers)
    assert first_seen.min() == 0
    assert 599_000 < first_seen.max() <= 600_000
    assert (np.diff(arrived_ms) >= 0).all()


def test_popular_tokens_come_first() -> None:
    tokens = Popularity.of(1_000).tokens_of(np.arange(50_000, dtype=np.int64))
    counts = np.bincount(tokens, minlength=1_000)
    assert counts[:10].sum() > 5 * counts[500:510].sum() > 0
    with pytest.raises(UsageError, match="tokens"):
        Popularity.of(0)
