"""Where swaps and raw events come from."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol

from swapstats.model.record import MessageBlock

NO_NOTES: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SourceBatch:
    """Messages from one source, with the position after them.

    Attributes:
        block: messages, wire v1 or raw events; may be empty.
        position: opaque text; given back to `open` it resumes right after these messages.
        notes: more to remember, by key, kept with the position; None forgets a key. For what is too
            much to be written again with each batch. On a log without transactions the
            messages of a batch may be there although its position and notes are not: what must
            be known by then is sent ahead, in an empty batch.
    """

    block: MessageBlock
    position: str
    notes: Mapping[str, str | None] = field(default_factory=dict)


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
    """A stream of wire v1 messages, or of raw events, that can be resumed."""

    @property
    def name(self) -> str:
        """Stable name: positions in the log are kept under it."""
        ...

    def open(
        self, position: str | None, notes: Mapping[str, str] = NO_NOTES
    ) -> AsyncIterator[SourceBatch]:
        """Stream batches from after `position` on (None = from the start).

        A batch is in the log for good once the next one is asked for.

        Args:
            position: of the last batch that was written.
            notes: everything it has noted and not forgotten.

        Raises:
            Rejected: the position does not fit this source any more.
        """
        ...

    def status(self) -> SourceStatus:
        """Report the present state."""
        ...
