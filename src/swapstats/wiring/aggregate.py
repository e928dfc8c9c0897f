"""One aggregator of a group: the broker's partitions, Redis and NATS behind them."""

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from swapstats import __version__
from swapstats.adapters.nats.publisher import NatsTokenPublisher
from swapstats.adapters.redis.cluster_facts import RedisClusterFacts
from swapstats.adapters.redis.hot_store import RedisHotStore
from swapstats.adapters.system_clock import SystemClock
from swapstats.core.hash_key import HashKey
from swapstats.errors import Transient
from swapstats.observability.logs import Logs
from swapstats.observability.metrics import Metrics
from swapstats.observability.metrics_server import MetricsServer
from swapstats.observability.stream_figures import StreamFigures
from swapstats.ports.swap_subscription import PartitionOwner, SwapSubscription
from swapstats.roles.aggregator.known_pairs import KnownPairs
from swapstats.roles.aggregator.options import AggregatorOptions
from swapstats.roles.aggregator.publisher import ShardPublisher
from swapstats.roles.aggregator.run import Aggregator
from swapstats.roles.guarded import (
    GuardedCheckpoints,
    GuardedHotStore,
    GuardedLetters,
    GuardedPairs,
)
from swapstats.roles.held_subscription import HeldSubscription
from swapstats.roles.patient_letters import PatientLetters, SavedAfterLetters
from swapstats.roles.service_time import ServiceTime
from swapstats.settings import Settings
from swapstats.warm import warm
from swapstats.wiring.aggregate_health import AggregateHealth
from swapstats.wiring.archiving import group_archiver
from swapstats.wiring.brokers import (
    checkpoint_store,
    first_start,
    nats_servers,
    pair_memory,
    redis_url,
)
from swapstats.wiring.embedded import shard_rules
from swapstats.wiring.guards import Guards
from swapstats.wiring.service import RunFlags
from swapstats.wiring.transport import transport

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

_LOOK_S: Final = 1.0


