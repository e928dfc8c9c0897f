"""One preprocessor of a group: the raw log's partitions, the swap log, Redis and Postgres."""

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from swapstats import __version__
from swapstats.adapters.redis.states import RedisStateStore
from swapstats.adapters.redis.token_prices import RedisTokenPrices
from swapstats.adapters.system_clock import SystemClock
from swapstats.errors import SwapstatsError, Transient
from swapstats.observability.health_pages import health_pages
from swapstats.observability.logs import Logs
from swapstats.observability.metrics import Metrics
from swapstats.observability.raw_figures import RawFigures
from swapstats.observability.role_figures import RoleFigures
from swapstats.ports.candles import CandleStore
from swapstats.ports.swap_subscription import PartitionOwner, SwapSubscription
from swapstats.roles.guarded import GuardedLetters
from swapstats.roles.held_subscription import HeldSubscription
from swapstats.roles.ingest import by_token
from swapstats.roles.ingest_state import IngestWatch
from swapstats.roles.patient_letters import PatientLetters
from swapstats.roles.preprocess.options import PreprocessOptions
from swapstats.roles.preprocess.outlets import Outlets
from swapstats.roles.preprocess.run import Preprocess
from swapstats.roles.preprocess.state import PreprocessWatch
from swapstats.settings import Settings
from swapstats.wiring.brokers import PLACING_KEY, log_prefix, redis_url
from swapstats.wiring.guards import Guards
from swapstats.wiring.ingest import ATTEMPT_MS_MAX, DELIVERY_MS, PatientLog
from swapstats.wiring.listening import observability_servers
from swapstats.wiring.raw_part import candle_store, machine_maker
from swapstats.wiring.service import RunFlags
from swapstats.wiring.transport import raw_settings, raw_transport, transport

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

LETTERS_WAIT_MS: Final = 1_000
"""How long saving a state waits for the dead letters below it."""
_LOOK_S: Final = 1.0
_TRIM_EVERY_LOOKS: Final = 30


