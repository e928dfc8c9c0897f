"""What every hot store must do: the port's promises, on each adapter."""

import random
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from swapstats.core.market import Market
from swapstats.errors import Fenced, InvariantBroken, Transient
from swapstats.model.effects import StatsUpdate, TokenName
from swapstats.model.window import WindowSpec
from swapstats.ports.hot_store import HotHead, HotStore, HotStoreReader
from swapstats.testing.synthetic_updates import SyntheticUpdates

OpenStore = Callable[[], HotStore]
OpenReader = Callable[[], HotStoreReader]

SPEC = WindowSpec(5_000, (300_000, 3_600_000, 86_400_000))


def stream(
    tokens: int = 40, *, seed: int = 1, epoch: int = 1, wide: bool = True
) -> SyntheticUpdates:
    return SyntheticUpdates(SPEC, tokens=tokens, seed=seed, epoch=epoch, wide=wide, odd_keys=True)


def whole_of(synthetic: SyntheticUpdates) -> StatsUpdate:
    return replace(next(iter(synthetic.everything())), whole=True)


def numbers_of(market: Market) -> dict[str, tuple[str | None, list[list[int]]]]:
    return {
        market.key(at): (market.symbol(at), market.rows[at].tolist()) for at in range(len(market))
    }


def renumbered(update: StatsUpdate, numbers: list[int]) -> StatsUpdate:
    """The same statistics under other token numbers, old number -> new number."""
    names = [TokenName(numbers[name.token_id], name.key, name.symbol) for name in update.names]
    token_ids = np.array([numbers[at] for at in update.token_ids.tolist()], dtype=np.int32)
    order = np.argsort(token_ids)
    return replace(
        update,
        names=tuple(sorted(names, key=lambda name: name.token_id)),
        token_ids=token_ids[order],
        rows=update.rows[order],
    )


def test_an_empty_store_knows_nothing(open_hot_store: OpenStore) -> None:
    store = open_hot_store()
    assert store.head(0) is None
    assert store.changes(0, 0) is None


def test_a_whole_update_comes_back_whole(
    open_hot_store: OpenStore, open_hot_store_reader: OpenReader
) -> None:
    store, reader = open_hot_store(), open_hot_store_reader()
    update = whole_of(stream())
    store.put(update, 1_234, 56)
    found = reader.changes(0, 0)
    assert found is not None
    assert found.whole
    assert replace(found, token_ids=update.token_ids, rows=update.rows) == update
    assert found.token_ids.dtype == np.int32
    assert found.token_ids.tolist() == update.token_ids.tolist()
    assert found.rows.tolist() == update.rows.tolist()
    assert reader.head(0) == HotHead(1, update.seq, update.offset, update.t_ms, 1_234, 56)
    assert reader.changes(0, update.seq) is None
    assert reader.changes(0, update.seq + 7) is None
    assert reader.head(1) is None


def test_only_what_changed_after_comes_with_names(open_hot_store: OpenStore) -> None:
    store, synthetic = open_hot_store(), stream()
    first = whole_of(synthetic)
    store.put(first, 1, 0)
    second = synthetic.update_of(0, np.array([3, 7], dtype=np.int32))
    third = synthetic.update_of(0, np.array([7, 9], dtype=np.int32))
    store.put(second, 2, 0)
    store.put(third, 3, 0)
    found = store.changes(0, first.seq)
    assert found is not None
    assert not found.whole
    assert found.token_ids.tolist() == [3, 7, 9]
    assert found.rows.tolist() == [
        second.rows[0].tolist(),
        third.rows[0].tolist(),
        third.rows[1].tolist(),
    ]
    assert found.names == tuple(name for name in first.names if name.token_id in {3, 7, 9})
    last = store.changes(0, second.seq)
    assert last is not None
    assert last.token_ids.tolist() == [7, 9]


