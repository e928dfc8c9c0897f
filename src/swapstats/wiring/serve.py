"""A stateless API process: Redis in, HTTP and WebSocket out; any number of them may run.

It owns nothing. Which deployment it serves is agreed on first (`RedisClusterFacts`); then the
replica follows the hot store, and NATS, where there is one, makes changes of watched tokens come
sooner. Token series are held by the owners of shards and are not served here.
"""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from swapstats.adapters.nats.subscriber import NatsTokenSubscriber
from swapstats.adapters.redis.cluster_facts import RedisClusterFacts, expect_shape
from swapstats.adapters.redis.hot_store_reader import RedisHotStoreReader
from swapstats.adapters.system_clock import SystemClock
from swapstats.core.market import Market
from swapstats.core.patch import origin_digest
from swapstats.errors import StoreError, Transient
from swapstats.model.series import SeriesAnswer
from swapstats.observability.api_figures import ApiFigures
from swapstats.observability.logs import Logs
from swapstats.observability.metrics import Metrics
from swapstats.observability.role_figures import RoleFigures
from swapstats.roles.aggregator.thread import set_from_thread
from swapstats.roles.api.answers import Sources
from swapstats.roles.api.feed import ApiFeed
from swapstats.roles.api.problem import Problem
from swapstats.roles.api.server import ApiServer
from swapstats.roles.api.subscriptions import Watched, untold
from swapstats.roles.guarded import GuardedHotStoreReader
from swapstats.roles.serve.hearing import Hearing
from swapstats.roles.serve.replica import Replica
from swapstats.roles.serve.state import ServeWatch
from swapstats.settings import Settings
from swapstats.wiring.brokers import nats_servers, redis_url
from swapstats.wiring.guards import Guards
from swapstats.wiring.listening import api_options, observability_servers, start_api

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

_LOOK_S: Final = 1.0
_STOP_GRACE_MS: Final = 3_000
_REDIS_TIMEOUT_MS: Final = 2_000
"""A Redis that hangs must not keep this process from ending."""
LOOK_MS_MAX: Final = 4 * _REDIS_TIMEOUT_MS
"""A look ends within this in any case: two questions, each may have to connect first."""


