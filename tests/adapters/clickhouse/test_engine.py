import pytest

from swapstats.adapters.clickhouse.engine import Engine, brief, engine_error, parse_rows, text
from swapstats.errors import StoreError, StoreFull, SwapstatsError, Transient


@pytest.mark.parametrize(
    ("shown", "broken", "kind"),
    [
        ("Code: 499. DB::Exception: S3 is away", False, Transient),
        ("Code: 252. DB::Exception: Too many parts", False, Transient),
        ("Received ClickHouse exception, code: 241, server response", True, Transient),
        ("Connection refused", True, Transient),
        ("Connection refused", False, StoreError),
        ("Code: 60. DB::Exception: Unknown table", True, StoreError),
        ("Code: 243. DB::Exception: Cannot reserve", False, StoreFull),
    ],
)
def test_errors_are_told_apart(shown: str, broken: bool, kind: type[SwapstatsError]) -> None:
    found = engine_error(RuntimeError(f"{shown}\nstack"), "insert", broken_link=broken)
    assert type(found) is kind
    assert "insert" in str(found)
    assert "stack" not in str(found)


def test_rows_are_read_as_texts() -> None:
    assert parse_rows(b'["1", "a"]\n["2", "b"]\n') == [["1", "a"], ["2", "b"]]
    assert parse_rows(b"\n") == []


@pytest.mark.parametrize("value", ["a'b", "a\\", "\\'", "ü\n"])
def test_texts_pass_through_sql_unchanged(engine: Engine, value: str) -> None:
    assert engine.rows(f"SELECT {text(value)}") == [[value]]


def test_an_engine_says_what_it_refuses(engine: Engine) -> None:
    for ask in (engine.run, engine.rows):
        with pytest.raises(StoreError, match="no_such_table"):
            ask("SELECT * FROM no_such_table")
    with pytest.raises(StoreError, match="insert into no_such_table"):
        engine.insert("no_such_table", ("a",), b"", {"async_insert": 0})


def test_what_is_shown_of_a_statement_holds_no_secret() -> None:
    shown = brief("INSERT INTO FUNCTION\n s3('http://h', 'id', 'hunter2', 'Parquet') SELECT 1")
    assert shown == "INSERT INTO FUNCTION s3(...) SELECT 1"
    assert len(brief("SELECT " + "1, " * 100)) == 80