class PreprocessService:
    """One process that preprocesses the partitions its group gives it.

    Args:
        settings: the effective settings.
        flags: what this start asks for.
        logs: where lines go.
        metrics: shared with other roles of the process; None = its own.

    Raises:
        SettingsError: rules that cannot be, or a server that is not named.
    """

    def __init__(
        self, settings: Settings, flags: RunFlags, logs: Logs, metrics: Metrics | None = None
    ) -> None:
        self._settings = settings
        self._flags = flags
        self._log: BoundLogger = logs.logger("preprocess")
        self._clock = SystemClock()
        self._metrics = metrics or Metrics()
        self._make = machine_maker(settings)
        self._transport = transport(settings)
        self._raw_transport = raw_transport(settings)
        self._redis = redis_url(settings)
        self._trouble = ""

    def run(self, stop: threading.Event) -> None:
        """Live until `stop` is set; a start waits for servers that are away.

        Raises:
            SwapstatsError: what made it fail.
        """
        told = ""
        while not stop.is_set():
            with contextlib.ExitStack() as opened:
                try:
                    self._live(opened, stop)
                except _NotYet as error:
                    if str(error) != told:
                        told = str(error)
                        self._log.warning("waiting for servers", error=told)
                    stop.wait(_LOOK_S)
        self._log.info("stopped")

    def _live(self, opened: contextlib.ExitStack, stop: threading.Event) -> None:
        try:
            guards = Guards(self._settings, self._clock, self._log)
            self._transport.prepare()
            self._raw_transport.prepare()
            log = self._open_log(opened)
            letters = self._open_letters(opened, guards)
            candles = candle_store(self._settings, None)
            opened.callback(candles.close)
            outlets = self._open_outlets(opened, candles)
            preprocess = self._open(opened, log, letters, outlets, guards)
        except Transient as error:
            raise _NotYet(str(error)) from error
        opened.callback(preprocess.leave)
        watch = PreprocessWatch(
            lambda: preprocess.status,
            self._clock,
            self._settings.observability.no_progress_ms,
            guards.status,
            lambda: self._trouble or letters.problem or outlets.problem,
        )
        pages = health_pages(watch.health, watch.state)
        for server in observability_servers(self._settings, self._metrics, self._log, pages):
            opened.callback(server.close)
        ended = threading.Event()
        looking = threading.Thread(
            target=self._look, args=(watch, preprocess, candles, ended), name="watch", daemon=True
        )
        looking.start()
        giving_up = threading.Thread(
            target=_give_up, args=(stop, ended, log), name="give-up", daemon=True
        )
        giving_up.start()
        self._log.info("started", version=__version__, topic=self._settings.ingest.raw_topic)
        try:
            preprocess.run(stop)
        except Transient:
            if not stop.is_set():
                raise
            # Told to stop while the log could not be written: what was taken is taken again.
        finally:
            ended.set()
            looking.join()
            giving_up.join()

    def _open_log(self, opened: contextlib.ExitStack) -> PatientLog:
        watch = IngestWatch(self._clock, ATTEMPT_MS_MAX)
        log = PatientLog(self._transport.open_log(DELIVERY_MS), self._note_trouble, watch)
        opened.callback(log.close)
        return log

    def _open_letters(self, opened: contextlib.ExitStack, guards: Guards) -> PatientLetters:
        store = opened.enter_context(contextlib.closing(self._raw_transport.open_letters()))
        letters = PatientLetters(GuardedLetters(store, guards.breaker("dead letters")))
        letters.start()
        opened.callback(letters.close)
        return letters

    def _open_outlets(self, opened: contextlib.ExitStack, candles: CandleStore) -> Outlets:
        prices = RedisTokenPrices(
            self._redis,
            self._settings.stores.redis.prefix,
            tokens_max=self._settings.app.tokens_max,
        )
        opened.callback(prices.close)
        outlets = Outlets(candles, prices)
        outlets.start()
        opened.callback(outlets.close)
        return outlets

    def _open(
        self,
        opened: contextlib.ExitStack,
        log: PatientLog,
        letters: PatientLetters,
        outlets: Outlets,
        guards: Guards,
    ) -> Preprocess:
        settings = self._settings
        states = RedisStateStore(self._redis, log_prefix(raw_settings(settings)))
        opened.callback(states.close)

        def subscribe(owner: PartitionOwner) -> SwapSubscription:
            held = HeldSubscription(self._raw_transport.subscribe(owner), lambda: letters.has_room)
            guards.link("raw log", lambda: not held.is_away)
            return held

        return Preprocess(
            self._make,
            subscribe,
            log,
            by_token(PLACING_KEY),
            states,
            letters,
            outlets,
            RawFigures(self._metrics),
            self._clock.wall_ms,
            PreprocessOptions(
                snapshot_interval_ms=settings.preprocess.snapshot_interval_ms,
                rebuild=self._flags.rebuild,
                accept_gap=self._flags.accept_gap,
                raw_name=log_prefix(raw_settings(settings)),
            ),
            letters_safe=lambda partition, offset: letters.wait_stored(
                partition, offset, LETTERS_WAIT_MS
            ),
        )

    def _look(
        self,
        watch: PreprocessWatch,
        preprocess: Preprocess,
        candles: CandleStore,
        ended: threading.Event,
    ) -> None:
        """Once a second: health, partitions, trouble; now and then: old candles."""
        figures = RoleFigures(self._metrics)
        told: tuple[list[int], str] = ([], "")
        looks = 0
        while not ended.wait(_LOOK_S):
            looks += 1
            watch.look()
            state = watch.state()
            figures.dependencies(state.dependencies)
            self._metrics.set_ready("preprocess", state.readiness.ready)
            status = preprocess.status
            now = ([place.partition for place in status.places], status.problem)
            if now[0] != told[0]:
                self._log.info("partitions", owned=now[0])
            if now[1] and now[1] != told[1]:
                self._log.warning("trouble", reason=now[1])
            elif told[1] and not now[1]:
                self._log.info("trouble is over")
            told = now
            if looks % _TRIM_EVERY_LOOKS == 0:
                self._trim(candles)

    def _trim(self, candles: CandleStore) -> None:
        """Drop old candles; a store that cannot is told, and asked again later."""
        try:
            candles.trim(self._clock.wall_ms() - self._settings.preprocess.candles_kept_ms)
        except Transient:
            return  # the outlets say so
        except SwapstatsError as error:
            self._log.warning("old candles stay", error=str(error))

    def _note_trouble(self, said: str) -> None:
        """Tell the first failure to write swaps of a row, and the end of it."""
        if bool(said) != bool(self._trouble):
            if said:
                self._log.warning("waiting for the swap log", error=said)
            else:
                self._log.info("the swap log is back")
        self._trouble = said


class _NotYet(Exception):
    """A server is away at the start."""


def _give_up(stop: threading.Event, ended: threading.Event, log: PatientLog) -> None:
    """Let a waiting append fail once the process is to stop."""
    while not ended.is_set():
        if stop.wait(_LOOK_S):
            if not ended.wait(DELIVERY_MS / 1_000):
                log.give_up()
            return
