"""Rows judged: every row is a message or refused, with its number and the contract's own reason."""

import json

from tests.roles.backfill_rig import COLUMNS, MAX_AHEAD_MS, NOW_MS, judge, row

from swapstats.ports.table import TableChunk, UnreadableRow


def test_every_row_is_a_message_or_refused() -> None:
    rows = [
        row(0),
        UnreadableRow("bad_row", "Expected 7 cells, was 1", "x"),
        row(2, side="long"),
        row(3, amount_token="-1"),
        row(4, NOW_MS + MAX_AHEAD_MS + 1),
        row(5, event_time=5),
        row(6, NOW_MS + MAX_AHEAD_MS),
        row(7, event_id=None),
        row(8, token_address="\udcff"),
        row(9, amount_usd=None),
    ]
    found = judge().judge(TableChunk(rows, 101, ""))
    assert [json.loads(message)["event_id"] for message in found.messages] == ["x:0", "x:6", "x:9"]
    assert found.numbers.tolist() == [101, 107, 110]
    assert found.event_ms.tolist() == [NOW_MS, NOW_MS + MAX_AHEAD_MS, NOW_MS]
    assert [(each.number, each.reason) for each in found.refused] == [
        (102, "bad_row"),
        (103, "bad_side"),
        (104, "bad_amount_token"),
        (105, "too_far_ahead"),
        (106, "bad_event_time"),
        (108, "missing_field"),
        (109, "not_utf8"),
    ]


def test_a_refused_row_is_kept_whole() -> None:
    bad = row(0, side="long", amount_usd=None, event_id=b"\xab")
    assert not isinstance(bad, UnreadableRow)
    found = judge().judge(TableChunk([bad, UnreadableRow("bad_row", "no", "x,y\n")], 1, ""))
    values = {name: str(value) for name, value in zip(COLUMNS, bad, strict=True)}
    del values["amount_usd"]
    assert found.refused[0].row == values | {"event_id": "ab"}
    assert found.refused[1].row == "x,y\n"


def test_no_rows() -> None:
    found = judge().judge(TableChunk([], 1, ""))
    assert (found.messages, found.refused, len(found.event_ms)) == ([], [], 0)
