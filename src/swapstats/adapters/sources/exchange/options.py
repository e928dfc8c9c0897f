"""Bounds and spans of a source of an exchange, as plain values."""

from dataclasses import dataclass, field

from swapstats.adapters.sources.exchange.pulse import SilenceBounds
from swapstats.adapters.sources.exchange.track import WAITING_TRADES_MAX


@dataclass(frozen=True, slots=True)
class Options:
    """Bounds and spans.

    Attributes:
        silence: how long a market may be silent before history is asked whether it is.
        lifetime_ms: age at which a connection is replaced; 0 = the venue's.
        overlap_ms_max: how long a connection may take to bring something before the one it
            replaces is closed all the same.
        connect_ms_max: how long connecting may take.
        backoff_ms_min: first wait after a failure.
        backoff_ms_max: longest wait.
        gap_patience_ms: how long trades that are missing may still come by themselves.
        backfill_ms_max: how long history is asked for a gap before it becomes a hole.
        backfill_trades_max: how many trades of a market are asked for at most.
        backfills_max: gaps that are filled at the same time.
        queue_frames_max: frames that may wait to be taken; one more ends its connection.
        queue_bytes_max: bytes of frames that may wait to be taken, likewise.
        waiting_trades_max: trades of a market that may wait for missing ones.
        ready_trades_max: trades of history that may wait to be taken.
        batch_ms: connections rest so long after each read, and what comes meanwhile is one batch:
            a wake-up and a batch cost many times what a trade does. No trade waits longer than
            this, and one that comes after a quiet time does not wait at all.
    """

    silence: SilenceBounds = field(default_factory=SilenceBounds)
    lifetime_ms: int = 0
    overlap_ms_max: int = 10_000
    connect_ms_max: int = 10_000
    backoff_ms_min: int = 250
    backoff_ms_max: int = 30_000
    gap_patience_ms: int = 250
    backfill_ms_max: int = 300_000
    backfill_trades_max: int = 100_000
    backfills_max: int = 4
    queue_frames_max: int = 100_000
    queue_bytes_max: int = 1 << 26
    waiting_trades_max: int = WAITING_TRADES_MAX
    ready_trades_max: int = 20_000
    batch_ms: int = 100
