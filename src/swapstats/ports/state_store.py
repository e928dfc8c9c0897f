"""Where the preprocessor keeps its state: one whole value a partition, fenced."""

from typing import Protocol

from swapstats.model.saved_state import SavedState


class StateStore(Protocol):
    """Keeps the newest state of each partition; from any thread."""

    def acquire(self, partition: int) -> int:
        """Become the partition's owner: raise its epoch and return it."""
        ...

    def load(self, partition: int) -> SavedState | None:
        """Read the newest state; None if none.

        Raises:
            StoreCorrupt: the bytes are not what was written.
            Transient: the store cannot be reached.
        """
        ...

    def save(self, partition: int, state: SavedState) -> None:
        """Put a state in place of the one before: all of it or nothing.

        Raises:
            Fenced: the partition's epoch in the store is another than the state's.
            StoreFull: no space; the state before stands.
            Transient: the store cannot be reached; the state may be written or not.
        """
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...
