"""Where shards keep their checkpoints: atomic, incremental, fenced."""

from typing import Protocol

from swapstats.model.checkpoint import Checkpoint, CheckpointDelta


class CheckpointReader(Protocol):
    """Reads checkpoints; works beside a writer in another process."""

    def load(self, shard: int, *, previous: bool = False) -> Checkpoint | None:
        """Read the newest whole revision of a shard (or the one before it); None if none.

        Raises:
            StoreCorrupt: the bytes are not what was written.
            StoreFormat: written by a newer version.
        """
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...


class CheckpointStore(CheckpointReader, Protocol):
    """The writer's side."""

    def acquire(self, shard: int) -> int:
        """Become the shard's owner: raise its epoch and return it (1 at first)."""
        ...

    def save(self, delta: CheckpointDelta) -> None:
        """Write one revision: all of it or nothing.

        Raises:
            Fenced: the shard's epoch in the store is higher than the delta's.
            StoreFull: no space; the previous revision stands.
        """
        ...