def test_an_update_without_tokens_moves_the_head(open_hot_store: OpenStore) -> None:
    store, synthetic = open_hot_store(), stream()
    first = whole_of(synthetic)
    store.put(first, 1, 0)
    silent = synthetic.update_of(0, np.empty(0, dtype=np.int32))
    store.put(silent, 9, 5)
    assert store.head(0) == HotHead(1, silent.seq, silent.offset, silent.t_ms, 9, 5)
    found = store.changes(0, first.seq)
    assert found is not None
    assert (found.seq, found.t_ms, len(found.token_ids)) == (silent.seq, silent.t_ms, 0)
    assert found.rows.shape == silent.rows.shape


def test_a_name_without_a_row_is_not_lost(open_hot_store: OpenStore) -> None:
    store, synthetic = open_hot_store(), stream(10)
    first = whole_of(synthetic)
    store.put(first, 1, 0)
    quiet = synthetic.update_of(0, np.array([2], dtype=np.int32))
    names = (TokenName(4, first.names[4].key, "LATE"), TokenName(11, "new token", None))
    store.put(replace(quiet, names=names), 2, 0)
    found = store.changes(0, first.seq)
    assert found is not None
    assert found.token_ids.tolist() == [2, 4, 11]
    assert found.rows[1].tolist() == first.rows[4].tolist()
    assert not found.rows[2].any()
    assert found.names == (first.names[2], *names)


def test_a_lower_epoch_is_fenced_and_changes_nothing(open_hot_store: OpenStore) -> None:
    zombie, owner = open_hot_store(), open_hot_store()
    old, new = stream(epoch=1), stream(epoch=2, seed=2)
    zombie.put(whole_of(old), 1, 0)
    owner.put(whole_of(new), 2, 0)
    stands, head = owner.changes(0, 0), owner.head(0)
    for update in (old.update(0, 5), whole_of(old)):
        with pytest.raises(Fenced, match="epoch 2"):
            zombie.put(update, 3, 0)
    found = owner.changes(0, 0)
    assert found is not None
    assert stands is not None
    assert owner.head(0) == head
    assert found.rows.tolist() == stands.rows.tolist()
    owner.put(new.update(0, 5), 4, 0)


def test_what_builds_on_nothing_must_be_whole(open_hot_store: OpenStore) -> None:
    store, old, new = open_hot_store(), stream(epoch=1), stream(epoch=2)
    with pytest.raises(Transient, match="whole"):
        store.put(old.update(0, 5), 1, 0)
    assert store.head(0) is None
    store.put(whole_of(old), 1, 0)
    with pytest.raises(Transient, match="whole"):
        store.put(new.update(0, 5), 1, 0)
    store.put(whole_of(new), 1, 0)
    store.put(new.update(0, 5), 1, 0)


def test_updates_come_in_order(open_hot_store: OpenStore) -> None:
    store, synthetic = open_hot_store(), stream()
    first, second = whole_of(synthetic), synthetic.update(0, 5)
    store.put(first, 1, 0)
    store.put(second, 1, 0)
    with pytest.raises(InvariantBroken, match="after seq"):
        store.put(first, 1, 0)
    head = store.head(0)
    assert head is not None
    assert head.seq == second.seq


def test_a_whole_update_numbers_the_tokens_anew(open_hot_store: OpenStore) -> None:
    store, synthetic = open_hot_store(), stream(20)
    first = whole_of(synthetic)
    market = Market(SPEC, 1)
    store.put(first, 1, 0)
    market.apply(first)
    kept = synthetic.update_of(0, np.arange(5, 20, dtype=np.int32))
    kept = replace(kept, names=first.names[5:], whole=True)
    anew = renumbered(kept, [*[-1] * 5, *range(14, -1, -1)])
    store.put(anew, 2, 0)
    found = store.changes(0, first.seq)
    assert found is not None
    assert found.whole
    assert found.token_ids.tolist() == list(range(15))
    assert found.names == anew.names
    market.apply(found)
    direct = Market(SPEC, 1)
    direct.apply(first)
    direct.apply(anew)
    assert numbers_of(market) == numbers_of(direct)


def test_partitions_do_not_touch_each_other(open_hot_store: OpenStore) -> None:
    store = open_hot_store()
    synthetic = SyntheticUpdates(SPEC, tokens=20, partitions=2)
    updates = [replace(update, whole=True) for update in synthetic.everything()]
    for update in updates:
        store.put(update, 1, 0)
    for update in updates:
        found = store.changes(update.partition, 0)
        assert found is not None
        assert found.names == update.names


