from dataclasses import replace

import numpy as np

from swapstats.adapters.memory.hot_store import MemoryHotStore
from swapstats.model.window import WindowSpec
from swapstats.testing.synthetic_updates import SyntheticUpdates

SPEC = WindowSpec(5_000, (300_000,))


def test_what_was_read_is_the_readers_own() -> None:
    store, synthetic = MemoryHotStore(), SyntheticUpdates(SPEC, tokens=10)
    whole = replace(next(iter(synthetic.everything())), whole=True)
    store.put(whole, 1, 0)
    first = store.changes(0, 0)
    assert first is not None
    rows = first.rows.copy()
    first.rows[:] = -1
    store.put(synthetic.update(0, 10), 1, 0)
    whole.rows[:] = -2
    second = store.changes(0, 0)
    assert second is not None
    assert not np.array_equal(second.rows, rows)
    assert second.rows.min() >= 0


def test_tokens_may_come_one_by_one() -> None:
    store, synthetic = MemoryHotStore(), SyntheticUpdates(SPEC, tokens=300)
    first = synthetic.update_of(0, np.empty(0, dtype=np.int32))
    store.put(replace(first, whole=True), 1, 0)
    rows = []
    for token in range(300):
        update = synthetic.update_of(0, np.array([token], dtype=np.int32))
        store.put(update, 1, 0)
        rows.append(update.rows[0])
    found = store.changes(0, 0)
    assert found is not None
    assert np.array_equal(found.rows, np.array(rows))
