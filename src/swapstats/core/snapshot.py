"""A snapshot of a shard, by reference: cheap to take, encoded later and elsewhere."""

from dataclasses import dataclass

from swapstats.core.bucket import FrozenBucket
from swapstats.core.token_table import encode_names
from swapstats.model.checkpoint import CheckpointDelta, CheckpointHeader
from swapstats.model.effects import TokenName


@dataclass(frozen=True, slots=True)
class SnapshotDraft:
    """What changed since the snapshot before.

    Attributes:
        header: the header of the new revision.
        buckets: changed buckets, frozen.
        names: tokens that are new or got their symbol.
        full: True if everything is in it.
    """

    header: CheckpointHeader
    buckets: tuple[FrozenBucket, ...]
    names: tuple[TokenName, ...]
    full: bool

    def encode(self) -> CheckpointDelta:
        """Write the draft as bytes; may run in another thread."""
        return CheckpointDelta(
            header=self.header,
            buckets={bucket.number: bucket.encode() for bucket in self.buckets},
            tokens=encode_names(list(self.names)),
            full=self.full,
        )
