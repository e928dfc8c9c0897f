"""A producer's table into the log, embedded or on servers, or held against it."""

import asyncio
import contextlib
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from swapstats.adapters.backfill.database_table import TimeOrder
from swapstats.adapters.backfill.kept_rows import KeptRowsFile
from swapstats.adapters.backfill.open_table import is_database, open_table
from swapstats.adapters.system_clock import SystemClock
from swapstats.core.backfill_mapping import BackfillMapping
from swapstats.core.hash_key import HashKey
from swapstats.errors import StoreLocked, UsageError
from swapstats.ports.observer import Silent
from swapstats.ports.swap_log import SwapLog, SwapLogReader
from swapstats.ports.table import Table
from swapstats.roles.backfill import BackfillPlan, BackfillSource
from swapstats.roles.backfill_check import BackfillCheck, CheckReport
from swapstats.roles.backfill_rows import RowJudge
from swapstats.roles.ingest import Ingest, by_token
from swapstats.roles.ingest_state import IngestWatch
from swapstats.settings import Settings
from swapstats.wiring.brokers import PLACING_KEY
from swapstats.wiring.embedded import EmbeddedStores
from swapstats.wiring.ingest import ATTEMPT_MS_MAX, DELIVERY_MS, PatientLog
from swapstats.wiring.reading import EmbeddedReaders
from swapstats.wiring.transport import transport

NAME_CHARS_MAX: Final = 100
SHOW_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """What one command asks for.

    Attributes:
        source: a file or the URL of a database.
        name: under which the log keeps the position; empty = made of the source.
        since_ms: earlier rows are left out; None = by default, see `everything`.
        until_ms: rows from then on are left out; None = none are.
        everything: with no `since_ms`: also rows that no window can count any more.
        again: begin anew although it ended.
        kept: file of refused rows; None = in the data directory's place.
    """

    source: str
    name: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    everything: bool = False
    again: bool = False
    kept: Path | None = None


