import pyarrow as pa  # type: ignore[import-untyped] # has no types
from tests.adapters.clickhouse.batches import AMOUNT, NOW_MS, USD, batch_of, message

from swapstats.adapters.clickhouse.arrow_block import COLUMN_NAMES, arrow_block
from swapstats.core.archive_rows import columns_of


def test_a_block_holds_every_column_exactly() -> None:
    run = batch_of([message(0), message(3), message(2, amount_token="0.000000000000000001")]).run
    (batch,) = pa.ipc.open_stream(arrow_block(columns_of(run, 5), "raw-swaps"))
    assert batch.schema.names == list(COLUMN_NAMES)
    rows = batch.to_pylist()
    assert [str(row["amount_token"]) for row in rows[:2]] == [AMOUNT, AMOUNT]
    assert f"{rows[2]['amount_token']:f}" == "0.000000000000000001"
    assert [row["amount_usd"] and str(row["amount_usd"]) for row in rows] == [USD, None, USD]
    assert [row["event_time"].timestamp() for row in rows] == [NOW_MS / 1_000] * 3
    assert [(row["partition"], row["offset"], row["sign"]) for row in rows] == [
        *((5, 0, 1), (5, 1, 1), (5, 2, 1)),
    ]
    assert [row["log"] for row in rows] == ["raw-swaps"] * 3
