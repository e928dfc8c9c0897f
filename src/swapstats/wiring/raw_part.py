"""Raw events within one process: raw log, preprocessor, and what they keep in the data directory.

    raw sources ──> [ raw.db ] ──> preprocessor ──> [ swap log ]  [ candles.db ]  newest prices

It is there if a source of raw events is named, or was once: what its log still holds is finished.
"""

import asyncio
import contextlib
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from swapstats.adapters.embedded.candles import EmbeddedCandleStore
from swapstats.adapters.embedded.database import Durability
from swapstats.adapters.embedded.dead_letters import EmbeddedDeadLetterStore
from swapstats.adapters.embedded.log import EmbeddedSwapLog
from swapstats.adapters.embedded.states import EmbeddedStateStore
from swapstats.adapters.embedded.subscription import EmbeddedSubscription
from swapstats.adapters.memory.no_candles import NoCandles
from swapstats.adapters.memory.token_prices import MemoryTokenPrices
from swapstats.core.preprocess.preprocessor import Preprocessor
from swapstats.core.raw_placing import place_raw_events
from swapstats.errors import SettingsError, UsageError
from swapstats.observability.metrics import Metrics
from swapstats.observability.raw_figures import RawFigures
from swapstats.observability.stream_figures import StreamFigures
from swapstats.ports.candles import CandleStore
from swapstats.ports.raw_machine import Machine, MakeMachine
from swapstats.ports.source import Source
from swapstats.ports.swap_subscription import PartitionOwner
from swapstats.roles.ingest import Ingest, by_token
from swapstats.roles.preprocess.options import PreprocessOptions
from swapstats.roles.preprocess.outlets import Outlets
from swapstats.roles.preprocess.run import Preprocess
from swapstats.roles.preprocess.thread import PreprocessThread
from swapstats.roles.retention import Retention, trim
from swapstats.settings import Settings
from swapstats.wiring.embedded import EmbeddedStores, throw_away
from swapstats.wiring.price_rules import price_rules

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

CHUNK_BYTES_MAX: Final = 1 << 20
"""Bytes of raw events taken at once: about 1,500 swaps, a few tens of ms."""


@dataclass(frozen=True, slots=True)
class RawStores:
    """What the data directory holds of raw events.

    Attributes:
        log: the raw log.
        states: the preprocessor's state.
        dead_letters: raw events that became no swap.
        candles: minute candles.
        prices: newest prices.
    """

    log: EmbeddedSwapLog
    states: EmbeddedStateStore
    dead_letters: EmbeddedDeadLetterStore
    candles: CandleStore
    prices: MemoryTokenPrices


def open_raw_stores(
    opened: contextlib.ExitStack, settings: Settings, stores: EmbeddedStores, *, rebuild: bool
) -> RawStores:
    """Open (or make) what the data directory holds of raw events.

    Raises:
        StoreError: see its kinds.
        SettingsMismatch: the raw log was made with another number of partitions.
    """
    directory = stores.directory
    sync: Durability = "full" if settings.data.durability == "full" else "process"
    if rebuild:
        throw_away(directory.states_path)
    log = EmbeddedSwapLog(directory.raw_log_path, settings.ingest.raw_partitions, durability=sync)
    opened.callback(log.close)
    states = EmbeddedStateStore(directory.states_path, durability=sync)
    opened.callback(states.close)
    letters = EmbeddedDeadLetterStore(directory.raw_dead_letters_path, durability=sync)
    opened.callback(letters.close)
    candles = candle_store(settings, directory.candles_path)
    opened.callback(candles.close)
    return RawStores(log, states, letters, candles, MemoryTokenPrices(settings.app.tokens_max))


def candle_store(settings: Settings, path: Path | None) -> CandleStore:
    """Open what keeps candles.

    Args:
        settings: `preprocess.candles` and `stores.postgres.dsn`.
        path: of a file for them; None = there is no directory for one.

    Raises:
        SettingsError: what is asked for lacks its address.
        UsageError: the client of Postgres is not installed.
    """
    chosen, dsn = settings.preprocess.candles, settings.stores.postgres.dsn
    if chosen == "auto":
        chosen = "postgres" if dsn else "sqlite" if path is not None else "off"
    where = f"preprocess.candles ({settings.origin_of('preprocess.candles')})"
    if chosen == "sqlite":
        if path is None:
            raise SettingsError(
                f"{where}: Expected postgres, auto or off without a data directory, was sqlite"
            )
        return EmbeddedCandleStore(path)
    if chosen == "postgres":
        if not dsn:
            raise SettingsError(
                f"{where}: Expected stores.postgres.dsn for candles in Postgres, was none"
            )
        return _postgres_candles(dsn.reveal())
    return NoCandles()


