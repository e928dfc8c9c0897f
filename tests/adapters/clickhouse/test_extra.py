import importlib.util

import pytest

from swapstats.adapters.clickhouse.extra import is_installed, needed
from swapstats.errors import UsageError


def test_a_missing_package_is_named_with_the_remedy() -> None:
    with pytest.raises(UsageError, match=r"no_such_package .* pip install 'swapstats\[archive\]'"):
        needed("no_such_package.inner")


def test_an_installed_one_is_imported() -> None:
    assert needed("json").dumps([1]) == "[1]"


def test_the_extra_is_there_if_all_of_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_installed()
    missing: list[str] = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else 1)
    assert is_installed()
    missing.append("pyarrow")
    assert not is_installed()