class AggregateService:
    """One process that aggregates the partitions its group gives it.

    Args:
        settings: the effective settings.
        flags: what this start asks for.
        logs: where lines go.
        metrics: shared with other roles of the process; None = its own.
    """

    def __init__(
        self, settings: Settings, flags: RunFlags, logs: Logs, metrics: Metrics | None = None
    ) -> None:
        self._settings = settings
        self._flags = flags
        self._log: BoundLogger = logs.logger("aggregate")
        self._clock = SystemClock()
        self._time = ServiceTime(self._clock, settings.app.clock_jump_ms)
        self._metrics = metrics or Metrics()
        self._guards = Guards(settings, self._clock, self._log)
        self._feed: NatsTokenPublisher | None = None
        self._transport = transport(settings)
        self._held: HeldSubscription | None = None
        self._pairs = KnownPairs()

    def run(self, stop: threading.Event) -> None:
        """Live until `stop` is set; a start waits for servers that are away.

        Raises:
            SwapstatsError: what made it fail.
        """
        warm()  # a spare one takes over in an instant, not after loading its kernels
        waits = ""
        while not stop.is_set():
            with contextlib.ExitStack() as opened:
                try:
                    aggregator, publisher, health = self._open_all(opened)
                except Transient as error:
                    waits = self._tell_wait(waits, str(error))
                    stop.wait(_LOOK_S)
                    continue
                self._live(aggregator, publisher, health, stop)
        self._log.info("stopped")

    def _tell_wait(self, told: str, said: str) -> str:
        """Tell what a start waits for, once; returns it."""
        if said != told:
            self._log.warning("waiting for servers", error=said)
        return said

    def _open_all(
        self, opened: contextlib.ExitStack
    ) -> tuple[Aggregator, ShardPublisher, AggregateHealth]:
        """Open everything.

        Raises:
            Transient: a server is away; what was opened is released by the stack.
        """
        self._guards = Guards(self._settings, self._clock, self._log)
        key = self._agree(opened)
        self._transport.prepare()
        publisher, letters = self._publisher(opened), self._letters(opened)
        aggregator = self._open(opened, key, publisher, letters)
        opened.callback(aggregator.leave)
        health = self._health(aggregator, publisher, letters)
        if self._settings.metrics.prometheus is not None:
            address = str(self._settings.metrics.prometheus)
            server = MetricsServer(self._metrics.registry, address, health.pages)
            opened.callback(server.close)
            self._log.info("metrics", address=server.address)
        self._log.info("started", version=__version__, group=self._settings.ingest.group_id)
        return aggregator, publisher, health

    def _live(
        self,
        aggregator: Aggregator,
        publisher: ShardPublisher,
        health: AggregateHealth,
        stop: threading.Event,
    ) -> None:
        ended = threading.Event()
        watch = threading.Thread(
            target=self._watch,
            args=(aggregator, publisher, health, ended),
            name="watch",
            daemon=True,
        )
        watch.start()
        try:
            aggregator.run(stop)
        finally:
            ended.set()
            watch.join()

    def _watch(
        self,
        aggregator: Aggregator,
        publisher: ShardPublisher,
        health: AggregateHealth,
        ended: threading.Event,
    ) -> None:
        """Once a second: say what changed of partitions, readiness and trouble."""
        told: tuple[list[int], bool, str] = ([], False, "")
        while not ended.wait(_LOOK_S):
            status = aggregator.status
            partitions = [place.partition for place in status.places]
            trouble = aggregator.problem or publisher.problem or self._pairs.problem
            now = (partitions, status.ready, trouble)
            health.look()
            if now[0] != told[0]:
                self._log.info("partitions", owned=partitions)
            if now[1] != told[1]:
                self._log.info("ready" if status.ready else "not ready", phase=status.phase)
            if now[2] and now[2] != told[2]:
                self._log.warning("trouble", reason=now[2])
            if told[2] and not now[2]:
                self._log.info("trouble is over")
            told = now

    def _health(
        self, aggregator: Aggregator, publisher: ShardPublisher, letters: PatientLetters
    ) -> AggregateHealth:
        feed = self._feed
        return AggregateHealth(
            lambda: aggregator.status,
            lambda: aggregator.stale_saves,
            lambda: aggregator.archiving.stale_notes,
            publisher,
            letters,
            self._guards,
            self._time,
            self._clock,
            self._metrics,
            self._settings.observability.no_progress_ms,
            self._waits_for,
            lambda: (0, 0) if feed is None else (feed.sent, feed.dropped),
            lambda: self._pairs.passed_over,
        )

    def _waits_for(self) -> str:
        return "" if self._held is None else self._held.waits_for

    def _open(
        self,
        opened: contextlib.ExitStack,
        key: HashKey,
        publisher: ShardPublisher,
        letters: PatientLetters,
    ) -> Aggregator:
        settings = self._settings
        checkpoints = opened.enter_context(contextlib.closing(checkpoint_store(settings)))
        guarded = GuardedCheckpoints(checkpoints, self._guards.breaker("checkpoints"))
        store = SavedAfterLetters(guarded, letters)
        memory = pair_memory(settings)
        if memory is not None:
            opened.callback(memory.close)
            self._pairs = KnownPairs(GuardedPairs(memory, self._guards.breaker("pairs")))
        archiver = group_archiver(
            opened,
            settings,
            self._transport.open_reader,
            self._clock,
            self._metrics,
            self._guards,
            self._log,
        )
        partitions = settings.ingest.topic_cfg.partitions
        rules = shard_rules(settings)

        def subscribe(owner: PartitionOwner) -> SwapSubscription:
            held = HeldSubscription(self._transport.subscribe(owner), lambda: letters.has_room)
            self._guards.link("log", lambda: not held.is_away)
            self._held = held
            return held

        return Aggregator(
            lambda partition: rules.shard_config(partition, key, partitions),
            subscribe,
            store,
            letters,
            publisher,
            StreamFigures(self._metrics),
            self._time.now_ms,
            AggregatorOptions(
                chunk_bytes_max=settings.ingest.read_bytes_max,
                snapshot_interval_ms=settings.app.snapshot_interval_ms,
                accept_gap=self._flags.accept_gap,
                from_end=first_start(settings) == "latest",
                rebuild=self._flags.rebuild,
            ),
            archiver=archiver,
            pairs=self._pairs,
            on_restored=self._time.go_on_from,
        )

    def _agree(self, opened: contextlib.ExitStack) -> HashKey:
        """Agree with all other processes on partitions and windows; returns the hash key."""
        settings = self._settings
        facts = opened.enter_context(
            contextlib.closing(RedisClusterFacts(redis_url(settings), settings.stores.redis.prefix))
        )
        facts.agree(
            {
                "partitions": settings.ingest.topic_cfg.partitions,
                "step_ms": settings.windows.step_ms,
                "widths_ms": list(settings.windows.widths_ms),
            }
        )
        facts.origin()
        return HashKey.of(facts.hash_key())

    def _letters(self, opened: contextlib.ExitStack) -> PatientLetters:
        """Make what carries dead letters to their topic, and start it."""
        store = opened.enter_context(contextlib.closing(self._transport.open_letters()))
        letters = PatientLetters(GuardedLetters(store, self._guards.breaker("dead letters")))
        letters.start()
        opened.callback(letters.close)
        return letters

    def _publisher(self, opened: contextlib.ExitStack) -> ShardPublisher:
        """Make what carries statistics to the hot store and to NATS, and start it."""
        settings = self._settings
        hot = opened.enter_context(
            contextlib.closing(RedisHotStore(redis_url(settings), settings.stores.redis.prefix))
        )
        put_took = self._metrics.hot_store_put_latency_ms.observe
        store = GuardedHotStore(hot, self._guards.breaker("hot store"), put_took)
        servers = nats_servers(settings)
        if servers:
            self._feed = feed = NatsTokenPublisher(servers)
            self._guards.link("nats", lambda: feed.is_connected, lambda: feed.dropped)
        publisher = ShardPublisher(store, self._feed, self._clock)
        publisher.start()
        opened.callback(publisher.close)
        return publisher
