"""The answers of the HTTP routes: values in, bytes out.

Each public coroutine-free method is named after a route's `operation`. Nothing here knows aiohttp.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from swapstats.core.market import Market
from swapstats.core.overview import (
    OverviewSpec,
    OverviewText,
    join_overview,
    overview_text,
    search_text,
)
from swapstats.core.patch import data_text, fields_text, json_text
from swapstats.errors import Transient
from swapstats.model.archive_status import ArchiveStatus
from swapstats.model.health import DependencyStatus, Health, Readiness, ServiceState
from swapstats.model.series import SeriesAnswer
from swapstats.model.stats import FIELDS, WindowStats
from swapstats.ports.clock import Clock
from swapstats.roles.api.coalesced import Coalesced
from swapstats.roles.api.docs_page import POLICY, docs_page
from swapstats.roles.api.openapi import openapi_document
from swapstats.roles.api.options import ApiOptions
from swapstats.roles.api.problem import CONTENT_TYPE, Problem, not_ready, retry_after
from swapstats.roles.api.routes import OPENAPI, Route, Values
from swapstats.roles.api.token_answer import find_or_refuse

JSON = "application/json"
ArchiveReader = Callable[[], Awaitable[ArchiveStatus]]
SeriesReader = Callable[[str, int], Awaitable[SeriesAnswer]]


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer.

    Attributes:
        body: its bytes.
        status: HTTP status.
        content_type: media type.
        headers: further headers.
    """

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


def problem_reply(problem: Problem) -> Reply:
    """Make the HTTP answer of a problem."""
    return Reply(problem.body(), problem.status, CONTENT_TYPE, problem.headers)


async def no_archive() -> ArchiveStatus:
    """Refuse: this process keeps no archive.

    Raises:
        Problem: always.
    """
    raise Problem(
        "no-archive",
        "Expected an archive in this process, was none: `swapstats archive status` asks a server",
    )


@dataclass(frozen=True, slots=True)
class Sources:
    """What the answers are made from, besides the market.

    Attributes:
        health: whether the process gets on.
        readiness: whether the state may be served.
        service: the rest of `/api/status`.
        lag_ms: now minus the append time of the oldest record not read yet; 0 at the end.
        series: last buckets of a token: (key, span_ms) -> answer.
        dependencies: what the process stands on.
        archive: how the archive lies.
    """

    health: Callable[[], Health]
    readiness: Callable[[], Readiness]
    service: Callable[[], ServiceState]
    lag_ms: Callable[[], int]
    series: SeriesReader
    dependencies: Callable[[], tuple[DependencyStatus, ...]] = lambda: ()
    archive: ArchiveReader = no_archive


