import pytest

from swapstats.adapters.clickhouse.extra import needed
from swapstats.errors import UsageError


def test_a_missing_package_is_named_with_the_remedy() -> None:
    with pytest.raises(UsageError, match=r"no_such_package .* pip install 'swapstats\[archive\]'"):
        needed("no_such_package.inner")


def test_an_installed_one_is_imported() -> None:
    assert needed("json").dumps([1]) == "[1]"
