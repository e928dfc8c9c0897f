"""Where refused messages are kept."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from swapstats.model.effects import DeadLetter


class DeadLetterReader(Protocol):
    """Lists refused messages; works beside a writer in another process."""

    def counts(self) -> dict[str, int]:
        """Number kept, by reason."""
        ...

    def scan(self, *, reason: str | None = None, limit: int = 100) -> Iterator[DeadLetter]:
        """Newest first, at most `limit`."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...


class DeadLetterSink(Protocol):
    """Takes refused messages."""

    def put(self, letters: Sequence[DeadLetter]) -> None:
        """Keep letters; one with a (partition, offset) already kept is left as it is.

        Raises:
            Transient: the store cannot be reached; some may be kept, put them all again.
        """
        ...


class DeadLetterStore(DeadLetterReader, DeadLetterSink, Protocol):
    """The writer's side."""

    def trim(self, count_max: int) -> int:
        """Drop the oldest beyond `count_max`; returns how many were dropped."""
        ...
