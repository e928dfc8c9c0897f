from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.preprocess_stores import new_database, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    yield from running_postgres()


@pytest.fixture
def dsn(postgres: str, tmp_path: Path) -> str:
    """An empty database of the test's own."""
    return new_database(postgres, tmp_path.name)
