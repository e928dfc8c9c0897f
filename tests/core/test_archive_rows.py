import json
from random import Random

import numpy as np
import pytest
from hypothesis import given
from tests.strategies import rngs

from swapstats.core.archive_rows import (
    LATE_SIGN,
    STORED_MS_MAX,
    columns_of,
    digest_of,
    join_runs,
    read_rows,
)
from swapstats.core.plain_decode import Swap, decode_message
from swapstats.errors import InvariantBroken
from swapstats.model.effects import ArchiveRows
from swapstats.model.record import MessageBlock, RecordBatch
from swapstats.testing.wire_streams import StreamShape, random_stream, respelled

APPEND_MS = 1_704_412_900_000


def batch_of(messages: list[bytes], first: int = 0) -> RecordBatch:
    block = MessageBlock.of(messages)
    offsets = np.arange(first, first + len(messages), dtype=np.int64)
    return RecordBatch(
        0, offsets, np.full(len(offsets), APPEND_MS, dtype=np.int64), block.buffer, block.bounds
    )


def all_rows(count: int, sign: int = 1) -> ArchiveRows:
    return ArchiveRows(
        np.arange(count, dtype=np.int32),
        np.full(count, sign, dtype=np.int8),
        np.zeros(0, dtype=np.int32),
    )


def swap(**fields: object) -> bytes:
    plain = {
        "schema_version": 1,
        "event_id": "e",
        "token_address": "t",
        "side": "buy",
        "amount_token": "1.5",
        "event_time": 1_704_412_800_000,
    }
    return json.dumps(plain | fields).encode()


@given(rngs())
def test_however_a_swap_is_spelled_its_fields_are_those_of_the_plain_decoder(rng: Random) -> None:
    swaps = random_stream(rng, StreamShape(swaps=8))
    messages = [respelled(rng, one) for one in swaps]
    columns = columns_of(read_rows(batch_of(messages), all_rows(len(messages))), 0)
    for at, message in enumerate(messages):
        plain = decode_message(message, APPEND_MS, None)
        assert isinstance(plain, Swap)
        assert columns.amount_token[at] == plain.amount_token
        assert columns.amount_usd[at] == plain.amount_usd
        integers = ("chain_id", "log_index", "block_number", "inclusion", "removed")
        for name in integers:
            assert columns.integers[name][at] == (getattr(plain, name) or 0)
        assert columns.integers["event_time"][at] == plain.event_ms
        ingested_ms = APPEND_MS if plain.ingested_ms is None else plain.ingested_ms
        assert columns.integers["ingested_time"][at] == min(max(0, ingested_ms), STORED_MS_MAX)
        for name in columns.texts:
            assert columns.texts[name][at] == (getattr(plain, name) or "")


def test_rows_of_both_tables_come_in_log_order_with_their_signs() -> None:
    batch = batch_of([swap(event_id=str(at)) for at in range(6)], first=100)
    rows = ArchiveRows(
        np.array([0, 4, 5], dtype=np.int32),
        np.array([1, -1, 1], dtype=np.int8),
        np.array([2], dtype=np.int32),
    )
    run = read_rows(batch, rows)
    assert run.offsets.tolist() == [100, 102, 104, 105]
    assert run.signs.tolist() == [1, LATE_SIGN, -1, 1]
    assert [one.event_id for one in run.swaps] == ["0", "2", "4", "5"]
    assert run.chosen(run.signs == 1).offsets.tolist() == [100, 105]


def test_what_is_absent_gets_the_defaults_of_the_tables() -> None:
    columns = columns_of(read_rows(batch_of([swap(amount_usd=None)]), all_rows(1)), 3)
    assert columns.amount_usd == [None]
    assert columns.texts["tx_hash"] == [""]
    assert columns.integers["chain_id"].tolist() == [0]
    assert columns.integers["partition"].tolist() == [3]
    assert columns.integers["ingested_time"].tolist() == [APPEND_MS]


def test_times_beyond_what_can_be_stored_are_held_at_its_end() -> None:
    message = swap(event_time=1 << 61, ingested_time=-5)
    columns = columns_of(read_rows(batch_of([message]), all_rows(1)), 0)
    assert columns.integers["event_time"].tolist() == [STORED_MS_MAX]
    assert columns.integers["ingested_time"].tolist() == [0]


def test_months_are_those_of_the_event_times() -> None:
    run = read_rows(
        batch_of(
            [swap(event_time="2024-01-31T23:59:59Z"), swap(event_time="2024-02-01T00:00:00Z")]
        ),
        all_rows(2),
    )
    first, second = run.months.tolist()
    assert (first, second) == (54 * 12, 54 * 12 + 1)


def test_a_digest_does_not_depend_on_how_rows_were_cut() -> None:
    messages = [swap(event_id=str(at)) for at in range(9)]
    whole = read_rows(batch_of(messages), all_rows(9))
    parts = [
        read_rows(batch_of(messages[begin:end], first=begin), all_rows(end - begin))
        for begin, end in ((0, 2), (2, 3), (3, 9))
    ]
    assert digest_of(join_runs(parts)) == digest_of(whole)
    assert digest_of(join_runs([])) == digest_of(whole.part(0, 0))


def test_a_digest_tells_offsets_signs_and_bytes_apart() -> None:
    messages = [swap(event_id="a"), swap(event_id="b")]
    digests = {
        digest_of(read_rows(batch_of(messages), all_rows(2))),
        digest_of(read_rows(batch_of(messages, first=1), all_rows(2))),
        digest_of(read_rows(batch_of(messages), all_rows(2, sign=-1))),
        digest_of(read_rows(batch_of(messages[::-1]), all_rows(2))),
        digest_of(read_rows(batch_of(messages), all_rows(1))),
    }
    assert len(digests) == 5


def test_a_row_that_is_no_swap_is_a_bug_and_said_to_be() -> None:
    with pytest.raises(InvariantBroken, match="well-formed swap"):
        read_rows(batch_of([swap(), b"{}"]), all_rows(2))
