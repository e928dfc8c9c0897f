"""The preprocessor: raw events in, priced swaps out. A pure state machine over one raw log."""

from typing import Self

from swapstats.core.preprocess.rules import PriceRules
from swapstats.model.preprocessed import Preprocessed
from swapstats.model.record import RecordBatch


class Preprocessor:
    """State of one partition of the raw log.

    Args:
        rules: how events are priced, filtered and remembered.
    """

    def __init__(self, rules: PriceRules) -> None:
        self._rules = rules

    def apply(self, batch: RecordBatch) -> Preprocessed:
        """Turn the next records into swaps."""
        raise NotImplementedError

    def snapshot(self) -> bytes:
        """Pack the state after the last record that was applied."""
        raise NotImplementedError

    @classmethod
    def restore(cls, rules: PriceRules, blob: bytes) -> Self:
        """Make what `snapshot` packed again.

        Raises:
            Rejected: it was made by other rules or by another version; says what to do.
        """
        raise NotImplementedError