class Answers:
    """Answers routes.

    Args:
        market: all tokens.
        options: limits.
        sources: what else is known.
        clock: for spans (monotonic).
        routes: the table, for the OpenAPI document.
    """

    def __init__(
        self,
        market: Market,
        options: ApiOptions,
        sources: Sources,
        clock: Clock,
        routes: tuple[Route, ...],
    ) -> None:
        self._market = market
        self._options = options
        self._sources = sources
        self._clock = clock
        self._series_pending = 0
        self._archive_look: asyncio.Future[ArchiveStatus] | None = None
        self._overviews: Coalesced[OverviewText] = Coalesced(market, clock, options.coalesce_ms)
        self._searches: Coalesced[str] = Coalesced(market, clock, options.coalesce_ms)
        document = openapi_document(routes, options, market.spec)
        self._openapi = Reply(msgspec.json.encode(document), content_type=OPENAPI)
        self._docs = Reply(
            docs_page(document),
            content_type="text/html; charset=utf-8",
            headers={"Content-Security-Policy": POLICY},
        )

    def require_ready(self) -> None:
        """Refuse until the state is restored.

        Raises:
            Problem: `not-ready`.
        """
        state = self._sources.readiness()
        if not state.ready:
            raise not_ready(state)

    def _find(self, values: Values) -> int:
        quoted = values["numbers"] == "string"
        return find_or_refuse(self._market, values["id"], self._options.listed, quoted=quoted)

    def token_stats(self, values: Values) -> Reply:
        """Answer one token's statistics."""
        version = self._market.current(self._find(values))
        places: tuple[int, ...] = values["windows"]
        names = self._market.spec.names
        text = data_text(
            replace(version, rows=tuple(version.rows[place] for place in places)),
            [names[place] for place in places],
            quoted=values["numbers"] == "string",
            lag_ms=self._sources.lag_ms(),
        )
        return Reply(text.encode())

    async def token_series(self, values: Values) -> Reply:
        """Answer the last buckets of one token."""
        index = self._find(values)
        key, symbol = self._market.key(index), self._market.symbol(index)
        answer = await self._series(key, values["span"])
        quoted = values["numbers"] == "string"
        points = ",".join(
            f'{{"start":{start_ms},{fields_text(_values(stats), quoted=quoted)}}}'
            for start_ms, stats in answer.points
        )
        text = (
            f'{{"token":{json_text(key)},"symbol":{json_text(symbol)},"as_of":{answer.as_of_ms},'
            f'"end":{answer.end_ms},"step_ms":{answer.step_ms},"points":[{points}]}}'
        )
        return Reply(text.encode())

    async def _series(self, key: str, span_ms: int) -> SeriesAnswer:
        limit = self._options.series_pending_max
        if self._series_pending >= limit:
            raise Problem(
                "busy",
                f"Expected at most {limit} series in work, was one more; try again",
                headers=retry_after(1_000),
            )
        self._series_pending += 1
        try:
            async with asyncio.timeout(self._options.series_timeout_ms / 1_000):
                return await self._sources.series(key, span_ms)
        except (TimeoutError, Transient) as error:
            wait_ms = error.retry_after_ms if isinstance(error, Transient) else 1_000
            raise Problem(
                "timeout",
                f"Expected the series within {self._options.series_timeout_ms} ms, was not there; "
                "try again",
                headers=retry_after(wait_ms),
            ) from None
        finally:
            self._series_pending -= 1

    def overview(self, values: Values) -> Reply:
        """Answer the top tokens of one window."""
        spec = OverviewSpec(values["window"], values["sort"], values["order"], values["limit"])
        quoted = values["numbers"] == "string"

        table = self._overviews.get(
            (spec, quoted), lambda: overview_text(self._market, spec, quoted=quoted)
        )
        # The lag grows while nothing else does: it is never kept.
        return Reply(join_overview(table, lag_ms=self._sources.lag_ms()).encode())

    def search(self, values: Values) -> Reply:
        """Answer tokens found by text."""
        query, limit, quoted = values["query"], values["limit"], values["numbers"] == "string"

        text = self._searches.get(
            (query, limit, quoted),
            lambda: search_text(self._market, query, limit, quoted=quoted),
        )
        return Reply(text.encode())

    def status(self, _values: Values) -> Reply:
        """Answer what the page shows at its top."""
        market, state = self._market, self._sources.service()
        readiness = self._sources.readiness()
        body = {
            "version": self._options.version,
            "as_of": market.as_of_ms,
            "lag_ms": self._sources.lag_ms(),
            "ready": readiness.ready,
            "reason": readiness.reason,
            "source": None
            if state.source is None
            else {
                "name": state.source.name,
                "state": state.source.state,
                "detail": state.source.detail,
            },
            "windows": market.spec.names,
            "step_ms": market.spec.step_ms,
            "tokens": len(market),
            "partitions": [
                {
                    "partition": part.partition,
                    "offset": part.offset,
                    "end_offset": part.end_offset,
                    "as_of": part.as_of_ms,
                    "ready": part.ready,
                }
                for part in state.partitions
            ],
            "counters": dict(state.counters),
            "warnings": state.warnings,
        }
        return Reply(msgspec.json.encode(body))

    async def archive(self, _values: Values) -> Reply:
        """Answer how the archive lies; those who ask at once share one look."""
        if self._archive_look is None or self._archive_look.done():
            self._archive_look = asyncio.ensure_future(self._sources.archive())
            # Nobody may be left who waits for its failure.
            self._archive_look.add_done_callback(lambda done: done.cancelled() or done.exception())
        look = self._archive_look
        done, _ = await asyncio.wait([look], timeout=self._options.archive_timeout_ms / 1_000)
        error = look.exception() if done else None
        if not done or isinstance(error, Transient):
            raise Problem(
                "timeout",
                "Expected the archive to answer, was silent or cannot be reached; try again",
                headers=retry_after(
                    error.retry_after_ms if isinstance(error, Transient) else 1_000
                ),
            )
        return Reply(msgspec.json.encode(look.result()))

    def healthz(self, _values: Values) -> Reply:
        """Answer whether the process is alive and gets on."""
        state = self._sources.health()
        if state.healthy:
            return Reply(b'{"healthy":true}')
        raise Problem("unhealthy", state.reason or "Expected progress, was none")

    def readyz(self, _values: Values) -> Reply:
        """Answer whether the state is restored, and what is not as it should be."""
        state = self._sources.readiness()
        dependencies = [status.members() for status in self._sources.dependencies()]
        if not state.ready:
            raise not_ready(state, dependencies)
        body = {
            "ready": True,
            "progress": state.progress,
            "reason": state.warning,
            "lag_ms": self._sources.lag_ms(),
            "dependencies": dependencies,
        }
        return Reply(msgspec.json.encode(body))

    def openapi(self, _values: Values) -> Reply:
        """Answer the OpenAPI document."""
        return self._openapi

    def docs(self, _values: Values) -> Reply:
        """Answer the OpenAPI document for people."""
        return self._docs


def _values(stats: WindowStats) -> tuple[int, ...]:
    return tuple(getattr(stats, name) for name in FIELDS)
