"""Where swaps come from."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from swapstats.model.record import MessageBlock


@dataclass(frozen=True, slots=True)
class SourceBatch:
    """Messages from one source, with the position after them.

    Attributes:
        block: wire v1 messages.
        position: opaque text; given back to `open` it resumes right after these messages.
    """

    block: MessageBlock
    position: str


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """What a source tells people.

    Attributes:
        state: `connecting`, `live`, `waiting`, `done` or `failed`.
        detail: one sentence for people.
        done_bytes: progress, for sources that end; 0 otherwise.
        total_bytes: size, for sources that end; 0 if unknown.
    """

    state: str
    detail: str
    done_bytes: int = 0
    total_bytes: int = 0


class Source(Protocol):
    """A stream of wire v1 messages that can be resumed."""

    @property
    def name(self) -> str:
        """Stable name: positions in the log are kept under it."""
        ...

    def open(self, position: str | None) -> AsyncIterator[SourceBatch]:
        """Stream batches from after `position` on (None = from the start).

        Raises:
            Rejected: the position does not fit this source any more.
        """
        ...

    def status(self) -> SourceStatus:
        """Report the present state."""
        ...
