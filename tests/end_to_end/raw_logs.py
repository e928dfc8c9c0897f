"""What a raw log and a swap log hold, read as a whole."""

from collections.abc import Iterator

from swapstats.model.record import RecordBatch
from swapstats.ports.swap_log import SwapLogReader


def records(reader: SwapLogReader) -> Iterator[RecordBatch]:
    for partition, end in enumerate(reader.end_offsets()):
        at = reader.start_offsets()[partition]
        while at < end:
            batch = reader.read(partition, at, 1 << 20)
            assert batch is not None
            yield batch
            at = batch.next_offset


def messages(reader: SwapLogReader) -> list[bytes]:
    return [batch.message(row) for batch in records(reader) for row in range(len(batch))]
