"""Every span of a stateless API process in one frozen value; wiring fills it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReplicaOptions:
    """How often the hot store is looked at.

    Attributes:
        look_ms: each partition is looked at this often.
        wake_gap_ms: least time between two looks at a partition, however often it is woken.
        retry_first_ms: pause after a look that failed; doubled after each further one.
        retry_ms_max: longest pause.
    """

    look_ms: int = 100
    wake_gap_ms: int = 20
    retry_first_ms: int = 100
    retry_ms_max: int = 2_000
