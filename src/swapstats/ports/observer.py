"""What roles tell whoever measures them: callbacks, so that no role knows a metrics library."""

from typing import Protocol

from swapstats.model.effects import Effects


class AggregatorObserver(Protocol):
    """Told about everything the aggregator does; must be quick and never raise."""

    def applied(self, partition: int, effects: Effects, took_ms: float) -> None:
        """A batch was applied and its effects were carried out."""
        ...

    def position(self, partition: int, next_offset: int, end_offset: int, lag_ms: int) -> None:
        """A partition's place in the log."""
        ...

    def snapshot(self, partition: int, stall_ms: float, took_ms: float, size_bytes: int) -> None:
        """A checkpoint was written: how long the stream stood still, and the whole."""
        ...

    def tokens(self, count: int) -> None:
        """Tokens known over all shards."""
        ...


class IngestObserver(Protocol):
    """Told about everything the ingest does."""

    def appended(self, source: str, messages: int, size_bytes: int) -> None:
        """Messages reached the log."""
        ...


class Silent:
    """Listens to nothing; serves as any observer."""

    def applied(self, partition: int, effects: Effects, took_ms: float) -> None:
        """Ignore."""

    def position(self, partition: int, next_offset: int, end_offset: int, lag_ms: int) -> None:
        """Ignore."""

    def snapshot(self, partition: int, stall_ms: float, took_ms: float, size_bytes: int) -> None:
        """Ignore."""

    def tokens(self, count: int) -> None:
        """Ignore."""

    def appended(self, source: str, messages: int, size_bytes: int) -> None:
        """Ignore."""
