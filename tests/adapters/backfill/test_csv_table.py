"""CSV: packed or not, cut off, with bad rows, gone on with at any row."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import zstandard
from tests.adapters.backfill.tables import numbered, read

from swapstats.adapters.backfill.csv_table import LINE_CHARS_MAX, CsvTable
from swapstats.errors import Rejected, UsageError
from swapstats.ports.table import UnreadableRow

TEXT = 'a,b,c\n1,2,3\n"x, ""y""\nz",,6\n\n7,8,9\n'
ROWS = [["1", "3"], ['x, "y"\nz', "6"], ["7", "9"]]


Make = Callable[..., CsvTable]


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Make]:
    """Write a file and open it; closed after the test."""
    with ExitStack() as opened:

        def make(name: str, data: bytes, delimiter: str = ",", chunk_rows: int = 2) -> CsvTable:
            (tmp_path / name).write_bytes(data)
            found = CsvTable(str(tmp_path / name), delimiter, chunk_rows)
            opened.callback(found.close)
            return found

        yield make


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.csv.zst", "bom.csv"])
def test_rows_with_their_numbers(table: Make, name: str) -> None:
    data = TEXT.encode()
    data = gzip.compress(data) if name.endswith(".gz") else data
    data = zstandard.compress(data) if name.endswith(".zst") else data
    data = b"\xef\xbb\xbf" + data if name.startswith("bom") else data
    found = table(name, data)
    assert found.columns == ("a", "b", "c")
    assert numbered(read(found, ["a", "c"])) == list(enumerate(ROWS, 1))
    assert found.progress().done == found.progress().total == len(data)


def test_an_empty_cell_is_nothing(table: Make) -> None:
    found = table("t.csv", TEXT.encode())
    assert [row for _, row in numbered(read(found, ["b"]))] == [["2"], [None], ["8"]]


def test_goes_on_after_any_chunk(table: Make) -> None:
    found = table("t.csv", TEXT.encode(), chunk_rows=1)
    for chunk in read(found, ["a", "c"]):
        rest = numbered(read(found, ["a", "c"], chunk.place))
        assert rest == list(enumerate(ROWS, 1))[chunk.first_number :]


def test_another_delimiter(table: Make) -> None:
    found = table("t.tsv", b"a\tb\n1,5\t2\n", "\t")
    assert numbered(read(found, ["a"])) == [(1, ["1,5"])]


def test_a_row_that_is_none_is_given_as_text_and_the_next_follows(table: Make) -> None:
    found = table("t.csv", b'a,b\n1\n2,2\n"3"x,3\n4,4\n5,\xff\n', chunk_rows=10)
    rows = dict(numbered(read(found, ["a", "b"])))
    assert rows[1] == UnreadableRow("bad_row", "Expected 2 cells, was 1", '["1"]')
    assert isinstance(rows[3], UnreadableRow)
    assert rows[3].text == '"3"x,3\n'
    assert (rows[2], rows[4]) == (["2", "2"], ["4", "4"])
    assert rows[5] == ["5", "\udcff"]  # no UTF-8: kept as it is, for who refuses it


def test_a_quote_that_is_never_closed_swallows_no_more_than_a_cell_can_hold(table: Make) -> None:
    lines = b"".join(b"%d,x\n" % number for number in range(50_000))
    found = table("t.csv", b'a,b\n"open,x\n' + lines, chunk_rows=100_000)
    rows = [row for _, row in numbered(read(found, ["a"]))]
    bad = [row for row in rows if isinstance(row, UnreadableRow)]
    assert len(bad) == 1
    kept = bad[0].text.count("\n") - 1
    assert 0 < kept < 25_000
    assert len(rows) - 1 == 50_000 - kept  # nothing is lost: each line is in a row or in the text


def test_a_line_without_end_is_cut(table: Make) -> None:
    found = table("t.csv", b"a,b\n" + b"x" * (3 * LINE_CHARS_MAX) + b"\n1,2\n")
    rows = [row for _, row in numbered(read(found, ["a", "b"]))]
    assert rows[-1] == ["1", "2"]
    assert all(isinstance(row, UnreadableRow) for row in rows[:-1])


def test_what_came_before_a_damage_counts(table: Make) -> None:
    packed = gzip.compress(b"a\n" + b"".join(b"%d\n" % (n * 7_919) for n in range(100_000)))
    found = table("t.csv.gz", packed[: len(packed) // 2], chunk_rows=1_000)
    rows = 0
    with pytest.raises(Rejected, match="cut off"):
        for chunk in found.chunks(["a"], ""):
            rows += len(chunk.rows)
    assert rows > 1_000


@pytest.mark.parametrize("content", [b"", b"\n\n", b",,\n1,2,3\n", b'"open\n'])
def test_no_header(table: Make, content: bytes) -> None:
    with pytest.raises(UsageError, match="header"):
        table("t.csv", content)


def test_a_column_twice(table: Make) -> None:
    with pytest.raises(UsageError, match="a again"):
        table("t.csv", b"a,b,a\n")


def test_a_changed_file_is_another(table: Make) -> None:
    before = table("t.csv", b"a\n1\n").identity
    assert table("t.csv", b"a\n1\n2\n").identity != before


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="check the path"):
        CsvTable(str(tmp_path / "none.csv"), ",", 10)
