"""A table against a real log: each kind of difference, bounded, found again with its message."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from tests.roles.aggregator.rig import KEY
from tests.roles.backfill_rig import COLUMNS, MAX_AHEAD_MS, NOW_MS, ListTable, judge, row

from swapstats.adapters.embedded.log import EmbeddedSwapLog
from swapstats.core.decode import choose_partitions
from swapstats.errors import OffsetGone
from swapstats.model.record import MessageBlock, RecordBatch
from swapstats.ports.table import Row, UnreadableRow
from swapstats.roles.backfill_check import BackfillCheck, CheckReport

PARTITIONS = 3


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EmbeddedSwapLog]:
    found = EmbeddedSwapLog(tmp_path / "log.db", PARTITIONS)
    yield found
    found.close()


def append(log: EmbeddedSwapLog, *rows: Row) -> None:
    messages = []
    for each in rows:
        assert not isinstance(each, UnreadableRow)
        values = dict(zip(COLUMNS, each, strict=True))
        messages.append(json.dumps({"schema_version": 1, **values}).encode())
    block = MessageBlock.of(messages)
    log.append(block, choose_partitions(block, KEY, PARTITIONS, NOW_MS), NOW_MS, {})


def check(
    log: EmbeddedSwapLog,
    rows: list[Row],
    since_ms: int | None = None,
    until_ms: int | None = None,
    shown_max: int = 20,
) -> CheckReport:
    said: list[str] = []
    checking = BackfillCheck(
        ListTable(rows), judge(), log, KEY, MAX_AHEAD_MS, shown_max, said.append
    )
    report = checking.run(since_ms, until_ms)
    assert said
    return report


def test_the_same_on_both_sides_in_any_order_and_doubled(log: EmbeddedSwapLog) -> None:
    rows = [row(number, NOW_MS - number) for number in range(500)]
    mixed = [*rows, *rows[:100]]
    Random(7).shuffle(mixed)
    append(log, *mixed)
    report = check(log, rows)
    assert (report.rows, report.records, report.counts.total()) == (500, 600, 0)
    assert (report.since_ms, report.until_ms) == (NOW_MS - 499, NOW_MS + 1)


def test_each_kind_of_difference(log: EmbeddedSwapLog) -> None:
    append(
        log,
        row(0),
        row(2, NOW_MS - 2),
        row(3, NOW_MS - 3, amount_usd="9"),
        row(4, NOW_MS - 4),
        row(4, NOW_MS - 4, removed=True),
        row(5, NOW_MS - 5),
        row(6, NOW_MS - 6),
        row(6, NOW_MS - 6, removed=True),  # gone from the table as well
        row(8, NOW_MS - 100),  # outside of what the table covers
    )
    report = check(
        log,
        [
            row(0),
            row(1, NOW_MS - 1),
            row(3, NOW_MS - 3),
            row(4, NOW_MS - 4),
            row(5, NOW_MS - 5),
            row(5, NOW_MS - 5, removed=True),
        ],
    )
    assert report.counts == {
        "missing in the log": 1,
        "missing in the table": 1,
        "conflict": 1,
        "removed in the log only": 1,
        "removed in the table only": 1,
    }
    told = [
        (each.kind, each.event_ms, each.row, json.loads(each.message)["event_id"])
        for each in report.differences
    ]
    assert told == [
        ("removed in the table only", NOW_MS - 5, 5, "x:5"),
        ("removed in the log only", NOW_MS - 4, 4, "x:4"),
        ("conflict", NOW_MS - 3, 3, "x:3"),
        ("missing in the table", NOW_MS - 2, 0, "x:2"),
        ("missing in the log", NOW_MS - 1, 2, "x:1"),
    ]
    assert json.loads(report.differences[2].message)["amount_usd"] == "9"  # what stands
    assert report.differences[4].partition == -1


def test_only_a_span_is_compared(log: EmbeddedSwapLog) -> None:
    append(log, *(row(number, NOW_MS - number) for number in range(10, 20)))
    rows = [row(number, NOW_MS - number) for number in range(30)]
    report = check(log, rows, NOW_MS - 19, NOW_MS - 9)
    assert (report.rows, report.outside, report.counts.total()) == (10, 20, 0)
    report = check(log, rows, NOW_MS - 20, NOW_MS - 8)
    assert report.counts == {"missing in the log": 2}


def test_what_is_told_one_by_one_is_bounded_and_the_earliest(log: EmbeddedSwapLog) -> None:
    report = check(log, [row(number, NOW_MS - number) for number in range(300)], shown_max=5)
    assert report.counts == {"missing in the log": 300}
    assert [each.row for each in report.differences] == [300, 299, 298, 297, 296]
    assert all(each.message for each in report.differences)


def test_what_is_no_swap_is_counted_on_both_sides(log: EmbeddedSwapLog) -> None:
    append(log, row(0), row(1, side="long"))
    report = check(log, [row(0), row(1, side="long")])
    assert (report.counts.total(), report.refused, report.unreadable) == (0, {"bad_side": 1}, 1)


def test_an_empty_table_compares_nothing(log: EmbeddedSwapLog) -> None:
    append(log, row(0))
    report = check(log, [row(0)], NOW_MS + 1)
    assert (report.rows, report.outside, report.since_ms) == (0, 1, None)


class Forgetful:
    """A log that drops its first records while it is read."""

    def __init__(self, log: EmbeddedSwapLog) -> None:
        self._log = log
        self._starts = [0] * PARTITIONS
        self.partition_count = PARTITIONS

    def start_offsets(self) -> list[int]:
        return self._starts

    def end_offsets(self) -> list[int]:
        return self._log.end_offsets()

    def read(self, partition: int, offset: int, bytes_max: int) -> RecordBatch | None:
        if not offset:
            self._starts = [1] * PARTITIONS
            raise OffsetGone("Expected offset 0 in the log")
        return self._log.read(partition, offset, bytes_max)

    def position(self, source: str) -> str | None:
        return self._log.position(source)

    def positions(self, prefix: str) -> dict[str, str]:
        return self._log.positions(prefix)

    def close(self) -> None:
        self._log.close()


def test_records_dropped_meanwhile_are_missing(log: EmbeddedSwapLog) -> None:
    rows = [row(number, NOW_MS - number) for number in range(30)]
    append(log, *rows)
    table = ListTable(rows)
    checking = BackfillCheck(table, judge(), Forgetful(log), KEY, MAX_AHEAD_MS, 20, lambda _: None)
    assert checking.run(None, None).counts == {"missing in the log": PARTITIONS}
