"""The market: never back in time, every token found, history bounded."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapstats.core.market import Market
from swapstats.errors import InvariantBroken
from swapstats.model.effects import StatsUpdate, TokenName
from swapstats.model.stats import WindowStats, from_row, to_row
from swapstats.model.window import WindowSpec
from swapstats.testing.synthetic_updates import SyntheticUpdates

SPEC = WindowSpec(5_000, (300_000, 3_600_000, 86_400_000))


def restarted(update: StatsUpdate, epoch: int, **changes: object) -> StatsUpdate:
    return replace(update, epoch=epoch, seq=(epoch << 32) + 1, **changes)  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_the_newest_row_of_each_token_stands(seed: int, partitions: int) -> None:
    source = SyntheticUpdates(SPEC, tokens=40, partitions=partitions, seed=seed, wide=True)
    market = Market(SPEC, partitions)
    newest: dict[str, tuple[tuple[int, ...], ...]] = {}
    names: dict[tuple[int, int], str] = {}
    for update in source.stream(30, 5):
        changed = market.apply(update)
        for name in update.names:
            names[update.partition, name.token_id] = name.key
        keys = [names[update.partition, int(one)] for one in update.token_ids]
        for place, key in enumerate(keys):
            newest[key] = tuple(tuple(row) for row in update.rows[place].tolist())
        assert sorted(market.key(index) for index in changed.tolist()) == sorted(keys)
    assert len(market) == len(newest)
    for key, rows in newest.items():
        index = market.by_key(key)
        assert index is not None
        assert market.version(index).rows == rows


def test_the_same_seed_gives_the_same_updates() -> None:
    texts = [
        [
            repr(update)
            for update in SyntheticUpdates(SPEC, tokens=9, seed=5, wide=True).stream(9, 3)
        ]
        for _ in range(2)
    ]
    assert texts[0] == texts[1]


def test_a_repeated_or_older_update_is_dropped_and_counted() -> None:
    source = SyntheticUpdates(SPEC, tokens=3)
    first, second = source.update(0, 3), source.update(0, 3)
    market = Market(SPEC, 1)
    market.apply(first)
    market.apply(second)
    before = [market.version(index) for index in range(3)]
    for stale in (first, second):
        assert len(market.apply(stale)) == 0
    assert market.stale_updates == 2
    assert [market.version(index) for index in range(3)] == before


def test_an_older_epoch_is_dropped_whatever_its_seq() -> None:
    source = SyntheticUpdates(SPEC, tokens=3, epoch=2)
    market = Market(SPEC, 1)
    newest = source.update(0, 3)
    market.apply(newest)
    stale = replace(newest, epoch=1, seq=newest.seq + 100, offset=999)
    assert len(market.apply(stale)) == 0
    assert (market.stale_updates, market.place(0).offset) == (1, newest.offset)


def test_a_new_owner_behind_what_was_shown_is_held_until_it_has_passed_it() -> None:
    source = SyntheticUpdates(SPEC, tokens=3)
    market = Market(SPEC, 1)
    first, shown = source.update(0, 3), source.update(0, 3)
    market.apply(first)
    market.apply(shown)
    seen = [market.current(index) for index in range(3)]
    behind = restarted(shown, 2, offset=shown.offset - 1, rows=first.rows, names=first.names)
    assert len(market.apply(behind)) == 0
    assert (market.held_updates, market.stale_updates) == (1, 0)
    assert [market.current(index) for index in range(3)] == seen
    # What was held comes with what passes it.
    row = to_row(WindowStats(trades=1, buy=1))
    passed = replace(
        behind,
        seq=behind.seq + 1,
        offset=shown.offset,
        t_ms=shown.t_ms + 1,
        names=(),
        token_ids=np.array([1], dtype=np.int32),
        rows=np.array([[row, row, row]]),
    )
    assert market.apply(passed).tolist() == [0, 1, 2]
    assert market.version(0).rows == tuple(map(tuple, first.rows[0].tolist()))
    assert from_row(market.rows[1, 0]) == WindowStats(trades=1, buy=1)
    assert market.place(0).epoch == 2


def test_a_new_epoch_is_a_new_stream_and_another_origin_too() -> None:
    source = SyntheticUpdates(SPEC, tokens=1)
    first = source.update(0, 1)
    market, other = Market(SPEC, 1, origin="a"), Market(SPEC, 1, origin="b")
    market.apply(first)
    other.apply(first)
    one = market.version(0)
    assert one.stream != other.version(0).stream
    market.apply(restarted(first, 2, offset=first.offset + 1, t_ms=first.t_ms + 1))
    assert market.version(0).stream != one.stream
    assert market.version(0).seq > one.seq


def test_as_of_is_the_lowest_of_the_partitions_and_never_goes_back() -> None:
    source = SyntheticUpdates(SPEC, tokens=8, partitions=2)
    market = Market(SPEC, 2)
    assert (market.as_of_ms, market.end_ms) == (0, 0)
    first, second = source.update(0, 1), source.update(0, 1)
    market.apply(first)
    market.apply(second)
    assert market.as_of_ms == second.t_ms
    other = source.update(1, 1)
    assert other.t_ms < second.t_ms
    market.apply(other)
    assert (market.as_of_ms, market.end_ms) == (second.t_ms, second.end_ms)
    market.apply(source.update(1, 1))
    market.apply(source.update(1, 1))
    assert market.as_of_ms == second.t_ms
    market.apply(source.update(0, 1))
    assert market.as_of_ms > second.t_ms


def test_current_is_of_now_and_version_of_the_last_change() -> None:
    source = SyntheticUpdates(SPEC, tokens=2)
    market = Market(SPEC, 1)
    whole = source.update(0, 2)
    market.apply(whole)
    later = source.update_of(0, np.array([1], dtype=np.int32))
    market.apply(later)
    assert market.version(0).as_of_ms == whole.t_ms
    assert market.current(0).as_of_ms == later.t_ms
    assert market.current(0).offset == later.offset
    assert market.current(0).rows == market.version(0).rows


def test_a_symbol_that_comes_later_is_a_change() -> None:
    source = SyntheticUpdates(SPEC, tokens=10)
    market = Market(SPEC, 1)
    market.apply(source.update_of(0, np.array([9], dtype=np.int32)))
    assert market.symbol(0) is None
    empty = source.update_of(0, np.array([], dtype=np.int32))
    named = replace(empty, names=(TokenName(9, source.key(9), "NINE"),))
    assert market.apply(named).tolist() == [0]
    assert (market.symbol(0), market.by_symbol("NINE")) == ("NINE", [0])
    assert market.version(0).seq == named.seq
    assert market.symbol_ranks().tolist() == [0]


def test_a_changed_complete_since_changes_every_token_of_its_partition() -> None:
    source = SyntheticUpdates(SPEC, tokens=6, partitions=2)
    market = Market(SPEC, 2)
    for update in source.everything():
        market.apply(update)
    gap = replace(source.update(0, 1), complete_since_ms=77)
    changed = market.apply(gap).tolist()
    assert [market.version(index).complete_since_ms for index in changed] == [77, 77, 77]
    assert market.version(next(iter({*range(6)} - {*changed}))).complete_since_ms != 77


def test_rows_without_a_name_are_counted_and_the_rest_is_taken() -> None:
    source = SyntheticUpdates(SPEC, tokens=2)
    update = source.update(0, 2)
    market = Market(SPEC, 1)
    market.apply(replace(update, names=update.names[:1]))
    assert (len(market), market.unnamed_rows) == (1, 1)
    assert market.version(0).rows == tuple(map(tuple, update.rows[0].tolist()))


def test_tokens_beyond_the_bound_are_refused_and_counted() -> None:
    market = Market(SPEC, 1, tokens_max=3)
    market.apply(SyntheticUpdates(SPEC, tokens=5).update(0, 5))
    assert (len(market), market.refused_tokens, market.unnamed_rows) == (3, 2, 2)


def test_an_update_of_another_shape_is_a_bug() -> None:
    update = SyntheticUpdates(WindowSpec(5_000, (300_000,)), tokens=2).update(0, 2)
    with pytest.raises(InvariantBroken):
        Market(SPEC, 1).apply(update)
    with pytest.raises(InvariantBroken):
        Market(WindowSpec(5_000, (300_000,)), 1).apply(replace(update, partition=1))


def test_past_versions_are_those_that_were_shown() -> None:
    source = SyntheticUpdates(SPEC, tokens=6, seed=3)
    market = Market(SPEC, 1)
    market.apply(source.update(0, 6))
    shown = [market.version(2)]
    for update in source.stream(20, 3):
        market.apply(update)
        if market.seq(2) != shown[-1].seq:
            shown.append(market.version(2))
    assert len(shown) > 3
    for version in shown[1:]:
        assert market.past_version(2, version.stream, version.seq) == version
    # At the seq of its name the symbol before is not known any more.
    assert market.past_version(2, shown[0].stream, shown[0].seq) is None
    assert market.past_version(2, shown[1].stream + "0", shown[1].seq) is None
    assert market.past_version(2, shown[1].stream, shown[-1].seq + 9) is None


def test_promote_gives_unchanged_numbers_the_newest_place() -> None:
    source = SyntheticUpdates(SPEC, tokens=2)
    market = Market(SPEC, 1)
    market.apply(source.update(0, 2))
    later = source.update_of(0, np.array([1], dtype=np.int32))
    market.apply(later)
    rows = market.version(0).rows
    market.promote(0)
    assert (market.version(0).seq, market.version(0).as_of_ms) == (later.seq, later.t_ms)
    assert market.version(0).rows == rows
