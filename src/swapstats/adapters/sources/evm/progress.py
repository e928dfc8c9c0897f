"""How far a collector is, in words and in figures."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from swapstats.adapters.sources.evm.providers import Providers
from swapstats.model.window import format_span
from swapstats.ports.clock import Clock
from swapstats.ports.source import SourceStatus

TROUBLES_MAX: Final = 3
QUIET_MS: Final = 60_000
SECONDS_SHOWN_MS_MAX: Final = 120_000


@dataclass(frozen=True, slots=True)
class ChainFigures:
    """How a collector of a chain does.

    Attributes:
        reorgs: since the start.
        deepest: blocks that the deepest of them took back.
        blocks_left: blocks that are known to be there and not read yet.
        quiet_ms: how long there has been no new block.
        refused: logs with the topic of a swap that are none, by reason, as often as they were read.
    """

    reorgs: int
    deepest: int
    blocks_left: int
    quiet_ms: int
    refused: Mapping[str, int]


class Progress:
    """What an EVM source tells people.

    Args:
        chain: name of the chain.
        clock: monotonic clock.

    Attributes:
        refused: counted by those who read logs; see `ChainFigures`.
    """

    def __init__(self, chain: str, clock: Clock) -> None:
        self.refused: Counter[str] = Counter()
        self._chain = chain
        self._clock = clock
        self._providers: Providers | None = None
        self._state = "connecting"
        self._detail = "not started yet"
        self._news_ms = clock.monotonic_ms()
        self._from = self._to = 0
        self._from_ms = 0
        self._reorgs = 0
        self._deepest = 0
        self._left = 0

    def watch(self, providers: Providers) -> None:
        """Tell their troubles as well."""
        self._providers = providers
        self._detail = "asking for the head"

    def quiet_ms(self) -> int:
        """How long there has been no new block."""
        return self._clock.monotonic_ms() - self._news_ms

    def catching_up(self, head: int, target: int) -> None:
        """A backfill from `head` to `target` begins."""
        self._from, self._to = head, target
        self._from_ms = self._clock.monotonic_ms()
        self.caught_up(head)

    def caught_up(self, head: int) -> None:
        """A backfill has come to `head`."""
        self._news_ms = now_ms = self._clock.monotonic_ms()
        self._left = max(0, self._to - head)
        done, total = head - self._from, max(1, self._to - self._from)
        left = ""
        if 0 < done < total:
            left_ms = (now_ms - self._from_ms) * (total - done) // done
            unit_ms = 60_000 if left_ms > SECONDS_SHOWN_MS_MAX else 1_000
            left = f", about {format_span(-(-left_ms // unit_ms) * unit_ms)} left"
        self._state = "live"
        self._detail = (
            f"reading the past, block {head} of {self._to} ({100 * done // total} %{left})"
        )

    def reorged(self, dropped: int) -> None:
        """So many blocks are taken back."""
        self._reorgs += 1
        self._deepest = max(self._deepest, dropped)

    def advanced(self, head: int, left: int) -> None:
        """Blocks up to `head` were added; `left` more wait."""
        self._news_ms = self._clock.monotonic_ms()
        self._left = left
        self._state = "live"
        self._detail = f"block {head}" + (f", {left} more to read" if left else "")

    def looked(self, *, is_known: bool) -> None:
        """Nothing new; `is_known` if a node said so, otherwise none answered."""
        if is_known:
            self._state = "live"
        elif self._state == "live":
            self._state = "waiting"

    def failed(self, why: str) -> None:
        """It cannot go on."""
        self._state, self._detail = "failed", why

    def figures(self) -> ChainFigures:
        """Put it in figures."""
        return ChainFigures(
            self._reorgs, self._deepest, self._left, self.quiet_ms(), dict(self.refused)
        )

    def status(self) -> SourceStatus:
        """Put it in words."""
        detail = f"{self._chain}: {self._detail}"
        if self._state == "live" and self.quiet_ms() >= QUIET_MS:
            minutes_ms = self.quiet_ms() // QUIET_MS * QUIET_MS
            detail += f", no new block for {format_span(minutes_ms)}"
        if self._reorgs and self._state != "failed":
            detail += f"; {self._reorgs} reorgs, {self._deepest} blocks at most"
        troubles = self._providers.troubles() if self._providers is not None else []
        if troubles and self._state != "failed":
            detail += "; " + "; ".join(troubles[:TROUBLES_MAX])
        return SourceStatus(self._state, detail)