class Backfill:
    """One backfill, opened: table, mapping and bounds.

    Args:
        settings: the effective settings.
        request: what was asked for.

    Raises:
        SettingsError: the mapping is none.
        UsageError: the source, or what is mapped, is not there.
        Rejected: the source cannot be read.
        Transient: its server cannot be reached.
    """

    def __init__(self, settings: Settings, request: BackfillRequest) -> None:
        self._settings = settings
        self._request = request
        self._clock = SystemClock()
        wanted = settings.backfill
        self._mapping = BackfillMapping.parse(
            wanted.columns, wanted.sides, allow_float=wanted.allow_float
        )
        self.name = request.name or default_name(request.source, wanted.table)
        self.since_ms = self._since_ms()
        self._table = self._open_table()
        try:
            self._writer = self._mapping.bind(self._table.columns)
        except BaseException:
            self._table.close()
            raise
        self.kept_path = request.kept or Path(settings.data.dir) / f"refused-{self.name}.ndjson"

    @property
    def on_servers(self) -> bool:
        """Whether the log is on brokers or in Redis."""
        ingest = self._settings.ingest
        return ingest.broker_type != "embedded" and not ingest.embedded_fallback

    def close(self) -> None:
        """Release the source."""
        self._table.close()

    async def write(
        self,
        on_source: Callable[[BackfillSource], None],
        on_progress: Callable[[], None],
        on_trouble: Callable[[str], None],
    ) -> BackfillSource:
        """Write all rows into the log.

        Args:
            on_source: told what is read, before it is.
            on_progress: called a few times a second.
            on_trouble: told that brokers are away, and by "" that they are back.

        Raises:
            UsageError: late swaps would not count, or a service owns the log.
            Rejected: the source cannot be read further; what was written stays.
            Transient: a server is away.
            StoreError: a store cannot be written.
        """
        self._expect_late_counts()
        with self._opened_log(on_trouble) as (log, key):
            source = BackfillSource(
                self._table, self._judge(key), KeptRowsFile(self.kept_path), self._plan()
            )
            on_source(source)
            ingest = Ingest(log, by_token(key), self._clock.wall_ms, lambda: None, Silent())
            pump = asyncio.create_task(ingest.pump(source))
            try:
                while not pump.done():
                    await asyncio.wait((pump,), timeout=SHOW_S)
                    on_progress()
                await pump
            finally:
                pump.cancel()
                if isinstance(log, PatientLog):
                    log.give_up()
                await asyncio.gather(pump, return_exceptions=True)
                await asyncio.to_thread(ingest.close)
            return source

    def check(self, shown_max: int, on_progress: Callable[[str], None]) -> CheckReport:
        """Compare the table with the log; writes nothing."""
        with self._opened_reader() as (log, key):
            checking = BackfillCheck(
                self._table,
                self._judge(key),
                log,
                key,
                self._settings.app.max_ahead_ms,
                shown_max,
                on_progress,
            )
            return checking.run(self.since_ms, self._request.until_ms)

    def _since_ms(self) -> int | None:
        if self._request.since_ms is not None or self._request.everything:
            return self._request.since_ms
        widest_ms = self._settings.windows.widest_ms
        return self._clock.wall_ms() - widest_ms - self._settings.app.grace_ms

    def _open_table(self) -> Table:
        wanted, rule = self._settings.backfill, self._mapping.time_rule
        order = None
        if rule.column is not None:
            is_utc = "utc" in rule.names
            order = TimeOrder(rule.column, self._mapping.time_digits, is_utc, self.since_ms)
        return open_table(
            self._request.source,
            table=wanted.table,
            query=wanted.query,
            order=order,
            delimiter=wanted.delimiter,
            chunk_rows=wanted.chunk_rows,
        )

    def _plan(self) -> BackfillPlan:
        request, wanted = self._request, self._settings.backfill
        shapes = (
            self._table.identity,
            sorted(wanted.columns.items()),
            sorted(wanted.sides.items()),
            wanted.allow_float,
            request.since_ms,
            request.until_ms,
            request.everything,
        )
        digest = hashlib.sha256(repr(shapes).encode()).hexdigest()
        return BackfillPlan(
            self.name,
            digest,
            self.since_ms,
            request.until_ms,
            wanted.refused_max,
            request.again,
        )

    def _judge(self, key: HashKey) -> RowJudge:
        return RowJudge(self._writer, key, self._clock.wall_ms, self._settings.app.max_ahead_ms)

    def _expect_late_counts(self) -> None:
        late = self._settings.app.late
        if late != "apply":
            where = self._settings.origin_of("app.late")
            raise UsageError(
                f"app.late ({where}): Expected apply, was {late}: behind newer swaps the rows of a "
                f"backfill are late, and would not count. Set it to apply, for whatever aggregates "
                f"too, until they were read, then back; or give --check, which writes nothing"
            )

    @contextlib.contextmanager
    def _opened_log(self, on_trouble: Callable[[str], None]) -> Iterator[tuple[SwapLog, HashKey]]:
        if self.on_servers:
            watch = IngestWatch(self._clock, ATTEMPT_MS_MAX)
            log = PatientLog(
                transport(self._settings).open_log(DELIVERY_MS), _changes(on_trouble), watch
            )
            with contextlib.closing(log):
                yield log, PLACING_KEY
            return
        settings = self._settings
        try:
            stores = EmbeddedStores.open(
                Path(settings.data.dir),
                settings.ingest.topic_cfg.partitions,
                # the directory is one of `swapstats run`, before its first start or after
                {
                    "purpose": "run",
                    "partitions": settings.ingest.topic_cfg.partitions,
                    "step_ms": settings.app.bucket_step_ms,
                },
                durability=settings.data.durability,
            )
        except StoreLocked as error:
            raise UsageError(
                f"{error}. An embedded log has one writer: stop the service (SIGTERM, or Ctrl-C), "
                f"give this command, start the service again; it goes on where it was. On brokers "
                f"a backfill runs beside everything"
            ) from error
        with contextlib.closing(stores):
            yield stores.log, stores.key

    @contextlib.contextmanager
    def _opened_reader(self) -> Iterator[tuple[SwapLogReader, HashKey]]:
        if self.on_servers:
            with contextlib.closing(transport(self._settings).open_reader()) as log:
                yield log, PLACING_KEY
            return
        with contextlib.closing(EmbeddedReaders.open(Path(self._settings.data.dir))) as readers:
            yield readers.log, readers.key


def default_name(source: str, table: str) -> str:
    """Make a name of a source: the same for the same file or table, and never a secret."""
    told = f"{urlsplit(source).path} {table}" if is_database(source) else Path(source).name
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", told).strip("-.")
    return plain[:NAME_CHARS_MAX] or "table"


def expect_name(name: str) -> str:
    """Check a name that was given: it names a file too.

    Raises:
        UsageError: it cannot.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name) or len(name) > NAME_CHARS_MAX:
        raise UsageError(
            f"Expected a name of letters, digits, dots, dashes and underscores "
            f"({NAME_CHARS_MAX} at most), was {name!r}"
        )
    return name


def _changes(tell: Callable[[str], None]) -> Callable[[str], None]:
    """Tell trouble once, not at every attempt."""
    troubled = False

    def heard(said: str) -> None:
        nonlocal troubled
        if bool(said) != troubled:
            troubled = bool(said)
            tell(said)

    return heard
