"""Tables that a producer keeps, read in pieces, and where the rows go that are no swap."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row that its reader could not take apart.

    Attributes:
        reason: one word.
        detail: what was expected and what it was.
        text: the row as it stood there.
    """

    reason: str
    detail: str
    text: str


Row = Sequence[Any] | UnreadableRow
"""Values in the order of the columns asked for: text, int, Decimal, float, bool, bytes, datetime or
None; or what could not be read."""


@dataclass(frozen=True, slots=True)
class TableChunk:
    """Some rows.

    Attributes:
        rows: the rows.
        first_number: number of the first one in reading order, from 1.
        place: opaque text; given back to `chunks` it goes on at the row after these, or some rows
            earlier, never later. "" = it cannot go on, only begin again.
        passed_over: rows before the bound in time that were not read, only counted.
    """

    rows: list[Row]
    first_number: int
    place: str
    passed_over: int = 0


@dataclass(frozen=True, slots=True)
class TableProgress:
    """How far a table was read.

    Attributes:
        done: of `total`, in a unit of its own.
        total: 0 if unknown.
    """

    done: int
    total: int


class Table(Protocol):
    """Something with columns and rows; used by one thread at a time."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns."""
        ...

    @property
    def identity(self) -> str:
        """What a place belongs to: another text for a file that was changed; no secret."""
        ...

    def chunks(self, columns: Sequence[str], place: str) -> Generator[TableChunk, None, None]:
        """Read rows, a bounded number at a time.

        Args:
            columns: which, in which order.
            place: of the last chunk that was taken; "" = from the beginning.

        Raises:
            Rejected: it cannot be read (further); what came before was given.
            Transient: its server cannot be reached now.
        """
        ...

    def progress(self) -> TableProgress:
        """Say how far it was read."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...


@dataclass(frozen=True, slots=True)
class KeptRow:
    """A refused row.

    Attributes:
        number: in reading order, from 1.
        reason: a reason of wire v1, or the reader's.
        detail: what was expected and what it was.
        row: what there was: values by column, or the text.
    """

    number: int
    reason: str
    detail: str
    row: dict[str, str] | str


class KeptRows(Protocol):
    """Where refused rows are kept."""

    def cut(self, size: int) -> None:
        """Forget what was put after it had this size."""
        ...

    def put(self, rows: Sequence[KeptRow]) -> int:
        """Keep rows for good; returns the size with them.

        Raises:
            StoreError: they cannot be written.
        """
        ...
