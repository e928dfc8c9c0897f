"""Sources into a log on brokers: `swapstats ingest`, and `swapstats collect` for raw events.

Nothing is aggregated here. While the brokers are away, sources wait; what was taken from them is
written when the brokers are back, at most twice.
"""

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from swapstats import __version__
from swapstats.adapters.system_clock import SystemClock
from swapstats.core.raw_placing import place_raw_events
from swapstats.errors import Rejected, StoreFull, Transient
from swapstats.model.record import MessageBlock, RecordBatch
from swapstats.observability.health_pages import health_pages
from swapstats.observability.logs import Logs
from swapstats.observability.metrics import Metrics
from swapstats.observability.role_figures import RoleFigures
from swapstats.observability.stream_figures import StreamFigures
from swapstats.ports.source import Source
from swapstats.ports.swap_log import SwapLog
from swapstats.roles.ingest import Ingest, by_token
from swapstats.roles.ingest_state import IngestWatch
from swapstats.settings import Settings
from swapstats.wiring.brokers import PLACING_KEY
from swapstats.wiring.listening import observability_servers
from swapstats.wiring.source_states import note_sources, with_sources
from swapstats.wiring.transport import raw_transport, transport

DELIVERY_MS: Final = 10_000
"""How long a record waits for its acknowledgement before trouble is told and it is
written again: longer than the election of a leader takes."""

FULL_WAIT_MS: Final = 1_000
"""How long a log without room is left alone."""

ATTEMPT_MS_MAX: Final = 2 * DELIVERY_MS
"""After this the client ends an attempt in any case."""

_LOOK_S: Final = 1.0
_TRIM_EVERY_LOOKS: Final = 30

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger


class PatientLog:
    """A log that writes a block again for as long as its brokers are away.

    Sources that cannot be read twice lose nothing then. A block written again may be there
    already: the windows recognise duplicates.

    Args:
        log: where messages go.
        on_trouble: called from the writer's thread with each failure, and with "" once it is over.
        watch: told about every attempt.
    """

    def __init__(self, log: SwapLog, on_trouble: Callable[[str], None], watch: IngestWatch) -> None:
        self._log = log
        self._on_trouble = on_trouble
        self._watch = watch
        self._given_up = threading.Event()

    @property
    def partition_count(self) -> int:
        """Number of partitions."""
        return self._log.partition_count

    def position(self, source: str) -> str | None:
        """Where a source stood when its last message was appended; None if never."""
        return self._log.position(source)

    def positions(self, prefix: str) -> dict[str, str]:
        """Everything noted under names that begin with `prefix`."""
        return self._log.positions(prefix)

    def append(
        self,
        block: MessageBlock,
        partitions: NDArray[np.int32],
        append_ms: int,
        positions: Mapping[str, str | None],
    ) -> None:
        """Append messages, however long it takes.

        Raises:
            Transient: `give_up` was called meanwhile; the block may be in the log or not.
            StoreFull: it was called while the log had no room.
        """
        is_troubled = False
        while True:
            self._watch.began()
            try:
                self._log.append(block, partitions, append_ms, positions)
            except (Transient, StoreFull) as error:
                is_troubled = True
                self._watch.failed(str(error))
                self._on_trouble(str(error))
                wait_ms = error.retry_after_ms if isinstance(error, Transient) else FULL_WAIT_MS
                if self._given_up.wait(wait_ms / 1_000):
                    raise
            else:
                self._watch.acknowledged()
                if is_troubled:
                    self._on_trouble("")
                return

    def give_up(self) -> None:
        """Let a waiting append fail; the position before it stands."""
        self._given_up.set()

    def start_offsets(self) -> list[int]:
        """First offset still held, by partition."""
        return self._log.start_offsets()

    def end_offsets(self) -> list[int]:
        """Offset the next record will get, by partition."""
        return self._log.end_offsets()

    def read(self, partition: int, offset: int, bytes_max: int) -> RecordBatch | None:
        """Read records; see `SwapLogReader.read`."""
        return self._log.read(partition, offset, bytes_max)

    def trim(self, before_ms: int, bytes_max: int, keep_from: list[int]) -> int:
        """Drop whole old record groups; returns their number."""
        return self._log.trim(before_ms, bytes_max, keep_from)

    def close(self) -> None:
        """Release connections."""
        self._log.close()


