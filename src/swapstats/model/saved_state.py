"""A state machine's state as its store keeps it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SavedState:
    """State and log position in one write.

    Attributes:
        epoch: ownership number under which it was written.
        next_offset: the state holds exactly the records before it.
        blob: the state; only its machine can read it.
    """

    epoch: int
    next_offset: int
    blob: bytes
