"""Refused rows: kept, cut back to a position, never written where they cannot be."""

import json
from pathlib import Path

import pytest

from swapstats.adapters.backfill.kept_rows import KeptRowsFile
from swapstats.errors import StoreError
from swapstats.ports.table import KeptRow


def row(number: int, what: dict[str, str] | str = "text") -> KeptRow:
    return KeptRow(number, "bad_side", "Expected a side", what)


def numbers(kept: KeptRowsFile) -> list[int]:
    return [json.loads(line)["row"] for line in kept.path.read_bytes().splitlines()]


def test_lines_say_everything(tmp_path: Path) -> None:
    kept = KeptRowsFile(tmp_path / "new" / "kept.ndjson")
    kept.put([row(1, "a,b\n"), row(2, {"side": "long"}), row(3, {"side": "\udcff"})])
    first, second, third = (json.loads(line) for line in kept.path.read_bytes().splitlines())
    told = {"reason": "bad_side", "detail": "Expected a side"}
    assert first == {"row": 1, **told, "text": "a,b\n"}
    assert second == {"row": 2, **told, "values": {"side": "long"}}
    assert third["values"] == {"side": "\\xff"}


def test_goes_back_to_a_size(tmp_path: Path) -> None:
    kept = KeptRowsFile(tmp_path / "kept.ndjson")
    kept.cut(0)
    size = kept.put([row(1), row(2)])
    kept.put([row(3)])
    kept.cut(size)
    assert numbers(kept) == [1, 2]
    assert kept.put([row(3)]) > size
    assert numbers(kept) == [1, 2, 3]
    kept.cut(1 << 40)  # what somebody took away is not made up for
    assert numbers(kept) == [1, 2, 3]
    kept.cut(0)
    assert numbers(kept) == []


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="--refused"):
        KeptRowsFile(tmp_path / "file" / "kept.ndjson").put([row(1)])