@pytest.mark.parametrize("tokens", [9_000, 100_000])
def test_many_tokens_come_whole_and_in_part(open_hot_store: OpenStore, tokens: int) -> None:
    store, synthetic = open_hot_store(), stream(tokens, wide=False)
    first = whole_of(synthetic)
    store.put(first, 1, 0)
    found = store.changes(0, 0)
    assert found is not None
    assert found.names == first.names
    assert np.array_equal(found.rows, first.rows)
    # More than half of all: too much for one command of any adapter.
    second = synthetic.update(0, tokens // 2 + 1)
    store.put(second, 2, 0)
    found = store.changes(0, first.seq)
    assert found is not None
    assert np.array_equal(found.token_ids, second.token_ids)
    assert np.array_equal(found.rows, second.rows)
    found = store.changes(0, 0)
    assert found is not None
    assert len(found.token_ids) == tokens


def test_a_reader_of_any_seq_reaches_what_a_follower_of_all_has(
    open_hot_store: OpenStore, open_hot_store_reader: OpenReader
) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    store, reader = open_hot_store(), open_hot_store_reader()
    follower = Market(SPEC, 1)
    lazy = [Market(SPEC, 1) for _ in range(4)]
    synthetic = stream(chance.randrange(1, 60), seed=seed)
    owner_epoch = 1
    first = True
    for _ in range(80):
        if chance.random() < 0.05:
            # A new owner, ahead of what was shown.
            owner_epoch += 1
            first = True
            start_ms = follower.place(0).t_ms
            synthetic = SyntheticUpdates(
                SPEC,
                tokens=synthetic.tokens,
                seed=seed,
                epoch=owner_epoch,
                odd_keys=True,
                start_ms=start_ms,
            )
            store = open_hot_store()
        if first or chance.random() < 0.1:
            update = whole_of(synthetic)
            names = tuple(
                TokenName(at, synthetic.key(at), synthetic.symbol(at))
                for at in range(synthetic.tokens)
            )
            numbers = list(range(synthetic.tokens))
            update = renumbered(replace(update, names=names), numbers)
            if owner_epoch > 1:
                offset = follower.place(0).offset + 1
                update = replace(update, offset=max(offset, update.offset))
            first = False
        else:
            update = synthetic.update(0, chance.randrange(synthetic.tokens + 1))
            update = replace(update, offset=max(follower.place(0).offset, update.offset))
        store.put(update, update.t_ms, 0)
        follower.apply(update)
        for market in lazy:
            if chance.random() < 0.3:
                found = reader.changes(0, market.place(0).seq)
                if found is not None:
                    market.apply(found)
                assert market.place(0) == follower.place(0)
                assert numbers_of(market) == numbers_of(follower)
    assert follower.stale_updates == follower.held_updates == follower.unnamed_rows == 0


def test_a_reader_beside_the_writer_sees_whole_updates(
    open_hot_store: OpenStore, open_hot_store_reader: OpenReader
) -> None:
    """Every update writes its own number into all rows: a mixture would show."""
    store, reader = open_hot_store(), open_hot_store_reader()
    tokens, rounds = 5_000, 24
    synthetic = stream(tokens, wide=False)
    failures: list[BaseException] = []

    def write() -> None:
        try:
            for at in range(rounds):
                update = whole_of(synthetic) if at == 0 else synthetic.update(0, tokens)
                update.rows[:] = at
                store.put(replace(update, whole=at % 12 == 0, names=names), at, 0)
        except BaseException as error:
            failures.append(error)

    names = tuple(TokenName(at, synthetic.key(at), synthetic.symbol(at)) for at in range(tokens))
    writer = threading.Thread(target=write)
    writer.start()
    seen_seq, seen = 0, -1
    while writer.is_alive() or (seen < rounds - 1 and not failures):
        found = reader.changes(0, seen_seq)
        if found is not None:
            assert found.rows.min() == found.rows.max() > seen
            assert len(found.token_ids) == tokens
            seen_seq, seen = found.seq, int(found.rows[0, 0, 0])
    writer.join()
    assert failures == []
