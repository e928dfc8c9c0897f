"""The rig of the roles: stores in a directory of their own, closed after the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.roles.aggregator.rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.close()


@pytest.fixture
def wide_rig(tmp_path: Path) -> Iterator[Rig]:
    """One with three partitions."""
    made = Rig(tmp_path, 3)
    yield made
    made.close()
