"""Limits and cadences of the preprocessor."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PreprocessOptions:
    """What the loop goes by.

    Attributes:
        snapshot_interval_ms: time between two saved states.
        wait_ms: how long a turn waits for records.
        drain_ms: how long saving a state waits for what is below it to be stored.
        rebuild: make the state from the raw log again.
        accept_gap: go on although the raw log lost the offset to go on from.
        raw_name: of the raw log: the same for all that may own its partitions, and no other log's.
    """

    snapshot_interval_ms: int = 5_000
    wait_ms: int = 100
    drain_ms: int = 2_000
    rebuild: bool = False
    accept_gap: bool = False
    raw_name: str = "raw"
