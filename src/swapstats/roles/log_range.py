"""Reads a range of a partition again that was read before."""

from typing import Final

from swapstats.core.batches import cut_batch, join_batches
from swapstats.errors import Transient
from swapstats.model.record import RecordBatch
from swapstats.ports.swap_log import SwapLogReader

_AT_ONCE_BYTES: Final = 4 << 20


def read_range(
    log: SwapLogReader, partition: int, first_offset: int, next_offset: int
) -> RecordBatch:
    """Read the records from `first_offset` to `next_offset` (exclusive) as one batch.

    Raises:
        OffsetGone: the log dropped them.
        Transient: the log cannot be read now, or does not answer with all of them.
    """
    found: list[RecordBatch] = []
    offset = first_offset
    while offset < next_offset:
        batch = log.read(partition, offset, _AT_ONCE_BYTES)
        if batch is None:
            raise Transient(
                f"Expected partition {partition} of the log up to offset {next_offset}, was "
                f"read up to {offset}"
            )
        if int(batch.offsets[0]) >= next_offset:
            break
        found.append(cut_batch(batch, next_offset)[0])
        offset = found[-1].next_offset
    return join_batches(found)
