import threading
from pathlib import Path

import pytest

from swapstats.stack.fetched import fetched, user_cache


def test_it_is_fetched_once_by_many_at_a_time(tmp_path: Path) -> None:
    calls: list[Path] = []
    found: list[Path] = []

    def fetch(made: Path) -> Path:
        calls.append(made)
        (made / "kept").mkdir()
        return made / "kept"

    askers = [
        threading.Thread(target=lambda: found.append(fetched(tmp_path / "home", "a-1", fetch)))
        for _ in range(4)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert found == [tmp_path / "home" / "a-1"] * 4
    assert len(calls) == 1
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == ["a-1", "a-1.lock"]


def test_what_failed_leaves_nothing_and_is_tried_again(tmp_path: Path) -> None:
    def fail(made: Path) -> Path:
        (made / "half").mkdir()
        raise RuntimeError("no network")

    with pytest.raises(RuntimeError):
        fetched(tmp_path, "a-1", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["a-1.lock"]

    def fetch(made: Path) -> Path:
        (made / "kept").mkdir()
        return made / "kept"

    assert fetched(tmp_path, "a-1", fetch).is_dir()


def test_the_cache_is_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache() == tmp_path / "swapstats"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_cache() == tmp_path / ".cache" / "swapstats"
