"""All roles of one process on real servers: ingest, collect, preprocess, aggregate and serve.

Each is what it is by itself: between them stand the log, Redis and NATS, and any of them may run in
further processes as well. What ends one of them ends the process.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from swapstats.observability.logs import Logs
from swapstats.observability.metrics import Metrics
from swapstats.observability.profile import ProfileServer
from swapstats.roles.aggregator.thread import set_from_thread
from swapstats.settings import Settings
from swapstats.wiring.aggregate import AggregateService
from swapstats.wiring.ingest import IngestService
from swapstats.wiring.preprocess import PreprocessService
from swapstats.wiring.serve import ServeService
from swapstats.wiring.service import RunFlags
from swapstats.wiring.sources import NamedSources

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger


class ServersService:
    """One process of everything, on the servers of the configuration.

    Args:
        settings: the effective settings.
        flags: what this start asks for.
        logs: where lines go.
        on_settled: called on the loop when it serves for the first time.
    """

    def __init__(
        self,
        settings: Settings,
        flags: RunFlags,
        logs: Logs,
        on_settled: Callable[[], None] = lambda: None,
    ) -> None:
        self._log: BoundLogger = logs.logger("run")
        self._pprof = settings.metrics.pprof
        metrics = Metrics()
        # The metrics of all roles, and the aggregator's health, are served by the aggregator.
        quiet = replace(settings, metrics=replace(settings.metrics, prometheus=None, pprof=None))
        self._aggregate = AggregateService(settings, flags, logs, metrics)
        self._serve = ServeService(quiet, logs, on_settled, metrics)
        self._ingest = IngestService(quiet, logs, metrics)
        self._collect = IngestService(quiet, logs, metrics, is_raw=True)
        self._preprocess = partial(PreprocessService, quiet, flags, logs, metrics)

    async def run(
        self,
        sources: NamedSources,
        notes: list[str],
        stop: asyncio.Event,
        on_started: Callable[[int], None],
    ) -> None:
        """Live until `stop` is set or a role ends; sources that have ended end nothing.

        Args:
            sources: what is written into the logs; may be none.
            notes: sentences for people, shown as warnings.
            stop: set it to end gracefully.
            on_started: called with the API's port once it listens.

        Raises:
            SwapstatsError: what made a role fail.
        """
        profiles = None if self._pprof is None else ProfileServer(str(self._pprof))
        threads = [_InThread(self._aggregate, "aggregate")]
        if sources.raw:
            threads.append(_InThread(self._preprocess(), "preprocess"))
        for thread in threads:
            thread.start(stop)
        tasks = [asyncio.create_task(self._serve.run(notes, stop, on_started))]
        if sources.finished:
            tasks.append(
                asyncio.create_task(self._ingest.run(sources.finished, stop, lambda: None))
            )
        if sources.raw:
            tasks.append(asyncio.create_task(self._collect.run(sources.raw, stop, lambda: None)))
        waiting = asyncio.create_task(stop.wait())
        try:
            pending: set[asyncio.Task[object]] = {waiting, *tasks}
            while not waiting.done() and tasks[0] in pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            stop.set()
            for thread in threads:
                thread.stop()
            await asyncio.gather(*tasks, waiting, return_exceptions=True)
            failures = [await asyncio.to_thread(thread.join) for thread in threads]
            if profiles is not None:
                profiles.close()
        for failure in failures:
            if failure is not None:
                raise failure
        for task in tasks:
            task.result()


class _InThread:
    """A role in a thread of its own."""

    def __init__(self, service: AggregateService | PreprocessService, name: str) -> None:
        self._service = service
        self._name = name
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None

    def start(self, ended: asyncio.Event) -> None:
        """Begin; `ended`, of the running loop, is set when it ends, however it ends."""
        tell = partial(set_from_thread, asyncio.get_running_loop(), ended)
        self._thread = threading.Thread(target=self._work, args=(tell,), name=self._name)
        self._thread.start()

    def stop(self) -> None:
        """End in good order."""
        self._stop.set()

    def join(self) -> BaseException | None:
        """Wait for the end; what made it fail, None if nothing did."""
        if self._thread is not None:
            self._thread.join()
        return self._failure

    def _work(self, on_end: Callable[[], None]) -> None:
        try:
            self._service.run(self._stop)
        except BaseException as error:  # noqa: BLE001 - the top of the thread: raised by `join`
            self._failure = error
        finally:
            on_end()
