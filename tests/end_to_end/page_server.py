"""The real API server on a free port of its own thread with synthetic updates, and its visitor.

The server knows the newest numbers of every token, so that a test can say what the page must
show. A `Visit` is a browser's page under watch; the functions below it wait for what it shows.
"""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from threading import Thread
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import numpy as np
from playwright.sync_api import Locator, Page, expect

from swapstats.adapters.system_clock import SystemClock
from swapstats.core.market import Market
from swapstats.model.effects import StatsUpdate, TokenName
from swapstats.model.health import Health, PartitionState, Readiness, ServiceState, SourceState
from swapstats.model.series import SeriesAnswer
from swapstats.model.stats import (
    FIELDS,
    ROW_WORDS,
    WindowStats,
    format_short,
    from_row,
    scale_digits,
    to_row,
)
from swapstats.model.window import WindowSpec
from swapstats.roles.api.answers import Sources
from swapstats.roles.api.feed import ApiFeed
from swapstats.roles.api.options import ApiOptions
from swapstats.roles.api.problem import Problem
from swapstats.roles.api.server import ApiServer
from swapstats.testing.synthetic_updates import SyntheticUpdates

if TYPE_CHECKING:
    from concurrent.futures import Future

TOKENS = 240
PARTITIONS = 2
SEEN_MS = 72 * 60_000
"""How long the stream has run at the first update: 1 h 12 min."""
WAIT_S = 10
WAIT_MS = 40_000
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ROWS = "table.overview tbody tr"
SPEC = WindowSpec(5_000, (300_000, 3_600_000, 86_400_000))


