"""The preprocessor's state in a file: damage is told, never taken for a state."""

import sqlite3
from pathlib import Path

import pytest

from swapstats.adapters.embedded.states import EmbeddedStateStore, expect_owner, state_crc
from swapstats.errors import Fenced, StoreCorrupt
from swapstats.model.saved_state import SavedState


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE states SET blob = x'00'",
        "UPDATE states SET next_offset = next_offset + 1",
        "UPDATE states SET epoch = 9",
    ],
)
def test_a_damaged_state_is_told_with_what_to_do(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "preprocess.db"
    store = EmbeddedStateStore(path)
    store.save(0, SavedState(store.acquire(0), 5, b"state"))
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute(damage)
    store = EmbeddedStateStore(path)
    with pytest.raises(StoreCorrupt, match="--rebuild"):
        store.load(0)
    store.close()


def test_a_checksum_is_of_the_place_as_well() -> None:
    state = SavedState(1, 2, b"x")
    assert state_crc(0, state) != state_crc(1, state)
    assert state_crc(0, state) == state_crc(0, SavedState(1, 2, b"x"))


def test_only_the_owner_may_write() -> None:
    expect_owner(0, 3, 3)
    for stored in (0, 2, 4):
        with pytest.raises(Fenced, match=f"epoch {stored}"):
            expect_owner(0, 3, stored)


def test_a_store_that_was_emptied_gives_no_epoch_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1_800_000_000.0
    monkeypatch.setattr("swapstats.adapters.embedded.states.time.time", lambda: now_s)
    path = tmp_path / "preprocess.db"
    store = EmbeddedStateStore(path)
    before = [store.acquire(0), store.acquire(0)]
    store.close()
    path.unlink()
    now_s += 2
    store = EmbeddedStateStore(path)
    assert store.acquire(0) > max(before)
    store.close()
