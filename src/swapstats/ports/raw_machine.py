"""What the preprocessor's loop moves forward: the pure rules, by the verbs the loop needs."""

from collections.abc import Callable
from typing import Protocol

from swapstats.model.preprocessed import Preprocessed
from swapstats.model.record import RecordBatch


class Machine(Protocol):
    """A pure state machine over one partition of the raw log; see `core.preprocess`."""

    def apply(self, batch: RecordBatch) -> Preprocessed:
        """Take records in log order."""
        ...

    def snapshot(self) -> bytes:
        """The state, from which a machine with the same rules goes on."""
        ...


MakeMachine = Callable[[bytes | None], Machine]
"""Makes a machine from a snapshot, or a new one; raises Rejected if the snapshot does not fit."""
