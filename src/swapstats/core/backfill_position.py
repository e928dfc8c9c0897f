"""How far a backfill is and what became of its rows: written with the messages, so always true."""

import msgspec


class BackfillPosition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The position of a backfill in the log.

    Attributes:
        input: names source, mapping and bounds; another one is another backfill.
        place: where the table goes on; see `TableChunk`.
        rows: rows looked at; those that come twice after a stop are counted twice.
        written: of these, in the log.
        older: before the lower bound.
        newer: at or after the upper bound.
        refused: by reason.
        first_ms: earliest event_time written; None if nothing was.
        last_ms: latest event_time written.
        kept_bytes: size of the file of refused rows.
        done: whether everything was read.
    """

    input: str
    place: str = ""
    rows: int = 0
    written: int = 0
    older: int = 0
    newer: int = 0
    refused: dict[str, int] = {}
    first_ms: int | None = None
    last_ms: int | None = None
    kept_bytes: int = 0
    done: bool = False

    @property
    def text(self) -> str:
        """The position as the log keeps it."""
        return msgspec.json.encode(self).decode()

    @staticmethod
    def parse(text: str | None) -> "BackfillPosition | None":
        """Read a position; None if there is none, or one of another version."""
        if text is None:
            return None
        try:
            return msgspec.json.decode(text, type=BackfillPosition)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return None

    @property
    def refused_count(self) -> int:
        """Rows refused, for whatever reason."""
        return sum(self.refused.values())
