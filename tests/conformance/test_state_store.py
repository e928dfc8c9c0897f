"""What every store of the preprocessor's state must do: the port's promises, on each adapter."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conformance.preprocess_stores import STATES, Place, running_redis

from swapstats.errors import Fenced
from swapstats.model.saved_state import SavedState
from swapstats.ports.state_store import StateStore

Open = Callable[[], StateStore]


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from running_redis(tmp_path_factory.mktemp("redis-states"))


@pytest.fixture(params=STATES)
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the test's store; there may be more than one."""
    server = request.getfixturevalue("redis_url") if request.param == "redis" else ""
    with contextlib.ExitStack() as stack:

        def opened() -> StateStore:
            store = STATES[request.param](Place(tmp_path, server))
            return stack.enter_context(contextlib.closing(store))

        yield opened


def test_a_new_store_holds_nothing_and_epochs_rise(open_store: Open) -> None:
    store = open_store()
    assert store.load(0) is None
    assert [store.acquire(0), store.acquire(0), store.acquire(1)] == [1, 2, 1]
    assert store.load(0) is None


def test_the_newest_state_comes_back_as_it_was(open_store: Open) -> None:
    store = open_store()
    epoch = store.acquire(3)
    store.save(3, SavedState(epoch, 7, b"\x00one"))
    newest = SavedState(epoch, 9, bytes(range(256)) * 5_000)
    store.save(3, newest)
    assert store.load(3) == newest
    store.close()
    again = open_store()
    assert again.load(3) == newest
    assert again.load(2) is None
    assert again.acquire(3) == epoch + 1
    assert again.load(3) == newest


def test_an_empty_state_is_one(open_store: Open) -> None:
    store = open_store()
    state = SavedState(store.acquire(0), 0, b"")
    store.save(0, state)
    assert store.load(0) == state


def test_a_former_owner_is_refused_and_changes_nothing(open_store: Open) -> None:
    store = open_store()
    old = store.acquire(0)
    store.save(0, SavedState(old, 5, b"old"))
    new = store.acquire(0)
    with pytest.raises(Fenced, match=f"epoch {old}.*epoch {new}"):
        store.save(0, SavedState(old, 6, b"older still"))
    assert store.load(0) == SavedState(old, 5, b"old")
    store.save(0, SavedState(new, 6, b"new"))
    assert store.load(0) == SavedState(new, 6, b"new")


def test_who_never_was_an_owner_is_refused(open_store: Open) -> None:
    store = open_store()
    with pytest.raises(Fenced):
        store.save(0, SavedState(1, 5, b""))
    store.acquire(0)
    with pytest.raises(Fenced):
        store.save(0, SavedState(2, 5, b""))
    assert store.load(0) is None
