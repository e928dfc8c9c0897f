"""Parquet: types, row groups, gone on with at any row, damage."""

from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from tests.adapters.backfill.tables import numbered, read

from swapstats.adapters.backfill.parquet_table import ParquetTable
from swapstats.errors import Rejected

COUNT = 100


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "t.parquet"
    data = pa.table({"n": list(range(COUNT)), "unused": ["x"] * COUNT, "d": ["y"] * COUNT})
    pq.write_table(data, found, row_group_size=30)
    return found


def test_rows_with_their_numbers(path: Path) -> None:
    table = ParquetTable(str(path), 7)
    assert table.columns == ("n", "unused", "d")
    chunks = read(table, ["d", "n"])
    assert numbered(chunks) == [(n + 1, ("y", n)) for n in range(COUNT)]
    assert max(len(chunk.rows) for chunk in chunks) == 7
    assert table.progress().done == table.progress().total == COUNT
    table.close()


def test_goes_on_after_any_row(path: Path) -> None:
    with closing(ParquetTable(str(path), 7)) as table:
        for place in range(COUNT + 1):
            rest = numbered(read(table, ["n"], str(place)))
            assert rest == [(n + 1, (n,)) for n in range(place, COUNT)]


def test_values_come_exactly(tmp_path: Path) -> None:
    moment = datetime(2024, 1, 5, 0, 0, 11, 5_000, tzinfo=UTC)
    columns = {
        "amount": pa.array([Decimal("1.000000000000000001"), None], pa.decimal128(38, 18)),
        "wide": pa.array([Decimal(10**50), None], pa.decimal256(60, 0)),
        "ns": pa.array([1_704_412_811_005_000_001, None], pa.timestamp("ns", "UTC")),
        "naive": pa.array([1_704_412_811_005, None], pa.timestamp("ms")),
        "hash": pa.array([b"\xab", None], pa.binary()),
        "side": pa.array(["buy", None]).dictionary_encode(),
        "flag": pa.array([True, None]),
        "float": pa.array([0.1, None]),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    with closing(ParquetTable(str(tmp_path / "t.parquet"), 10)) as table:
        [(_, first), (_, second)] = numbered(read(table, list(columns)))
    assert first == (
        *(Decimal("1.000000000000000001"), Decimal(10**50), moment, moment.replace(tzinfo=None)),
        *(b"\xab", "buy", True, 0.1),
    )
    assert second == (None,) * len(columns)


def test_rows_without_columns_are_rows(path: Path) -> None:
    with closing(ParquetTable(str(path), 7)) as table:
        assert len(numbered(read(table, []))) == COUNT


def test_damage_is_told_after_what_came_before(path: Path) -> None:
    data = bytearray(path.read_bytes())
    middle = pq.ParquetFile(path).metadata.row_group(2).column(0).data_page_offset
    data[middle : middle + 20] = b"\xff" * 20
    path.write_bytes(data)
    rows = 0
    with (
        closing(ParquetTable(str(path), 7)) as table,
        pytest.raises(Rejected, match="whole Parquet file"),
    ):
        for chunk in table.chunks(["n"], ""):
            rows += len(chunk.rows)
    assert rows == 60


@pytest.mark.parametrize("content", [b"PAR1", b"PAR1 nothing PAR1"])
def test_no_parquet(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.parquet").write_bytes(content)
    with pytest.raises(Rejected, match="whole Parquet file"):
        ParquetTable(str(tmp_path / "t.parquet"), 10)