class ServeService:
    """One process that serves what aggregators wrote.

    Args:
        settings: the effective settings.
        logs: where lines go.
        on_settled: called on the loop when it is ready for the first time.
        metrics: shared with other roles of the process; None = its own.
    """

    def __init__(
        self,
        settings: Settings,
        logs: Logs,
        on_settled: Callable[[], None] = lambda: None,
        metrics: Metrics | None = None,
    ) -> None:
        self._settings = settings
        self._log: BoundLogger = logs.logger("serve")
        self._on_settled = on_settled
        self._clock = SystemClock()
        self._metrics = metrics or Metrics()
        self._feed = ApiFeed()
        partitions = settings.ingest.topic_cfg.partitions
        self._market = Market(settings.windows, partitions)
        self._shape = {
            "partitions": partitions,
            "step_ms": settings.windows.step_ms,
            "widths_ms": list(settings.windows.widths_ms),
        }
        self._origin = ""

    async def run(
        self, notes: list[str], stop: asyncio.Event, on_started: Callable[[int], None]
    ) -> None:
        """Live until `stop` is set or a part fails.

        Args:
            notes: sentences for people, shown as warnings.
            stop: set it to end gracefully.
            on_started: called with the API's port once it listens.

        Raises:
            SettingsMismatch: the deployment has another shape than these settings.
            StoreError: Redis holds another deployment than the one this process began with.
            SwapstatsError: what made a part fail.
        """
        settings = self._settings
        url, prefix = redis_url(settings), settings.stores.redis.prefix
        with contextlib.ExitStack() as opened:
            facts = RedisClusterFacts(url, prefix, timeout_ms=_REDIS_TIMEOUT_MS)
            opened.callback(facts.close)
            store = RedisHotStoreReader(url, prefix, timeout_ms=_REDIS_TIMEOUT_MS)
            opened.callback(store.close)
            for server in observability_servers(settings, self._metrics, self._log):
                opened.callback(server.close)
            guards = Guards(settings, self._clock, self._log)
            guarded = GuardedHotStoreReader(store, guards.breaker("hot store"))
            replica = Replica(guarded, self._market.partitions, self._feed.publish, self._clock)
            servers = nats_servers(settings)
            hearing = Hearing(NatsTokenSubscriber(servers), replica.wake) if servers else None
            if hearing is not None:
                guards.link("nats", lambda: hearing.is_connected)
            watch = ServeWatch(
                replica,
                self._clock,
                settings.observability.no_progress_ms + LOOK_MS_MAX,
                hearing,
            )
            watch.notes.extend(notes)
            watched = untold if hearing is None else hearing.watched
            api = self._make_api(watch, guards, watched)
            on_started(await start_api(api, settings))
            figures = asyncio.create_task(self._figures(replica, guards))
            opened.callback(figures.cancel)
            try:
                await self._work(facts, replica, hearing, watch, api, stop)
            finally:
                await api.stop(_STOP_GRACE_MS)

    async def _work(
        self,
        facts: RedisClusterFacts,
        replica: Replica,
        hearing: Hearing | None,
        watch: ServeWatch,
        api: ApiServer,
        stop: asyncio.Event,
    ) -> None:
        """Serve until the end of any part that must not end."""
        ended = asyncio.Event()
        vital: list[asyncio.Task[Any]] = [
            asyncio.create_task(stop.wait()),
            asyncio.create_task(ended.wait()),
            asyncio.create_task(api.wait()),
            asyncio.create_task(self._look_after(facts, replica, watch)),
        ]
        if hearing is not None:
            vital.append(asyncio.create_task(hearing.run()))
        begun = asyncio.create_task(self._begin(facts, replica, watch, ended))
        pending: set[asyncio.Task[Any]] = {begun, *vital}
        try:
            while not any(task.done() for task in vital):
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in (begun, *vital):
                task.cancel()
            await asyncio.gather(begun, *vital, return_exceptions=True)
            replica.stop()
            await asyncio.to_thread(replica.join)
            self._log.info("stopped", updates=replica.updates)

    async def _begin(
        self, facts: RedisClusterFacts, replica: Replica, watch: ServeWatch, ended: asyncio.Event
    ) -> None:
        """Wait until it is known which deployment this is, then follow it."""
        while True:
            shape = await self._find_deployment(facts, watch)
            if shape is not None:
                break
            await asyncio.sleep(_LOOK_S)
        kept = {name: shape.get(name) for name in self._shape}
        expect_shape(self._shape, kept, "its `facts` in Redis")
        # The market is empty, so no stream was named yet.
        self._market.origin = origin_digest(self._origin)
        watch.waiting = None
        self._log.info("following", deployment=self._market.origin, **self._shape)
        replica.start(partial(set_from_thread, asyncio.get_running_loop(), ended))

    async def _find_deployment(
        self, facts: RedisClusterFacts, watch: ServeWatch
    ) -> dict[str, Any] | None:
        """Ask for origin and shape; None if Redis does not answer or has no shape yet."""
        try:
            self._origin = await asyncio.to_thread(facts.origin)
            shape = await asyncio.to_thread(facts.shape)
        except Transient as error:
            watch.trouble = str(error)
            return None
        finally:
            watch.asked()
        watch.trouble = None
        watch.waiting = (
            "Expected the partitions and windows of this deployment in Redis, was none: nothing "
            "was written yet; start an aggregator"
        )
        return shape

    async def _look_after(
        self, facts: RedisClusterFacts, replica: Replica, watch: ServeWatch
    ) -> None:
        """Once a second: readiness, figures, and whether Redis still holds our deployment."""
        told_ready: str | None = ""
        is_settled = False
        while True:
            readiness = watch.readiness()
            self._metrics.set_ready("serve", readiness.ready)
            self._metrics.tokens_gauge.set(len(self._market))
            if readiness.reason != told_ready:
                told_ready = readiness.reason
                self._log.info("ready" if readiness.ready else "not ready", reason=told_ready)
            if readiness.ready and not is_settled:
                is_settled = True
                self._on_settled()
            if any(place.went_back for place in replica.places):
                await self._expect_our_deployment(facts)
            await asyncio.sleep(_LOOK_S)

    async def _figures(self, replica: Replica, guards: Guards) -> None:
        """Once a second: looks, and how everything does that this process stands on."""
        figures = RoleFigures(self._metrics)
        while True:
            figures.looks(replica.looks, replica.failed_looks)
            figures.dependencies(guards.status())
            await asyncio.sleep(_LOOK_S)

    async def _expect_our_deployment(self, facts: RedisClusterFacts) -> None:
        """Refuse to go on beside another life of the deployment: its numbers begin anew."""
        try:
            origin = await asyncio.to_thread(facts.origin)
        except Transient:
            return
        if origin != self._origin:
            raise StoreError(
                "Expected the deployment this process began with, was another one in the same "
                "place of Redis (emptied and begun anew?): start again; clients then get "
                "snapshots of the new one"
            )

    def _make_api(self, watch: ServeWatch, guards: Guards, watched: Watched) -> ApiServer:
        return ApiServer(
            api_options(self._settings),
            self._market,
            self._feed,
            Sources(
                watch.health,
                watch.readiness,
                watch.service,
                watch.lag_ms,
                _no_series,
                guards.status,
            ),
            self._clock,
            metrics=ApiFigures(self._metrics),
            watched=watched,
        )


async def _no_series(_key: str, _span_ms: int) -> SeriesAnswer:
    """Refuse: buckets lie with the owner of the shard.

    Raises:
        Problem: always.
    """
    raise Problem(
        "no-series",
        "Expected to hold the buckets of this token, was a process that holds statistics only: "
        "series need the archive, which is not built into `swapstats serve` yet; ask "
        "`swapstats run`",
    )
