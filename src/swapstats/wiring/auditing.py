"""What audits checkpoints and answers against a log, wherever both are kept."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from swapstats.core.hash_key import HashKey
from swapstats.core.shard_config import ShardConfig
from swapstats.errors import UsageError
from swapstats.model.checkpoint import CheckpointHeader
from swapstats.model.window import WindowSpec
from swapstats.ports.checkpoint_store import CheckpointReader
from swapstats.roles.audit import Answer, AuditLog, ShardAudit, audit_answer, audit_shard


@dataclass(frozen=True, slots=True)
class Auditor:
    """A log and the checkpoints made from it, open for reading.

    Attributes:
        log: what is recounted.
        partition_count: its partitions.
        checkpoints: what is audited.
        key: the hash key of both.
    """

    log: AuditLog
    partition_count: int
    checkpoints: CheckpointReader
    key: HashKey

    def config_of(
        self,
        header: CheckpointHeader,
        *,
        grace_ms: int = 0,
        late: str = "apply",
        max_ahead_ms: int | None = None,
    ) -> ShardConfig:
        """Make the configuration a checkpoint was written with; the rest must be told."""
        return ShardConfig(
            partition=header.shard,
            spec=WindowSpec(header.step_ms, header.widths_ms),
            key=self.key,
            grace_ms=grace_ms,
            late=late,
            max_ahead_ms=max_ahead_ms,
            event_clock=header.clock == "event",
        )

    def audit(
        self,
        *,
        grace_ms: int,
        late: str,
        max_ahead_ms: int | None,
        plain: bool,
        on_progress: Callable[[int, int, int], None],
    ) -> Iterator[ShardAudit]:
        """Audit every shard that has a checkpoint.

        Args:
            grace_ms: as the running service has it.
            late: as the running service has it.
            max_ahead_ms: as the running service has it.
            plain: see `roles.audit.audit_shard`.
            on_progress: called with (partition, offset, position to reach).
        """
        for partition in range(self.partition_count):
            checkpoint = self.checkpoints.load(partition)
            if checkpoint is None:
                continue
            config = self.config_of(
                checkpoint.header, grace_ms=grace_ms, late=late, max_ahead_ms=max_ahead_ms
            )
            yield audit_shard(
                config,
                checkpoint,
                self.log,
                plain=plain,
                on_progress=partial(on_progress, partition),
            )

    def audit_answer(
        self, answer: Answer, *, grace_ms: int, late: str, max_ahead_ms: int | None, plain: bool
    ) -> ShardAudit:
        """Audit what somebody was told.

        Raises:
            UsageError: the partition has no checkpoint yet, so its windows are not known.
        """
        checkpoint = self.checkpoints.load(answer.partition)
        if checkpoint is None:
            raise UsageError(f"Expected a checkpoint of partition {answer.partition}, found none")
        config = self.config_of(
            checkpoint.header, grace_ms=grace_ms, late=late, max_ahead_ms=max_ahead_ms
        )
        unknown = sorted({*answer.windows} - {*config.spec.names})
        if unknown:
            raise UsageError(
                f"Expected windows of {', '.join(config.spec.names)}, was {', '.join(unknown)}"
            )
        return audit_answer(config, self.log, answer, plain=plain)