class IngestService:
    """One process that writes sources into the log.

    Args:
        settings: the effective settings.
        logs: where lines go.
        metrics: shared with other roles of the process; None = its own.
        is_raw: whether the sources give raw events, for the raw log.
    """

    def __init__(
        self,
        settings: Settings,
        logs: Logs,
        metrics: Metrics | None = None,
        *,
        is_raw: bool = False,
    ) -> None:
        self._settings = settings
        self._role = "collect" if is_raw else "ingest"
        self._log: BoundLogger = logs.logger(self._role)
        self._clock = SystemClock()
        self._metrics = metrics or Metrics()
        self._troubled = False
        self._transport = raw_transport(settings) if is_raw else transport(settings)
        self._place = place_raw_events if is_raw else by_token(PLACING_KEY)
        self._topic = settings.ingest.raw_topic if is_raw else settings.ingest.topic

    async def run(
        self, sources: list[Source], stop: asyncio.Event, on_started: Callable[[], None]
    ) -> None:
        """Live until `stop` is set, all sources have ended, or the log cannot be written.

        Args:
            sources: where swaps come from.
            stop: set it to end gracefully.
            on_started: called once the log is open.

        Raises:
            Rejected: a source could not go on; told after the others have ended.
            Transient: the brokers cannot be reached at the start.
            SwapstatsError: what made it fail.
        """
        settings = self._settings
        with contextlib.ExitStack() as opened:
            watch = self._watch()
            opening = asyncio.to_thread(self._transport.open_log, DELIVERY_MS)
            log = PatientLog(await opening, self._note_trouble, watch)
            opened.callback(log.close)
            pages = health_pages(watch.health, lambda: with_sources(watch.state(), sources))
            for server in observability_servers(settings, self._metrics, self._log, pages):
                opened.callback(server.close)
            ingest = Ingest(
                log,
                self._place,
                self._clock.wall_ms,
                lambda: None,
                StreamFigures(self._metrics),
            )
            opened.callback(ingest.close)
            opened.callback(log.give_up)
            self._metrics.set_ready(self._role, True)
            self._log.info("started", version=__version__, topic=self._topic)
            on_started()
            looking = asyncio.create_task(self._look(watch, log, sources))
            opened.callback(looking.cancel)
            await self._work(ingest, log, sources, stop)
            self._log.info("stopped")

    def _watch(self) -> IngestWatch:
        return IngestWatch(
            self._clock,
            self._settings.observability.no_progress_ms + ATTEMPT_MS_MAX,
            self._metrics.ingest_ack_latency_ms.observe,
        )

    async def _look(self, watch: IngestWatch, log: PatientLog, sources: list[Source]) -> None:
        """Once a second: what waits, and how the log does; now and then: its oldest records."""
        figures = RoleFigures(self._metrics)
        for looks in itertools.count():
            if looks % _TRIM_EVERY_LOOKS == 0:
                await asyncio.to_thread(self._trim, log)
            self._metrics.ingest_unacked_seconds.set(watch.unacked_ms() / 1_000)
            figures.dependencies(watch.state().dependencies)
            note_sources(self._metrics, sources)
            await asyncio.sleep(_LOOK_S)

    def _trim(self, log: PatientLog) -> None:
        """Drop what is older than the log keeps, if that is left to its writer."""
        if self._transport.kept_ms is None:
            return
        before_ms = self._clock.wall_ms() - self._transport.kept_ms
        with contextlib.suppress(Transient):  # the next write says so
            dropped = log.trim(before_ms, 0, log.end_offsets())
            if dropped:
                self._log.info("trimmed", records=dropped)

    async def _work(
        self, ingest: Ingest, log: PatientLog, sources: list[Source], stop: asyncio.Event
    ) -> None:
        refusals: list[Rejected] = []
        pumps = [asyncio.create_task(self._pump(ingest, source, refusals)) for source in sources]
        everything = asyncio.gather(*pumps)
        stopping: asyncio.Task[Any] = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({everything, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if everything.done():
                everything.result()
        finally:
            log.give_up()
            for task in (stopping, *pumps):
                task.cancel()
            await asyncio.gather(stopping, everything, *pumps, return_exceptions=True)
        if refusals:
            raise refusals[0]

    async def _pump(self, ingest: Ingest, source: Source, refusals: list[Rejected]) -> None:
        """Write a source into the log; one that cannot go on does not keep others from it."""
        self._log.info("source", name=source.name)
        try:
            await ingest.pump(source)
        except Rejected as error:
            self._log.error("source failed", name=source.name, error=str(error))
            refusals.append(error)
        else:
            self._log.info("source ended", name=source.name)

    def _note_trouble(self, said: str) -> None:
        """Tell the first failure of a row, and the end of it."""
        if bool(said) == self._troubled:
            return
        self._troubled = bool(said)
        self._metrics.set_ready(self._role, not said)
        if said:
            self._log.warning("waiting for the brokers", error=said)
        else:
            self._log.info("the brokers are back")
