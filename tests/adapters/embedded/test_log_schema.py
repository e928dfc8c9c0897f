"""The rows of the log's file that are not groups: known to be intact, or refused."""

import contextlib
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from swapstats.adapters.embedded.log import EmbeddedSwapLog
from swapstats.adapters.embedded.log_reader import EmbeddedSwapLogReader
from swapstats.adapters.embedded.log_schema import OFFSET_BITS, group_id
from swapstats.errors import StoreCorrupt
from swapstats.model.record import MessageBlock


def test_group_ids_order_by_partition_then_offset() -> None:
    last = (1 << OFFSET_BITS) - 1
    ids = [group_id(0, 0), group_id(0, last), group_id(1, 0), group_id((1 << 16) - 1, last)]
    assert ids == sorted(set(ids))
    assert ids[-1] < 1 << 63


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE partitions SET end_offset = 1 WHERE partition = 1",
        "UPDATE partitions SET start_offset = 1 WHERE partition = 1",
        "UPDATE partitions SET last_ms = 7 WHERE partition = 1",
        "UPDATE partitions SET end_offset = 'x' WHERE partition = 1",
        "DELETE FROM partitions WHERE partition = 0",
        "DELETE FROM partitions WHERE partition = 1",
        "UPDATE partitions SET partition_count = 1 WHERE partition = 0",
    ],
)
def test_damaged_bounds_are_corrupt(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "log.db"
    with contextlib.closing(EmbeddedSwapLog(path, 2)) as log:
        partitions = np.array([1, 1], dtype=np.int32)
        log.append(MessageBlock.of([b"a", b"b"]), partitions, 1, {"demo": "2"})
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(damage)
        connection.commit()
    with pytest.raises(StoreCorrupt, match=r"bounds of partition [01]"):
        EmbeddedSwapLog(path, 2)
    with pytest.raises(StoreCorrupt, match=r"bounds of partition [01]"):
        EmbeddedSwapLogReader(path)


def test_damaged_position_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with contextlib.closing(EmbeddedSwapLog(path, 1)) as log:
        log.append(MessageBlock.of([]), np.array([], dtype=np.int32), 1, {"demo": "120"})
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE positions SET position = '140'")
        connection.commit()
    with (
        contextlib.closing(EmbeddedSwapLogReader(path)) as reader,
        pytest.raises(StoreCorrupt, match="'demo'"),
    ):
        reader.position("demo")
