"""What the preprocessor says of itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RawPlace:
    """Where a partition of the raw log stands.

    Attributes:
        partition: of the raw log.
        next_offset: next record to be taken.
        end_offset: offset the next record of the raw log will get.
        lag_ms: age of the oldest record not taken; 0 at the end.
    """

    partition: int
    next_offset: int
    end_offset: int
    lag_ms: int


@dataclass(frozen=True, slots=True)
class PreprocessStatus:
    """Where everything stands; replaced as a whole at every turn.

    Attributes:
        places: of each partition owned.
        problem: what keeps it from reading, writing or saving now; empty if all is well.
        turns: rounds made so far, so that a standstill can be told.
    """

    places: tuple[RawPlace, ...] = ()
    problem: str = ""
    turns: int = 0

    @property
    def lag_ms(self) -> int:
        """The largest lag of all partitions."""
        return max((place.lag_ms for place in self.places), default=0)

    @property
    def unread(self) -> int:
        """Records not taken yet."""
        return sum(place.end_offset - place.next_offset for place in self.places)
