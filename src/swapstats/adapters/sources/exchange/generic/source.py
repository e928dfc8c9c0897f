"""Trades of any exchange that ccxt.pro knows: the `Source` port, best effort.

What it cannot promise, unlike the sources of single exchanges:

- **Completeness.** The library drops trades without a word (when it reconnects, and when they are
  not taken fast enough), and its unified trades have no order by which a missing one would be seen.
  So every market is asked again for its newest trades, regularly and after each failure, and what
  was not seen goes on then. How far back an exchange answers differs; what is older is lost.
- **Sides, ids and times** are what the library says they are. Trades without an id are refused: one
  that comes twice could not be told from two.
- **Speed.** It costs many times what the other sources do.

Spot markets only.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from swapstats.adapters.sources.exchange.backoff import Backoff
from swapstats.adapters.sources.exchange.generic.book import Book
from swapstats.adapters.sources.exchange.generic.client import GenericClient
from swapstats.adapters.sources.exchange.generic.unified import Unified, unified_markets
from swapstats.errors import Rejected, Transient
from swapstats.ports.source import NO_NOTES, SourceBatch, SourceStatus

SYMBOLS_MAX = 50
SHOWN_SYMBOLS_MAX = 8
PAGES_MAX = 20
"""Questions in one go about a market; what is still missing then is asked for next time."""

_log = logging.getLogger("swapstats.sources.exchange")


@dataclass(frozen=True, slots=True)
class GenericOptions:
    """Bounds and spans.

    Attributes:
        ask_every_ms: how often a market is asked for its newest trades.
        overlap_ms: how far back from the newest trade known.
        stall_ms: without any trade for so long, connections are made anew.
        backoff_ms_min: first wait after a failure.
        backoff_ms_max: longest wait.
        waiting_rows_max: rows that may wait to be taken; more are left to the next question.
    """

    ask_every_ms: int = 30_000
    overlap_ms: int = 60_000
    stall_ms: int = 120_000
    backoff_ms_min: int = 500
    backoff_ms_max: int = 60_000
    waiting_rows_max: int = 50_000


@dataclass(slots=True)
class _Asked:
    """How far a market was asked for.

    Attributes:
        to_ms: time of the newest trade that an answer held; None = none did.
        is_whole: whether the last question came to its end.
    """

    to_ms: int | None
    is_whole: bool = True


class GenericSource:
    """Trades of some spot markets of an exchange, through a library; see the module for its limits.

    Args:
        client: the exchange.
        exchange_id: as the library calls it.
        symbols: unified, such as `BTC/USDT`, each once.
        options: bounds and spans.
        sleep: waits for seconds.
        jitter: gives numbers from 0 to 1.

    Raises:
        Rejected: no symbol, one twice, or too many.
    """

    def __init__(
        self,
        client: GenericClient,
        exchange_id: str,
        symbols: Sequence[str],
        options: GenericOptions = GenericOptions(),
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        # The library has symbols such as `kBONK/USDT`: what has capitals is meant as it stands.
        given = [symbol.strip() for symbol in symbols]
        self._symbols = [symbol.upper() if symbol.islower() else symbol for symbol in given]
        if not 1 <= len(set(self._symbols)) == len(self._symbols) <= SYMBOLS_MAX:
            raise Rejected(
                f"Expected 1 to {SYMBOLS_MAX} symbols, each once, was {', '.join(self._symbols)}"
            )
        self._client = client
        self._exchange_id = exchange_id
        self._options = options
        self._sleep = sleep
        self._jitter = jitter
        self._book: Book | None = None
        self._news = asyncio.Event()
        self._hurry: dict[str, asyncio.Event] = {}
        self._troubles: dict[str, str] = {}
        self._failure = ""

    @property
    def name(self) -> str:
        """Stable name: positions in the log are kept under it."""
        return f"generic-{self._exchange_id}"

    def status(self) -> SourceStatus:
        """Report whether trades come, and what cannot be promised."""
        if self._failure:
            return SourceStatus("failed", self._failure)
        if self._book is None:
            return SourceStatus("connecting", f"Asking {self._exchange_id} for its markets")
        shown = ", ".join(self._symbols[:SHOWN_SYMBOLS_MAX])
        if len(self._symbols) > SHOWN_SYMBOLS_MAX:
            shown += f" and {len(self._symbols) - SHOWN_SYMBOLS_MAX} more"
        promise = (
            f"Generic, best effort (ccxt): trades of {shown} from {self._exchange_id}; some may be "
            f"missing without a word"
        )
        told = [promise, *self._book.told(), *list(self._troubles.values())[:1]]
        is_waiting = len(self._troubles) == len(self._symbols)
        return SourceStatus("waiting" if is_waiting else "live", "; ".join(told))

    async def open(
        self,
        position: str | None,
        notes: Mapping[str, str] = NO_NOTES,  # noqa: ARG002 - the port's
    ) -> AsyncIterator[SourceBatch]:
        """Stream trades as they come; it ends only with an error.

        Raises:
            Rejected: the exchange does not trade a symbol, or the position is another source's.
        """
        try:
            book = await self._begin(position)
            self._hurry = {symbol: asyncio.Event() for symbol in self._symbols}
            runs = [
                asyncio.create_task(work(symbol, book))
                for symbol in self._symbols
                for work in (self._watch, self._ask_again)
            ]
            for run in runs:
                run.add_done_callback(lambda _: self._news.set())
            try:
                while True:
                    if (batch := book.take()) is not None:
                        yield batch
                        continue
                    for run in runs:
                        if run.done():
                            run.result()
                    self._news.clear()
                    await self._news.wait()
            finally:
                for run in runs:
                    run.cancel()
                await asyncio.gather(*runs, return_exceptions=True)
        finally:
            await self._client.close()

    async def _begin(self, position: str | None) -> Book:
        self._failure = ""
        backoff = self._backoff()
        while True:
            try:
                listed = await self._client.markets()
                markets = unified_markets(listed, self._symbols, self._exchange_id)
                self._book = Book(self.name, markets, position, self._options.waiting_rows_max)
            except Transient as error:
                _log.warning("%s's list of markets cannot be read: %s", self._exchange_id, error)
                await self._sleep(backoff.next_ms(self._jitter()) / 1_000)
            except Rejected as error:
                self._failure = str(error)
                raise
            else:
                return self._book

    async def _watch(self, symbol: str, book: Book) -> None:
        """Take what comes over the stream of a market, for ever."""
        backoff = self._backoff()
        watching: asyncio.Future[Sequence[Unified]] | None = None
        try:
            while True:
                watching = watching or asyncio.ensure_future(self._client.watch(symbol))
                await asyncio.wait([watching], timeout=self._options.stall_ms / 1_000)
                if not watching.done():  # it is not cancelled: the library may share it
                    self._hurry[symbol].set()
                    continue
                ended, watching = watching, None
                if (trouble := _trouble(ended)) is not None:
                    self._failed(symbol, trouble)
                    await self._sleep(backoff.next_ms(self._jitter()) / 1_000)
                    self._hurry[symbol].set()
                    continue
                backoff.worked()
                self._troubles.pop(symbol, None)
                if not self._add(book, symbol, ended.result(), is_history=False):
                    self._hurry[symbol].set()
                    await self._sleep(backoff.next_ms(self._jitter()) / 1_000)
        finally:
            if watching is not None:
                watching.cancel()

    async def _ask_again(self, symbol: str, book: Book) -> None:
        """Ask for the newest trades of a market, regularly and whenever something went wrong."""
        backoff = self._backoff()
        asked = _Asked(book.last_ms(symbol))
        is_told = is_begun = False
        while True:
            wait_ms = self._options.ask_every_ms
            try:
                brought = await self._ask(symbol, book, asked) if book.has_room else 0
                if book.is_silent(symbol) and brought and is_begun:
                    await self._client.close()  # its stream brings nothing: a new one
                is_begun = True
                if not asked.is_whole:
                    wait_ms = self._options.backoff_ms_min
                backoff.worked()
            except Transient as error:
                _log.warning("No past trades of %s: %s", symbol, error)
                wait_ms = backoff.next_ms(self._jitter())
            except Rejected as error:
                if not is_told:
                    _log.warning("No past trades of %s: %s", symbol, error)
                    is_told = True
            await self._wait_or_hurry(symbol, wait_ms)

    async def _ask(self, symbol: str, book: Book, asked: "_Asked") -> int:
        """Ask for what came after the last question, and a little before it, up to now.

        Whether an exchange answers with the oldest trades since a time or with the newest ones
        there are: it is asked on until an answer is as new as what is known.
        """
        overlap_ms = self._options.overlap_ms if asked.is_whole else 0
        from_ms = asked.to_ms if asked.to_ms is not None else book.first_ms(symbol)
        since_ms = max(0, from_ms - overlap_ms) if from_ms is not None else None
        target_ms = book.last_ms(symbol) or 0
        brought = book.brought_of(symbol)
        asked.is_whole = False
        for _ in range(PAGES_MAX):
            rows = await self._client.fetch(symbol, since_ms)
            self._add(book, symbol, rows, is_history=True)
            newest_ms = max((_time_ms(row) for row in rows), default=0)
            asked.to_ms = max(asked.to_ms or 0, newest_ms) or None
            if newest_ms <= (since_ms or 0) or newest_ms >= target_ms:
                asked.is_whole = True
                break
            since_ms = newest_ms
        return book.brought_of(symbol) - brought

    def _add(self, book: Book, symbol: str, rows: Sequence[Unified], *, is_history: bool) -> bool:
        has_room = book.add(symbol, rows, is_history=is_history)
        self._news.set()
        return has_room

    async def _wait_or_hurry(self, symbol: str, wait_ms: int) -> None:
        hurry = asyncio.create_task(self._hurry[symbol].wait())
        pause = asyncio.ensure_future(self._sleep(wait_ms / 1_000))
        try:
            await asyncio.wait([hurry, pause], return_when=asyncio.FIRST_COMPLETED)
        finally:
            hurry.cancel()
            pause.cancel()
            self._hurry[symbol].clear()

    def _failed(self, symbol: str, why: str) -> None:
        trouble = f"{symbol} cannot be watched: {why}"
        if self._troubles.get(symbol) != trouble:
            _log.warning("%s", trouble)
        self._troubles[symbol] = trouble

    def _backoff(self) -> Backoff:
        return Backoff(self._options.backoff_ms_min, self._options.backoff_ms_max)


def _time_ms(row: Unified) -> int:
    time_ms = row.get("timestamp")
    return time_ms if type(time_ms) is int else 0


def _trouble(ended: asyncio.Future[Sequence[Unified]]) -> str | None:
    """Why a watch brought nothing, in words; None if it brought something.

    Raises:
        BaseException: what the client must not raise.
    """
    if ended.cancelled():
        return "the library gave it up"
    error = ended.exception()
    if error is None:
        return None
    if isinstance(error, Transient | Rejected):
        return str(error)
    raise error
