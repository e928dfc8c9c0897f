"""Who writes values in place of others, where several may believe that it is their turn."""

from dataclasses import dataclass
from typing import Final

EPOCH_ZERO_S: Final = 1_704_067_200
"""Where epochs that count time begin: 2024, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Writer:
    """One owner of one partition; the one with the higher epoch is the newer one.

    Attributes:
        name: of what it owns, such as `raw-events/0`: the same for every owner of it.
        epoch: ownership number.
    """

    name: str
    epoch: int

    def refused(self, newer_epoch: int, where: str) -> str:
        """Say that a newer owner has written already."""
        return (
            f"Expected epoch {newer_epoch} or a later one of {self.name} in {where}, was "
            f"{self.epoch}: another process took over; if there is none, an older copy of the "
            f"preprocessor's state came back: delete {self.name} from {where}, or start with "
            f"--rebuild where it is a file"
        )
