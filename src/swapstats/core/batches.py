"""Cuts runs of records and lays them end to end."""

from collections.abc import Sequence

import numpy as np

from swapstats.model.record import RecordBatch


def cut_batch(batch: RecordBatch, next_offset: int) -> tuple[RecordBatch, RecordBatch | None]:
    """Cut a batch at an offset: what lies before it, and the rest if any.

    Raises:
        ValueError: nothing lies before it.
    """
    count = int(np.searchsorted(batch.offsets, next_offset))
    if count == len(batch):
        return batch, None
    if count == 0:
        raise ValueError(f"Expected records before offset {next_offset}, was none")
    return _part(batch, 0, count), _part(batch, count, len(batch))


def join_batches(batches: Sequence[RecordBatch]) -> RecordBatch:
    """Lay batches of one partition, which follow each other, end to end.

    Raises:
        ValueError: there are none.
    """
    if not batches:
        raise ValueError("Expected batches to join, was none")
    if len(batches) == 1:
        return batches[0]
    sizes = np.cumsum([0, *(len(batch.buffer) for batch in batches[:-1])])
    return RecordBatch(
        batches[0].partition,
        np.concatenate([batch.offsets for batch in batches]),
        np.concatenate([batch.append_ms for batch in batches]),
        np.concatenate([batch.buffer for batch in batches]),
        np.concatenate(
            [
                batches[0].bounds[:1],
                *(
                    batch.bounds[1:] - batch.bounds[0] + size
                    for batch, size in zip(batches, sizes.tolist(), strict=True)
                ),
            ]
        ),
    )


def _part(batch: RecordBatch, begin: int, end: int) -> RecordBatch:
    first, last = int(batch.bounds[begin]), int(batch.bounds[end])
    return RecordBatch(
        batch.partition,
        batch.offsets[begin:end],
        batch.append_ms[begin:end],
        batch.buffer[first:last],
        batch.bounds[begin : end + 1] - first,
    )
