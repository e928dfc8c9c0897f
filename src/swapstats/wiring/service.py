"""The whole service in one process: sources, log, aggregator, API, metrics.

`run` is its life: open, start, wait for the end of any part, stop everything in reverse order.
What is fatal to one part ends the process; a restart is the recovery.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swapstats.adapters.system_clock import SystemClock
from swapstats.core.decode import partition_of_key
from swapstats.core.market import Market
from swapstats.errors import Rejected
from swapstats.model.series import SeriesAnswer
from swapstats.observability.api_figures import ApiFigures
from swapstats.observability.logs import Logs
from swapstats.observability.metrics import Metrics
from swapstats.observability.stream_figures import StreamFigures
from swapstats.ports.source import Source
from swapstats.roles.aggregator.options import AggregatorOptions
from swapstats.roles.aggregator.run import Aggregator
from swapstats.roles.aggregator.thread import AggregatorThread, set_from_thread
from swapstats.roles.api.answers import Sources, no_archive
from swapstats.roles.api.feed import ApiFeed
from swapstats.roles.api.server import ApiServer
from swapstats.roles.archiver import Archiver
from swapstats.roles.ingest import Ingest, by_token
from swapstats.roles.retention import Retention, expect_long_enough, trim
from swapstats.roles.service_state import ServiceWatch
from swapstats.roles.service_time import ServiceTime
from swapstats.settings import Settings
from swapstats.wiring.archiving import ReadStatus, embedded_archiver
from swapstats.wiring.embedded import EmbeddedStores, make_aggregator, shard_rules
from swapstats.wiring.listening import api_options, observability_servers, start_api
from swapstats.wiring.raw_part import RawPart
from swapstats.wiring.source_states import note_sources
from swapstats.wiring.sources import NamedSources

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

CONFIRM_FILE = "confirm-clock"
"""An operator's word that the wall clock is right: a file in the data directory."""
_LOOK_S = 1.0
_TRIM_EVERY_LOOKS = 30
_WARM_LOOKS = 10
"""By then the kernels are loaded, which happens with the first swaps."""
_STOP_GRACE_MS = 3_000


@dataclass(frozen=True, slots=True)
class RunFlags:
    """What one start asks for beyond the settings.

    Attributes:
        rebuild: read the log from its beginning instead of the checkpoints.
        accept_gap: go on where the log begins if it lost the offset to resume from.
    """

    rebuild: bool = False
    accept_gap: bool = False


@dataclass(frozen=True, slots=True)
class _Parts:
    """What one life is made of."""

    stores: EmbeddedStores
    aggregator: Aggregator
    ingest: Ingest
    finished: list[Source]
    raw: RawPart | None
    watch: ServiceWatch

    def pumped(self) -> list[tuple[Ingest, Source]]:
        """Every source, with what writes it."""
        pumped = [(self.ingest, source) for source in self.finished]
        if self.raw is not None:
            pumped += [(self.raw.ingest, source) for source in self.raw.sources]
        return pumped


async def _live(raw: RawPart, restored: asyncio.Event) -> None:
    """Run the preprocessor once the log was held against the checkpoints, until it ends."""
    await restored.wait()
    raw.start()
    await raw.ended.wait()


