"""Where collectors stand: kept whole, apart from each other, and by one collector at a time."""

import sqlite3
from pathlib import Path

import pytest

from swapstats.adapters.embedded.collector_state import CollectorState
from swapstats.adapters.embedded.states import EmbeddedStateStore
from swapstats.errors import Fenced, StoreCorrupt, StoreError


def test_what_was_saved_is_there_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    state = CollectorState(path, "one")
    assert state.load() == (None, {})
    state.save("p1", {"a": "1", "b": "2"})
    state.save("p2", {"a": None, "b": "3", "never": None})
    state.close()
    state = CollectorState(path, "one")
    assert state.load() == ("p2", {"b": "3"})
    state.save("p3", {})
    assert state.load() == ("p3", {"b": "3"})
    state.close()


def test_sources_in_one_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    one, other = CollectorState(path, "one"), CollectorState(path, "one/more")
    one.save("p", {"key": "1"})
    other.save("q", {"key": "2", "two": "3"})
    one.save("p", {"two": None})
    assert one.load() == ("p", {"key": "1"})
    assert other.load() == ("q", {"key": "2", "two": "3"})
    one.close()
    other.close()


def test_whom_another_took_over_from_writes_nothing_more(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    first = CollectorState(path, "one")
    first.save("p1", {"a": "1"})
    second = CollectorState(path, "one")
    assert second.load() == ("p1", {"a": "1"})
    with pytest.raises(Fenced, match="only collector of one in"):
        first.save("p2", {"a": None, "b": "2"})
    assert second.load() == ("p1", {"a": "1"})
    second.save("p3", {})
    first.close()
    second.close()


def test_a_batch_is_noted_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    state = CollectorState(path, "one")
    state.save("p1", {"a": "1"})
    with sqlite3.connect(path) as other:
        other.execute(
            "CREATE TRIGGER full BEFORE DELETE ON notes BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    other.close()
    with pytest.raises(StoreError, match="collector state"):
        state.save("p2", {"b": "2", "a": None})
    assert state.load() == ("p1", {"a": "1"})
    state.close()


def test_another_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "preprocess.db"
    EmbeddedStateStore(path).close()
    with pytest.raises(StoreCorrupt, match="collector state"):
        CollectorState(path, "one")
    with pytest.raises(StoreError, match="check the disk"):
        CollectorState(tmp_path / "nowhere" / "state.db", "one")