def _postgres_candles(dsn: str) -> CandleStore:
    try:
        from swapstats.adapters.postgres.candles import PostgresCandleStore
    except ImportError as error:
        raise UsageError(
            "Expected the package psycopg for candles in Postgres, was not installed: pip install "
            "'psycopg[binary]'"
        ) from error
    return PostgresCandleStore(dsn)


def machine_maker(settings: Settings) -> MakeMachine:
    """Say how preprocessors are made and restored.

    Raises:
        SettingsError: rules that cannot be.
    """
    rules = price_rules(settings)

    def make(blob: bytes | None) -> Machine:
        return Preprocessor(rules) if blob is None else Preprocessor.restore(rules, blob)

    return make


class RawPart:
    """Everything around raw events in one process.

    Args:
        opened: closes what is opened.
        settings: the effective settings.
        stores: the data directory's stores.
        sources: sources of raw events.
        now_ms: append times.
        metrics: of the process.
        log: lines for people.
        on_append: called after swaps were appended.
        rebuild: make the state from the raw log again.
        accept_gap: go on although the raw log lost the offset to go on from.

    Attributes:
        sources: sources of raw events.
        ingest: writes them into the raw log.
    """

    def __init__(
        self,
        opened: contextlib.ExitStack,
        settings: Settings,
        stores: EmbeddedStores,
        sources: list[Source],
        now_ms: Callable[[], int],
        metrics: Metrics,
        log: "BoundLogger",
        on_append: Callable[[], None],
        *,
        rebuild: bool = False,
        accept_gap: bool = False,
    ) -> None:
        self.sources = sources
        self._settings = settings
        self._now_ms = now_ms
        self._log = log
        make = machine_maker(settings)
        self._stores = open_raw_stores(opened, settings, stores, rebuild=rebuild)
        self._retention = Retention(settings.log.raw_retention_ms, settings.log.raw_size_bytes_max)
        wake = threading.Event()
        self.ingest = Ingest(
            self._stores.log, place_raw_events, now_ms, wake.set, StreamFigures(metrics)
        )
        opened.callback(self.ingest.close)
        self._outlets = Outlets(self._stores.candles, self._stores.prices)
        self._outlets.start()
        opened.callback(self._outlets.close)
        self._preprocess = Preprocess(
            make,
            partial(self._subscribe, wake),
            stores.log,
            by_token(stores.key),
            self._stores.states,
            self._stores.dead_letters,
            self._outlets,
            RawFigures(metrics),
            now_ms,
            PreprocessOptions(
                snapshot_interval_ms=settings.preprocess.snapshot_interval_ms,
                accept_gap=accept_gap,
                raw_name=f"{settings.ingest.raw_topic}/{stores.key.key_id}",
            ),
            wake=wake,
            on_append=on_append,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self.ended = asyncio.Event()
        self._thread = PreprocessThread(self._preprocess, self._on_end)

    @property
    def problem(self) -> str:
        """What keeps it from going on; empty if all is well."""
        return self._preprocess.status.problem

    def start(self) -> None:
        """Begin to take raw events; call it on the loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self) -> None:
        """End after the present round and a last saved state; `join` waits for it."""
        self._thread.stop()

    def join(self) -> None:
        """Wait for the end.

        Raises:
            BaseException: what made it fail.
        """
        self._thread.join()

    def trim(self) -> None:
        """Drop old raw events, letters and candles; call it between two appends."""
        settings, now_ms = self._settings, self._now_ms()
        stores = self._stores
        dropped = trim(stores.log, self._retention, now_ms, self._preprocess.safe_offsets())
        letters = stores.dead_letters.trim(settings.app.dead_letters_max)
        candles = stores.candles.trim(now_ms - settings.preprocess.candles_kept_ms)
        if dropped or letters or candles:
            self._log.info("trimmed", raw_events=dropped, raw_letters=letters, candles=candles)

    def _subscribe(self, wake: threading.Event, owner: PartitionOwner) -> EmbeddedSubscription:
        def wait(span_s: float) -> bool:
            told = wake.wait(span_s)
            wake.clear()
            return told

        # All that is written here is told by `wake`: there is no need to look again.
        return EmbeddedSubscription(
            self._stores.log, owner, CHUNK_BYTES_MAX, wait, look_again_s=math.inf
        )

    def _on_end(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.ended.set)
