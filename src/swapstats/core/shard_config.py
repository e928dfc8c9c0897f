"""What shapes a shard, and whether a checkpoint fits it."""

from dataclasses import dataclass

from swapstats.core.hash_key import HashKey
from swapstats.errors import KeyMismatch, SettingsMismatch
from swapstats.model.checkpoint import CheckpointHeader
from swapstats.model.window import WindowSpec, format_span


@dataclass(frozen=True, slots=True)
class ShardConfig:
    """What shapes a shard's state and decisions.

    Attributes:
        partition: number of the log partition.
        spec: step and windows.
        key: hash key.
        grace_ms: how far behind the newest event an add may be before it is late.
        late: `apply`, `drop` or `divert`.
        max_ahead_ms: how far event_time may be ahead of the append time; None = no bound.
        event_clock: True if T follows event times (replay), False for the wall clock.
        tokens_max: with more tokens than this, those that no window can count are forgotten.
    """

    partition: int
    spec: WindowSpec
    key: HashKey
    grace_ms: int = 120_000
    late: str = "apply"
    max_ahead_ms: int | None = 3_600_000
    event_clock: bool = False
    tokens_max: int = 1_000_000

    @property
    def refuses_late(self) -> bool:
        """True if late adds are not applied."""
        return self.late != "apply"

    @property
    def clock(self) -> str:
        """`event` or `wall`."""
        return "event" if self.event_clock else "wall"


def expect_fit(config: ShardConfig, header: CheckpointHeader) -> None:
    """Refuse a checkpoint that these settings cannot go on from."""
    if header.key_id != config.key.key_id:
        raise KeyMismatch(
            f"Expected a checkpoint made with hash key {config.key.key_id}, was {header.key_id}: "
            "restore the key file, or start with --rebuild"
        )
    if header.step_ms != config.spec.step_ms or header.clock != config.clock:
        raise SettingsMismatch(
            f"Expected a checkpoint of step {format_span(config.spec.step_ms)} by the "
            f"{config.clock} clock, was {format_span(header.step_ms)} by the {header.clock} "
            "clock: give those settings, or start with --rebuild"
        )
    if max(header.widths_ms) < config.spec.widest_ms:
        raise SettingsMismatch(
            f"Expected a checkpoint that holds {format_span(config.spec.widest_ms)}, was "
            f"{format_span(max(header.widths_ms))}: start with --rebuild to read the log again"
        )
