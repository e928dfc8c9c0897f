"""Swaps piped in: `producer | swapstats run --source stdin`.

Unlike a replay it never skips: what a restarted process reads is another stream, and what the
producer repeats is a duplicate like any other.
"""

from collections.abc import AsyncIterator, Mapping

from swapstats.adapters.sources.ndjson import NdjsonSource
from swapstats.ports.clock import Clock
from swapstats.ports.source import NO_NOTES, SourceBatch, SourceStatus


class StandardInput:
    """Messages of the standard input, one a line, as they come.

    Args:
        clock: wall and monotonic time.
        lines: where lines come from; the standard input by default.
    """

    def __init__(self, clock: Clock, lines: NdjsonSource | None = None) -> None:
        self._lines = lines or NdjsonSource(["-"], clock, name="stdin")

    @property
    def name(self) -> str:
        """Stable name: positions in the log are kept under it."""
        return self._lines.name

    def open(
        self,
        position: str | None,  # noqa: ARG002 - see above
        notes: Mapping[str, str] = NO_NOTES,  # noqa: ARG002 - the port's
    ) -> AsyncIterator[SourceBatch]:
        """Stream what comes, from now on."""
        return self._lines.open(None)

    def status(self) -> SourceStatus:
        """Report whether lines come or the other end has closed."""
        return self._lines.status()
