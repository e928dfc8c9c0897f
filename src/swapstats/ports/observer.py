"""What roles tell whoever measures them: callbacks, so that no role knows a metrics library."""

from typing import Protocol

from swapstats.model.effects import Effects
from swapstats.model.preprocessed import Preprocessed


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


class PreprocessObserver(Protocol):
    """Told about everything the preprocessor does; must be quick and never raise."""

    def preprocessed(
        self, partition: int, records: int, made: Preprocessed, took_ms: float
    ) -> None:
        """A batch was taken, and what it became was carried out."""
        ...

    def raw_position(self, partition: int, next_offset: int, end_offset: int, lag_ms: int) -> None:
        """A partition's place in the raw log."""
        ...

    def state_saved(self, partition: int, size_bytes: int, took_ms: float) -> None:
        """A state was saved."""
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

    def preprocessed(
        self, partition: int, records: int, made: Preprocessed, took_ms: float
    ) -> None:
        """Ignore."""

    def raw_position(self, partition: int, next_offset: int, end_offset: int, lag_ms: int) -> None:
        """Ignore."""

    def state_saved(self, partition: int, size_bytes: int, took_ms: float) -> None:
        """Ignore."""
