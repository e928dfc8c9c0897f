"""Rows of a table judged by the contract: what is a message, what is refused and why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swapstats.core.backfill_mapping import RefusedRow, RowWriter
from swapstats.core.columns import Columns
from swapstats.core.decode import decode
from swapstats.core.hash_key import HashKey
from swapstats.model.record import MessageBlock, RecordBatch
from swapstats.ports.table import KeptRow, Row, TableChunk, UnreadableRow


@dataclass(frozen=True, slots=True)
class JudgedRows:
    """What became of the rows of a chunk.

    Attributes:
        messages: those that keep the contract.
        columns: the same, decoded; other rows among them are marked as not accepted.
        accepted: int64[n], rows of `columns` that `messages` are.
        numbers: int64[n], number of the row of each message.
        refused: the others.
    """

    messages: list[bytes]
    columns: Columns
    accepted: NDArray[np.int64]
    numbers: NDArray[np.int64]
    refused: list[KeptRow]

    @property
    def event_ms(self) -> NDArray[np.int64]:
        """Event time of each message."""
        return self.columns.event_ms[self.accepted]


class RowJudge:
    """Makes messages of rows and holds them against the contract, as an aggregator will.

    Args:
        writer: makes a message of a row.
        key: hash key of what is decoded.
        now_ms: the append time messages are judged by.
        max_ahead_ms: how far event_time may be ahead of it.
    """

    def __init__(
        self, writer: RowWriter, key: HashKey, now_ms: Callable[[], int], max_ahead_ms: int
    ) -> None:
        self._writer = writer
        self._key = key
        self._now_ms = now_ms
        self._max_ahead_ms = max_ahead_ms

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns rows must come with."""
        return self._writer.columns

    def judge(self, chunk: TableChunk) -> JudgedRows:
        """Judge some rows; loses none."""
        messages: list[bytes] = []
        places: list[int] = []
        refused: list[KeptRow] = []
        for place, row in enumerate(chunk.rows):
            try:
                messages.append(self._write(row))
                places.append(place)
            except RefusedRow as error:
                number = chunk.first_number + place
                refused.append(KeptRow(number, error.reason, error.detail, self._told(row)))
        columns = self._decode(MessageBlock.of(messages))
        for at, (reason, detail) in columns.refusals.items():
            row = chunk.rows[places[at]]
            number = chunk.first_number + places[at]
            refused.append(KeptRow(number, reason, detail, self._told(row)))
        accepted = np.flatnonzero(columns.accepted)
        return JudgedRows(
            [messages[at] for at in accepted],
            columns,
            accepted,
            np.array(places, dtype=np.int64)[accepted] + chunk.first_number,
            sorted(refused, key=lambda row: row.number),
        )

    def _write(self, row: Row) -> bytes:
        if isinstance(row, UnreadableRow):
            raise RefusedRow(row.reason, row.detail)
        return self._writer.write(row)

    def _decode(self, block: MessageBlock) -> Columns:
        count = len(block)
        when = np.full(count, self._now_ms(), dtype=np.int64)
        batch = RecordBatch(0, np.arange(count), when, block.buffer, block.bounds)
        return decode(batch, self._key, self._max_ahead_ms)

    def _told(self, row: Row) -> dict[str, str] | str:
        if isinstance(row, UnreadableRow):
            return row.text
        return _values(self._writer.columns, row)


def _values(columns: Sequence[str], row: Sequence[Any]) -> dict[str, str]:
    return {
        name: bytes(value).hex()
        if isinstance(value, bytes | bytearray | memoryview)
        else str(value)
        for name, value in zip(columns, row, strict=True)
        if value is not None
    }