class PageServer:
    """A server that can be stopped and started again on its port.

    Attributes:
        url: where it listens, without a slash at the end.
        windows: names of the windows in served order.
        has_series: False = buckets are refused, as by a process that holds statistics only.
    """

    def __init__(self) -> None:
        clock = SystemClock()
        start_ms = clock.wall_ms()
        self.windows = SPEC.names
        self._clock = clock
        self._start_ms = start_ms
        self._updates = SyntheticUpdates(
            SPEC, tokens=TOKENS, partitions=PARTITIONS, start_ms=start_ms, seed=7
        )
        self._symbols: dict[str, str | None] = {}
        self._homes: dict[str, tuple[int, int]] = {}
        self._stats: dict[str, list[WindowStats]] = {}
        self._market = Market(SPEC, PARTITIONS, origin="page")
        self._feed = ApiFeed()
        self._progress: float | None = None
        self.has_series = True
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="page-server", daemon=True)
        self._api: ApiServer | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        for update in self._updates.everything():
            self._publish(update)
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._api is not None:
            self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)
        self._loop.close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen: on a free port at first, then always on the same."""
        sources = Sources(
            health=lambda: Health(healthy=True),
            readiness=self._readiness,
            service=self._service,
            lag_ms=lambda: 0,
            series=self._series,
        )
        options = ApiOptions(version="0.1.0-test", heartbeat_ms=1_000)
        self._api = ApiServer(options, self._market, self._feed, sources, self._clock)
        self._port = self._run(self._api.start("127.0.0.1", self._port))

    def stop(self) -> None:
        """Close all connections and stop listening."""
        assert self._api is not None
        self._run(self._api.stop(500))
        self._api = None

    def restoring(self, progress: float | None) -> None:
        """Answer as while the state is restored; None = it is."""
        self._progress = progress

    def key(self, token: int) -> str:
        """Key of token number `token`."""
        return self._updates.key(token)

    def value(self, key: str, window: str, field: str) -> int:
        """Newest value of a statistic, a scaled integer."""
        return int(getattr(self._stats[key][self.windows.index(window)], field))

    def ranking(self, window: str, sort: str, order: str) -> list[str]:
        """All keys in the order an overview must have; ties by key, no symbol last."""
        keys = sorted(self._stats)
        turned = order == "desc"
        if sort == "token":
            return keys[::-1] if turned else keys
        if sort == "symbol":
            keys.sort(key=lambda key: self._symbols[key] or "", reverse=turned)
            keys.sort(key=lambda key: self._symbols[key] is None)
        else:
            keys.sort(key=lambda key: self.value(key, window, sort), reverse=turned)
        return keys

    def change(self, key: str) -> None:
        """Publish new random numbers of one token."""
        partition, local = self._homes[key]
        self._publish(self._updates.update_of(partition, np.array([local], dtype=np.int32)))

    def add(self, key: str, symbol: str) -> None:
        """Publish a token of any key and symbol, larger than all others."""
        local = TOKENS + len(self._stats)
        stats = WindowStats(10**17, 3 * 10**18, 1000, 600, 400, 6 * 10**16, 4 * 10**16, 77_777_777)
        rows = np.zeros((1, len(SPEC.widths_ms), ROW_WORDS), dtype=np.int64)
        rows[0, :] = to_row(stats)
        empty = self._updates.update_of(0, np.empty(0, dtype=np.int32))
        name = TokenName(local, key, symbol)
        ids = np.array([local], dtype=np.int32)
        self._publish(replace(empty, names=(name,), token_ids=ids, rows=rows))

    def bars(self, key: str) -> int:
        """How many buckets of the series hold something."""
        return len(_points(key, 0))

    def _publish(self, update: StatsUpdate) -> None:
        update = replace(update, complete_since_ms=self._start_ms - SEEN_MS)
        for name in update.names:
            self._symbols[name.key] = name.symbol
            self._homes[name.key] = (update.partition, name.token_id)
        keys = {home: key for key, home in self._homes.items()}
        for local, rows in zip(update.token_ids.tolist(), update.rows, strict=True):
            key = keys[update.partition, local]
            self._stats[key] = [from_row(row) for row in rows]
        self._feed.publish(update)

    def _readiness(self) -> Readiness:
        if self._progress is None:
            return Readiness(ready=True)
        return Readiness(False, self._progress, "Reading the log back")

    def _service(self) -> ServiceState:
        places = [self._market.place(partition) for partition in range(PARTITIONS)]
        return ServiceState(
            source=SourceState("synthetic", "live", "updates made for a test"),
            partitions=tuple(
                PartitionState(number, place.offset, place.offset, place.t_ms, True)
                for number, place in enumerate(places)
            ),
            counters={"ingested": sum(place.offset for place in places)},
            warnings=("Served without authentication",),
        )

    async def _series(self, key: str, span_ms: int) -> SeriesAnswer:
        end_ms = self._market.end_ms
        assert span_ms == 900_000
        if not self.has_series:
            raise Problem("no-series", "Expected buckets, was statistics only")
        return SeriesAnswer(self._market.as_of_ms, end_ms, SPEC.step_ms, _points(key, end_ms))

    def _run(self, work: Any) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(WAIT_S)


def _points(key: str, end_ms: int) -> list[tuple[int, WindowStats]]:
    """Buckets of the last 15 minutes, the same for the same key, a fifth of them empty."""
    draw = np.random.default_rng(len(key) + ord(key[-1]))
    points = []
    for number in range(180, 0, -1):
        trades = int(draw.integers(0, 5))
        buy = int(draw.integers(0, trades + 1))
        bought, sold = (int(count * draw.integers(10**6, 10**10)) for count in (buy, trades - buy))
        if trades:
            stats = WindowStats(bought + sold, 10**18, trades, buy, trades - buy, bought, sold, 0)
            points.append((end_ms - number * SPEC.step_ms, stats))
    return points


class Visit:
    """A page under watch: what it logged and what it asked for."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.origin = origin
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        page.on("console", lambda message: self._said(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._asked(request.url))
        page.on("websocket", lambda socket: self._asked(socket.url))

    def _said(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)

    def _asked(self, url: str) -> None:
        if urlsplit(url).netloc != urlsplit(self.origin).netloc:
            self.strangers.append(url)

    def open(self, place: str = "") -> Page:
        self.page.goto(f"{self.origin}/{place}")
        return self.page

    def check(self, *, allowed: str = "(?!)") -> None:
        assert self.strangers == []
        assert [text for text in self.complaints if not re.search(allowed, text)] == []


def keys_shown(page: Page) -> list[str]:
    keys: list[str] = page.locator(ROWS).evaluate_all("rows => rows.map(r => r.dataset.key)")
    return keys


def wait_for_keys(page: Page, keys: list[str]) -> None:
    page.wait_for_function(
        "([rows, keys]) => JSON.stringify([...document.querySelectorAll(rows)]"
        ".map(r => r.dataset.key)) === keys",
        arg=[ROWS, json.dumps(keys, separators=(",", ":"), ensure_ascii=False)],
    )


def plain(text: str | None) -> str:
    """Undo the grouping of a hover text: `1,234.5 USD` -> `1234.5`."""
    assert text is not None
    return text.split(" ")[0].replace(",", "")


def exact(server: PageServer, key: str, window: str, field: str) -> str:
    return format_short(server.value(key, window, field), scale_digits(field))


def cell(page: Page, window: str, field: str) -> Locator:
    return page.locator(f'td[data-window="{window}"][data-field="{field}"]')


def shows_exactly(page: Page, server: PageServer, key: str, window: str) -> None:
    for field in FIELDS:
        grouped = f"{Decimal(exact(server, key, window, field)):,}"
        expect(cell(page, window, field)).to_have_attribute(
            "title", re.compile(f"^{re.escape(grouped)} ")
        )


def wait_until(page: Page, condition: Callable[[], bool]) -> None:
    """Wait while the browser's events are handled (which a sleep would hold up)."""
    deadline = monotonic() + WAIT_MS / 1_000
    while not condition():
        assert monotonic() < deadline
        page.evaluate("() => new Promise(requestAnimationFrame)")


def is_live(page: Page) -> None:
    expect(page.locator("html")).to_have_attribute("data-connection", "live", timeout=WAIT_MS)
