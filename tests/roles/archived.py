"""What an aggregator would have archived of a data directory, put into an archive."""

from pathlib import Path

from swapstats.core.archive_rows import LATE_SIGN, digest_of, read_rows
from swapstats.core.shard import Shard
from swapstats.ports.archive import Archive, ArchiveBatch, BatchNote
from swapstats.wiring.reading import EmbeddedReaders


def archive_directory(data_dir: Path, archive: Archive, *, begins: int = 0) -> None:
    """Archive everything the directory's log holds from an offset on."""
    readers = EmbeddedReaders.open(data_dir)
    try:
        for partition in range(readers.log.partition_count):
            checkpoint = readers.checkpoints.load(partition)
            batch = readers.log.read(partition, 0, 1 << 30)
            if checkpoint is None or batch is None:
                continue
            shard = Shard(readers.config_of(checkpoint.header), 1)
            run = read_rows(batch, shard.apply(batch, 0).archive)
            run = run.chosen(run.offsets >= begins)
            late = int((run.signs == LATE_SIGN).sum())
            note = BatchNote(
                partition=partition,
                epoch=1,
                first_offset=begins,
                next_offset=batch.next_offset,
                rows=len(run) - late,
                late_rows=late,
                digest=digest_of(run),
                steps=((batch.next_offset, shard.t_ms),),
                noted_ms=shard.t_ms,
            )
            archive.insert(ArchiveBatch(note, run))
    finally:
        readers.close()
