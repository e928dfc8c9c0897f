"""A table as a source: positions, bounds, counts, limits, and nothing lost by a stop anywhere."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.roles.backfill_rig import NOW_MS, ListKept, ListTable, judge, row

from swapstats.core.backfill_position import BackfillPosition
from swapstats.errors import Rejected
from swapstats.model.record import MessageBlock
from swapstats.ports.table import Row, UnreadableRow
from swapstats.roles.backfill import BackfillPlan, BackfillSource

PLAN = BackfillPlan("list", "input", None, None, 10)
BAD = UnreadableRow("bad_row", "Expected cells", "x")


class Life:
    """One start of a backfill, ended after some batches."""

    def __init__(self, table: ListTable, kept: ListKept, plan: BackfillPlan = PLAN) -> None:
        self.source = BackfillSource(table, judge(), kept, plan)
        self.messages: list[str] = []

    def run(self, position: str | None = None, batches: int = 1_000) -> str | None:
        """Take batches; returns the position that is in the log at the end."""

        async def work() -> str | None:
            at = position
            left = batches
            stream = self.source.open(position)
            async for batch in stream:
                if not left:
                    break  # killed before this one was in the log
                left -= 1
                self.messages += ids(batch.block)
                at = batch.position
            return at

        return asyncio.run(work())


def ids(block: MessageBlock) -> list[str]:
    return [json.loads(block.message(at))["event_id"] for at in range(len(block))]


def rows(count: int, bad: Sequence[int] = ()) -> list[Row]:
    return [BAD if number in bad else row(number, NOW_MS - number) for number in range(count)]


def test_everything_is_read_once_and_said() -> None:
    table, kept = ListTable(rows(9, bad=(2, 5))), ListKept()
    life = Life(table, kept)
    assert life.source.name == "backfill:list"
    position = life.run()
    assert life.messages == [f"x:{number}" for number in range(9) if number not in (2, 5)]
    found = BackfillPosition.parse(position)
    assert found == life.source.position
    assert found == BackfillPosition(
        "input",
        rows=9,
        written=7,
        refused={"bad_row": 2},
        first_ms=NOW_MS - 8,
        last_ms=NOW_MS,
        kept_bytes=2,
        done=True,
    )
    assert [each.number for each in kept.rows] == [3, 6]
    status = life.source.status()
    assert (status.state, status.done_bytes, status.total_bytes) == ("done", 9, 9)
    assert table.closed == 1


@pytest.mark.parametrize("batches", range(6))
def test_a_stop_anywhere_loses_and_doubles_nothing(batches: int) -> None:
    table, kept = ListTable(rows(9, bad=(2, 5))), ListKept()
    first = Life(table, kept)
    position = first.run(batches=batches)
    second = Life(table, kept)
    second.run(position)
    assert second.source.start == ("resumed" if batches else "new")
    assert first.messages + second.messages == [
        f"x:{number}" for number in range(9) if number not in (2, 5)
    ]
    assert [each.number for each in kept.rows] == [3, 6]
    assert second.source.position.rows == 9


def test_what_was_finished_is_not_read_again_unless_asked() -> None:
    table, kept = ListTable(rows(5, bad=(1,))), ListKept()
    position = Life(table, kept).run()
    again = Life(table, kept)
    assert again.run(position) == position
    assert (again.source.start, again.messages) == ("finished", [])
    assert again.source.position.written == 4
    assert again.source.status().state == "done"
    asked = Life(table, kept, replace(PLAN, again=True))
    asked.run(position)
    assert (asked.source.start, len(asked.messages), len(kept.rows)) == ("new", 4, 1)


@pytest.mark.parametrize("batches", [1, 1_000])
def test_another_input_begins_anew(batches: int) -> None:
    table, kept = ListTable(rows(5, bad=(1,))), ListKept()
    position = Life(table, kept).run(batches=batches)
    other = Life(table, kept, replace(PLAN, input="other"))
    other.run(position)
    assert (other.source.start, len(other.messages), len(kept.rows)) == ("changed", 4, 1)


def test_a_position_that_is_none_begins_anew() -> None:
    life = Life(ListTable(rows(5)), ListKept())
    life.run("nonsense")
    assert (life.source.start, len(life.messages)) == ("new", 5)


def test_bounds() -> None:
    plan = replace(PLAN, since_ms=NOW_MS - 6, until_ms=NOW_MS - 1)
    life = Life(ListTable(rows(9), passed_over=100), ListKept(), plan)
    life.run()
    assert life.messages == [f"x:{number}" for number in range(2, 7)]
    found = life.source.position
    assert (found.older, found.newer, found.written, found.rows) == (102, 2, 5, 9)
    assert (found.first_ms, found.last_ms) == (NOW_MS - 6, NOW_MS - 2)


def test_too_many_refused_rows_end_it_and_it_goes_on_after_that() -> None:
    table, kept = ListTable(rows(9, bad=(2, 3, 5))), ListKept()
    life = Life(table, kept, replace(PLAN, refused_max=1))
    with pytest.raises(Rejected, match=r"row 3: bad_row, Expected cells.*refused_max"):
        life.run()
    assert len(kept.rows) == 2  # there to be looked at
    more = Life(table, kept)
    more.run(life.source.position.text)
    assert [each.number for each in kept.rows] == [3, 4, 6]
    assert life.messages + more.messages == ["x:0", "x:1", "x:4", "x:6", "x:7", "x:8"]


def test_nothing_to_read() -> None:
    life = Life(ListTable([]), ListKept())
    found = BackfillPosition.parse(life.run())
    assert found == BackfillPosition("input", done=True)
