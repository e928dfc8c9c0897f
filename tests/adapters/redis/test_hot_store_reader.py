import contextlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from swapstats.adapters.redis.connection import RedisLine
from swapstats.adapters.redis.hot_store import RedisHotStore
from swapstats.adapters.redis.hot_store_reader import RedisHotStoreReader
from swapstats.errors import StoreCorrupt
from swapstats.model.window import WindowSpec
from swapstats.testing.synthetic_updates import SyntheticUpdates

SPEC = WindowSpec(5_000, (300_000,))


@pytest.fixture
def store(redis_url: str, prefix: str) -> Iterator[RedisHotStore]:
    with contextlib.closing(RedisHotStore(redis_url, prefix)) as opened:
        yield opened


@pytest.fixture
def reader(redis_url: str, prefix: str) -> Iterator[RedisHotStoreReader]:
    with contextlib.closing(RedisHotStoreReader(redis_url, prefix)) as opened:
        yield opened


@pytest.mark.parametrize("kind", ["rows", "names"])
def test_rows_that_are_gone_are_found(
    store: RedisHotStore, reader: RedisHotStoreReader, line: RedisLine, prefix: str, kind: str
) -> None:
    synthetic = SyntheticUpdates(SPEC, tokens=20)
    whole = replace(next(iter(synthetic.everything())), whole=True)
    store.put(whole, 1, 0)
    key = next(iter(line.call("KEYS", f"*{prefix}*:{kind}:*")))
    line.call("HDEL", key, b"\x03\0\0\0")
    with pytest.raises(StoreCorrupt, match="noeviction"):
        reader.changes(0, 0)
    store.put(replace(whole, seq=whole.seq + 1), 1, 0)
    assert reader.changes(0, 0) is not None


def test_tokens_numbered_anew_in_the_middle_of_a_read_are_read_again(
    store: RedisHotStore, reader: RedisHotStoreReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthetic = SyntheticUpdates(SPEC, tokens=10_000)
    whole = replace(next(iter(synthetic.everything())), whole=True)
    store.put(whole, 1, 0)
    anew = replace(
        whole, seq=whole.seq + 1, names=whole.names[::-1][:5_000], token_ids=whole.token_ids[:5_000]
    )
    names = tuple(replace(name, token_id=at) for at, name in enumerate(whole.names[::-1][:5_000]))
    anew = replace(anew, names=names, rows=whole.rows[:5_000])
    fetch = reader._fetch
    calls = []

    def interrupted(*args: object) -> None:
        calls.append(args)
        if len(calls) == 1:
            store.put(anew, 1, 0)
        fetch(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(reader, "_fetch", interrupted)
    found = reader.changes(0, 0)
    assert found is not None
    assert len(calls) == 2
    assert (found.seq, found.names) == (anew.seq, names)
    assert np.array_equal(found.rows, anew.rows)


def test_what_changes_in_the_middle_of_a_read_is_in_it(
    store: RedisHotStore, reader: RedisHotStoreReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthetic = SyntheticUpdates(SPEC, tokens=10_000)
    whole = replace(next(iter(synthetic.everything())), whole=True)
    store.put(whole, 1, 0)
    change = synthetic.update_of(0, np.array([2, 9_999], dtype=np.int32))
    fetch = reader._fetch

    def interrupted(*args: object) -> None:
        fetch(*args)  # type: ignore[arg-type]
        store.put(change, 1, 0)

    monkeypatch.setattr(reader, "_fetch", interrupted)
    found = reader.changes(0, 0)
    assert found is not None
    assert (found.seq, found.offset, found.whole) == (change.seq, change.offset, True)
    expected = whole.rows.copy()
    expected[[2, 9_999]] = change.rows
    assert np.array_equal(found.rows, expected)
    assert found.names == whole.names
