"""A file and its state."""

import os
from pathlib import Path

import pytest

from swapstats.adapters.backfill.file_identity import identity_of
from swapstats.errors import Rejected


def test_another_size_or_time_is_another_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x")
    first = identity_of(str(path))
    assert identity_of(str(path)) == first
    os.utime(path, ns=(1, 1))
    second = identity_of(str(path))
    path.write_text("xy")
    assert len({first, second, identity_of(str(path))}) == 3


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="check the path"):
        identity_of(str(tmp_path / "none"))
