"""What a running service says about itself: values, made by wiring, shown by the API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the process is alive and gets on.

    Attributes:
        healthy: False asks the supervisor for a restart.
        reason: one sentence for people; None when healthy.
    """

    healthy: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the state is restored and may be served.

    Attributes:
        ready: True once answers are whole.
        progress: 0.0 to 1.0 of the restore.
        reason: one sentence for people; None when ready.
        retry_after_ms: when to ask again.
        warning: what is not as it should be although it is ready; None if nothing is.
    """

    ready: bool
    progress: float = 1.0
    reason: str | None = None
    retry_after_ms: int = 1_000
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class DependencyStatus:
    """How something does that a role calls and can do without for a while.

    Attributes:
        name: what people call it.
        state: `closed` (in use), `open` (not called) or `half_open` (tried).
        opens: how often it was given up.
        refused: calls refused because of that.
        reason: the last failure, in one sentence; None while it is closed.
    """

    name: str
    state: Literal["closed", "open", "half_open"]
    opens: int
    refused: int
    reason: str | None

    def members(self) -> dict[str, str | int | None]:
        """Values for JSON, by name."""
        return {
            "name": self.name,
            "state": self.state,
            "reason": self.reason,
            "opens": self.opens,
            "refused": self.refused,
        }


@dataclass(frozen=True, slots=True)
class SourceState:
    """Where the swaps come from, for people.

    Attributes:
        name: the source's name.
        state: `connecting`, `live`, `waiting`, `done` or `failed`.
        detail: one sentence.
    """

    name: str
    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class PartitionState:
    """How far one partition is read.

    Attributes:
        partition: number.
        offset: next offset to be read.
        end_offset: offset the next record will get.
        as_of_ms: the shard's T; 0 = none yet.
        ready: False while it restores or is held back.
    """

    partition: int
    offset: int
    end_offset: int
    as_of_ms: int
    ready: bool


@dataclass(frozen=True, slots=True)
class ServiceState:
    """The whole of `/api/status` that the API cannot know by itself.

    Attributes:
        source: where swaps come from; None if this process reads none.
        partitions: by number.
        counters: totals by `model.effects.COUNTER_NAMES`, and what else is worth showing.
        warnings: sentences for people.
    """

    source: SourceState | None = None
    partitions: tuple[PartitionState, ...] = ()
    counters: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoleState:
    """What `/readyz` of a role without an API says.

    Attributes:
        readiness: whether it does its work.
        phase: what it is at, in a word or two.
        partitions: those it owns, by number.
        dependencies: what it stands on.
        lag_ms: how far it is behind.
    """

    readiness: Readiness
    phase: str
    partitions: tuple[PartitionState, ...] = ()
    dependencies: tuple[DependencyStatus, ...] = ()
    lag_ms: int = 0