class Service:
    """One process of everything.

    Args:
        settings: the effective settings.
        flags: what this start asks for.
        logs: where lines go.
        on_settled: called on the loop when the state is back, and once more when what is loaded
            with the first swaps is there: the process holds what it will hold for good.
    """

    def __init__(
        self,
        settings: Settings,
        flags: RunFlags,
        logs: Logs,
        on_settled: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._flags = flags
        self._on_settled = on_settled
        self._log: BoundLogger = logs.logger("service")
        self._clock = SystemClock()
        self._time = ServiceTime(self._clock, settings.app.clock_jump_ms)
        self._metrics = Metrics()
        self._figures = StreamFigures(self._metrics)
        self._feed = ApiFeed()
        self._retention = Retention(settings.log.retention_ms, settings.log.size_bytes_max)

    async def run(
        self,
        sources: NamedSources,
        notes: list[str],
        stop: asyncio.Event,
        on_started: Callable[[int], None],
    ) -> None:
        """Live until `stop` is set or a part fails.

        Args:
            sources: where swaps and raw events come from.
            notes: sentences for people, shown as warnings.
            stop: set it to end gracefully.
            on_started: called with the API's port once it listens.

        Raises:
            SwapstatsError: what made a part fail.
        """
        settings = self._settings
        expect_long_enough(self._retention, settings.windows, settings.app.max_ahead_ms)
        with contextlib.ExitStack() as opened:
            stores = self._open_stores()
            opened.callback(stores.close)
            for server in observability_servers(settings, self._metrics, self._log):
                opened.callback(server.close)
            archiver, read_status = embedded_archiver(
                opened, settings, stores, self._clock, self._metrics, self._log
            )
            aggregator = self._make_aggregator(stores, archiver)
            ingest = Ingest(
                stores.log,
                by_token(stores.key),
                self._time.now_ms,
                aggregator.wake.set,
                self._figures,
            )
            opened.callback(ingest.close)
            watch = ServiceWatch(
                aggregator,
                sources.all,
                self._time,
                self._clock,
                settings.observability.no_progress_ms,
            )
            watch.notes.extend(notes)
            raw = self._open_raw(opened, stores, sources.raw, aggregator)
            parts = _Parts(stores, aggregator, ingest, sources.finished, raw, watch)
            api = self._make_api(aggregator, watch, read_status)
            on_started(await start_api(api, settings))
            try:
                await self._work(parts, api, stop)
            finally:
                await api.stop(_STOP_GRACE_MS)

    async def _work(self, parts: "_Parts", api: ApiServer, stop: asyncio.Event) -> None:
        """Run aggregator and sources until the end of any part that must not end."""
        loop = asyncio.get_running_loop()
        aggregator, raw = parts.aggregator, parts.raw
        ended = asyncio.Event()
        restored = asyncio.Event()
        worker = AggregatorThread(
            aggregator,
            on_restored=partial(set_from_thread, loop, restored),
            on_end=partial(set_from_thread, loop, ended),
        )
        worker.start()
        pumps = [
            asyncio.create_task(self._pump(ingest, source, parts.watch, restored))
            for ingest, source in parts.pumped()
        ]
        vital: list[asyncio.Task[Any]] = [
            asyncio.create_task(stop.wait()),
            asyncio.create_task(ended.wait()),
            asyncio.create_task(api.wait()),
            asyncio.create_task(self._look_after(parts)),
        ]
        if raw is not None:
            vital.append(asyncio.create_task(_live(raw, restored)))
        pending: set[asyncio.Task[Any]] = {*pumps, *vital}
        try:
            while not any(task.done() for task in vital):
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in [*pumps, *vital]:
                task.cancel()
            await asyncio.gather(*pumps, *vital, return_exceptions=True)
            if raw is not None:
                raw.stop()
            worker.stop()
            try:
                if raw is not None:
                    await asyncio.to_thread(raw.join)
            finally:
                await asyncio.to_thread(worker.join)
            self._log.info("stopped", offsets=[p.next_offset for p in aggregator.status.places])

    async def _pump(
        self, ingest: Ingest, source: Source, watch: ServiceWatch, restored: asyncio.Event
    ) -> None:
        """Write a source into the log; one that cannot go on is told, not fatal.

        It begins once the log was held against the checkpoints: new records could hide a gap.
        """
        await restored.wait()
        self._log.info("source", name=source.name)
        try:
            await ingest.pump(source)
            self._log.info("source ended", name=source.name)
        except Rejected as error:
            self._log.error("source failed", name=source.name, error=str(error))
            watch.notes.append(f"{source.name}: {error}")

    async def _look_after(self, parts: "_Parts") -> None:
        """Once a second: health, readiness, the operator's word; now and then: retention."""
        confirm = Path(self._settings.data.dir) / CONFIRM_FILE
        told_ready: str | None = ""
        looks = 0
        while True:
            parts.watch.look()
            readiness = parts.watch.readiness()
            self._metrics.set_ready("run", readiness.ready)
            note_sources(self._metrics, parts.watch.sources)
            self._metrics.clock_held_gauge.set(self._time.held is not None)
            if readiness.reason != told_ready:
                told_ready = readiness.reason
                self._log.info("ready" if readiness.ready else "not ready", reason=told_ready)
                if readiness.ready:
                    self._on_settled()
            if confirm.exists():
                self._time.confirm()
                confirm.unlink(missing_ok=True)
                self._log.info("clock confirmed by the operator")
            looks += 1
            if looks == _WARM_LOOKS:
                self._on_settled()
            if looks % _TRIM_EVERY_LOOKS == 0:
                await parts.ingest.run_on_writer(lambda: self._trim(parts))
            await asyncio.sleep(_LOOK_S)

    def _trim(self, parts: "_Parts") -> None:
        stores, safe_offsets = parts.stores, parts.aggregator.safe_offsets()
        if parts.raw is not None:
            parts.raw.trim()
        dropped = trim(stores.log, self._retention, self._time.now_ms(), safe_offsets)
        letters = stores.dead_letters.trim(self._settings.app.dead_letters_max)
        if dropped or letters:
            self._log.info("trimmed", records=dropped, dead_letters=letters)

    def _open_raw(
        self,
        opened: contextlib.ExitStack,
        stores: EmbeddedStores,
        sources: list[Source],
        aggregator: Aggregator,
    ) -> RawPart | None:
        """Open what is around raw events, if there are any."""
        if not sources and not stores.directory.raw_log_path.exists():
            return None
        return RawPart(
            opened,
            self._settings,
            stores,
            sources,
            self._time.now_ms,
            self._metrics,
            self._log,
            aggregator.wake.set,
            rebuild=self._flags.rebuild,
            accept_gap=self._flags.accept_gap,
        )

    def _open_stores(self) -> EmbeddedStores:
        settings = self._settings
        return EmbeddedStores.open(
            Path(settings.data.dir),
            settings.ingest.topic_cfg.partitions,
            {
                "purpose": "run",
                "partitions": settings.ingest.topic_cfg.partitions,
                "step_ms": settings.app.bucket_step_ms,
            },
            durability=settings.data.durability,
            rebuild=self._flags.rebuild,
        )

    def _make_aggregator(self, stores: EmbeddedStores, archiver: Archiver | None) -> Aggregator:
        settings = self._settings
        return make_aggregator(
            stores,
            shard_rules(settings),
            AggregatorOptions(
                chunk_bytes_max=settings.ingest.read_bytes_max,
                snapshot_interval_ms=settings.app.snapshot_interval_ms,
                accept_gap=self._flags.accept_gap,
                rebuild=self._flags.rebuild,
            ),
            self._time.now_ms,
            self._feed,
            self._figures,
            archiver=archiver,
            # T goes on from the checkpoints.
            on_restored=self._time.go_on_from,
        )

    def _make_api(
        self, aggregator: Aggregator, watch: ServiceWatch, read_status: ReadStatus | None
    ) -> ApiServer:
        settings = self._settings
        partition_count = settings.ingest.topic_cfg.partitions

        async def series(key: str, span_ms: int) -> SeriesAnswer:
            partition = partition_of_key(key, partition_count)
            return await asyncio.wrap_future(aggregator.request_series(key, partition, span_ms))

        return ApiServer(
            api_options(settings),
            # A rebuild counts epochs from 1 again: a stream's name must not come back with them.
            Market(settings.windows, partition_count, origin=secrets.token_hex(8)),
            self._feed,
            Sources(
                watch.health,
                watch.readiness,
                watch.service,
                watch.lag_ms,
                series,
                archive=no_archive
                if read_status is None
                else partial(asyncio.to_thread, read_status),
            ),
            self._clock,
            metrics=ApiFigures(self._metrics),
        )
