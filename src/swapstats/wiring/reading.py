"""A data directory opened for reading only, beside a running process or without one."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from swapstats.adapters.embedded.checkpoint_reader import EmbeddedCheckpointReader
from swapstats.adapters.embedded.dead_letters import EmbeddedDeadLetterReader
from swapstats.adapters.embedded.directory import DataDirectory
from swapstats.adapters.embedded.log_reader import EmbeddedSwapLogReader
from swapstats.core.hash_key import HashKey
from swapstats.core.shard import Shard
from swapstats.core.shard_config import ShardConfig
from swapstats.errors import UsageError
from swapstats.model.checkpoint import CheckpointHeader
from swapstats.model.effects import DeadLetter
from swapstats.model.record import RecordBatch
from swapstats.wiring.auditing import Auditor


@dataclass(frozen=True, slots=True)
class EmbeddedReaders:
    """Everything a data directory holds, opened for reading.

    Attributes:
        directory: the directory, not locked.
        log: the swap log.
        checkpoints: the checkpoint store.
        dead_letters: the refused messages.
        key: the hash key.
    """

    directory: DataDirectory
    log: EmbeddedSwapLogReader
    checkpoints: EmbeddedCheckpointReader
    dead_letters: EmbeddedDeadLetterReader
    key: HashKey

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a data directory.

        Raises:
            UsageError: there is none.
            StoreError: a file cannot be read.
            KeyMismatch: the hash key is lost.
        """
        if not (path / "manifest.json").exists():
            raise UsageError(
                f"Expected a data directory, was {path} without a manifest: name one that "
                "`swapstats run` or `swapstats replay` made, with --data-dir"
            )
        with ExitStack() as opened:
            directory = opened.enter_context(DataDirectory.open(path, writer=False))
            secret, _ = directory.hash_key(may_create=False)
            log = EmbeddedSwapLogReader(directory.log_path)
            opened.callback(log.close)
            checkpoints = EmbeddedCheckpointReader(directory.checkpoints_path)
            opened.callback(checkpoints.close)
            dead_letters = EmbeddedDeadLetterReader(directory.dead_letters_path)
            found = cls(directory, log, checkpoints, dead_letters, HashKey.of(secret))
            opened.pop_all()
            return found

    def close(self) -> None:
        """Close every file."""
        self.dead_letters.close()
        self.checkpoints.close()
        self.log.close()
        self.directory.close()

    def restore(self) -> Iterator[Shard]:
        """Bring back every shard that has a checkpoint, as it stands there."""
        for partition in range(self.log.partition_count):
            checkpoint = self.checkpoints.load(partition)
            if checkpoint is not None:
                config = self.config_of(checkpoint.header)
                yield Shard.restore(config, checkpoint, checkpoint.header.epoch)

    @property
    def auditor(self) -> Auditor:
        """What audits this directory."""
        return Auditor(_PastDamage(self.log), self.log.partition_count, self.checkpoints, self.key)

    def config_of(self, header: CheckpointHeader) -> ShardConfig:
        """Make the configuration a checkpoint was written with; see `Auditor.config_of`."""
        return self.auditor.config_of(header)


class _PastDamage:
    """The log as an auditor reads it."""

    def __init__(self, log: EmbeddedSwapLogReader) -> None:
        self._log = log

    def start_offsets(self) -> list[int]:
        """First offset still held, by partition."""
        return self._log.start_offsets()

    def read_past_damage(
        self, partition: int, offset: int, bytes_max: int
    ) -> tuple[RecordBatch | None, tuple[str, ...], int]:
        """Read records; returns them, what is damaged, and the offset to go on from."""
        found = self._log.read_unchecked(partition, offset, bytes_max)
        if found is None:
            return None, (), offset
        damaged = tuple(
            f"partition {partition}, offsets {piece.first} to {piece.end - 1}: bytes are not "
            f"what was written ({'read all the same' if piece.readable else 'cannot be read'})"
            for piece in found.corrupt
        )
        return found.batch, damaged, found.next_offset


def raw_letters(
    path: Path, reason: str | None, limit: int
) -> tuple[list[DeadLetter], dict[str, int]]:
    """Raw events of a data directory that became no swap, newest first, and counts by reason.

    Raises:
        UsageError: no such directory, or none where raw events were.
    """
    with DataDirectory.open(path, writer=False) as directory:
        if not directory.raw_dead_letters_path.exists():
            raise UsageError(
                f"Expected raw events in {path}, was none: run a source of them there first"
            )
        reader = EmbeddedDeadLetterReader(directory.raw_dead_letters_path)
        try:
            return list(reader.scan(reason=reason, limit=limit)), reader.counts()
        finally:
            reader.close()
