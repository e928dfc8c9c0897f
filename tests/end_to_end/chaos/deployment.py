"""A whole deployment on this machine: servers, roles under names, proxies between them, a market.

Every role has a proxy of its own to Redis, to NATS and to the archive, so that one of them can be
cut off while the others go on. Each start of a role is a life of its own, with its own log.
"""

import contextlib
import re
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.end_to_end.chaos.market import AT_ONCE_SLICES, SteadyMarket
from tests.end_to_end.stack_roles import SLICE_MS, MarketFeed, RoleProcess

from swapstats.settings import load
from swapstats.settings.kinds import Raw
from swapstats.stack.local_stack import LocalStack
from swapstats.stack.process import ServerProcess, free_port
from swapstats.testing.eventually import eventually
from swapstats.testing.tcp_proxy import TcpProxy
from swapstats.wiring.archive import DATABASE
from swapstats.wiring.brokers import kafka_address

COMMANDS = {"aggregator": "aggregate", "api": "serve", "ingest": "ingest"}
START_MS = 300_000
LIVE_MS = 1_000
LIVE_WAIT_MS = 600_000
FENCED = re.compile(r'fenced_writes_total\{store="(\w+)"\}')
PAST_MS = 30_000
"""The market begins so long ago, so that there are numbers from the first second on."""


class Deployment:
    """Servers and roles; everything is reached by name.

    Args:
        directory: for data and logs.
        seed: of the market.
        roles: names such as `aggregator-1` and `api-2`.
        brokers: 1 or 3.
        rate: new swaps a second.
        tokens: in the market.
        past_ms: how far back the market begins.
        archive: with an archive, and the object store behind it.
        settings: further ones, by dotted key.

    Attributes:
        stack: the servers.
        settings: what all roles are given.
        feed: the market.
        market: its writer.
        lives: by role name, every process there was, the present one last.
        proxies: by (role name, server name).
        ports: by role name, where its API listens.
        ended: what ended by itself once it had started, with the end of its log.
        unable: how often a role could not start, for a server it needs was away.
    """

    def __init__(
        self,
        directory: Path,
        seed: int,
        roles: Sequence[str] = ("aggregator-1", "aggregator-2", "api-1", "api-2"),
        *,
        brokers: int = 1,
        rate: int = 1_000,
        tokens: int = 200,
        past_ms: int = PAST_MS,
        archive: bool = False,
        settings: dict[str, Raw] | None = None,
    ) -> None:
        self.stack = LocalStack(directory / "stack", brokers=brokers, extra=settings)
        if not archive:
            self.stack.s3 = self.stack.s3_access = self.stack.clickhouse = None
            self.stack.clickhouse_dsn = ""
        self._said_dir = directory / "said"
        self._said_dir.mkdir(parents=True, exist_ok=True)
        self._roles = list(roles)
        self._seed, self._rate, self._tokens, self._past_ms = seed, rate, tokens, past_ms
        self.lives: dict[str, list[RoleProcess]] = {}
        self.proxies: dict[tuple[str, str], TcpProxy] = {}
        self.ports: dict[str, int] = {}
        self.ended: list[str] = []
        self.unable = 0
        self._fenced: dict[tuple[int, str, str], int] = {}

    def __enter__(self) -> Self:
        try:
            self.stack.start()
            self.settings = load(self.stack.config_path, environ={})
            self.feed = MarketFeed(
                kafka_address(self.settings),
                self.settings.ingest.topic,
                time.time_ns() // 1_000_000 - self._past_ms,
                self._seed,
                tokens=self._tokens,
                rate=self._rate,
                again_percent=4,
            )
            self.market = SteadyMarket(self.feed)
            self.feed.write(self._past_ms // SLICE_MS, AT_ONCE_SLICES)
            for name in self._roles:
                self.start(name)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def servers(self) -> dict[str, ServerProcess]:
        """Every server by name."""
        found = {f"broker-{n}": broker for n, broker in enumerate(self.stack.kafka.brokers, 1)}
        found["redis"] = self.stack.redis
        others = {
            "nats": self.stack.nats,
            "s3": self.stack.s3,
            "clickhouse": self.stack.clickhouse,
        }
        return found | {name: server for name, server in others.items() if server is not None}

    def start(self, name: str, *arguments: str, config: Path | None = None) -> RoleProcess:
        """Start a role that does not run, with the same addresses as before.

        Args:
            name: of the role; what stands before the dash says which one it is.
            arguments: further ones.
            config: another configuration than the stack's.
        """
        kind = name.partition("-")[0]
        own = [f"stores.redis.addr=127.0.0.1:{self._proxy(name, 'redis').port}"]
        if self.stack.nats is not None:
            own.append(f"pubsub.nats.url=nats://127.0.0.1:{self._proxy(name, 'nats').port}")
        if kind == "aggregator" and self.stack.clickhouse is not None:
            port = self._proxy(name, "clickhouse").port
            own.append(f"stores.clickhouse.dsn=clickhouse://default:@127.0.0.1:{port}/{DATABASE}")
        given = [word for setting in own for word in ("--set", setting)]
        if kind == "api":
            port = self.ports.setdefault(name, free_port())
            given += ["--api-http-addr", f"127.0.0.1:{port}"]
        process = RoleProcess(
            COMMANDS[kind], config or self.stack.config_path, self._said_dir, *given, *arguments
        )
        self.lives.setdefault(name, []).append(process)
        return process

    def role(self, name: str) -> RoleProcess:
        """The present life of a role."""
        return self.lives[name][-1]

    def url(self, name: str) -> str:
        """Where an API is, whether it lives or not."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def api_names(self) -> list[str]:
        """Names of the APIs."""
        return sorted(self.ports)

    def ready(self) -> None:
        """Wait until every API answers for what the log holds now."""
        ends = self.feed.log.end_offsets()
        eventually(lambda: self.reached(ends), START_MS, "every API to show the log so far")

    def live(self) -> None:
        """Wait until the market keeps up with the clock and every API with the market."""
        eventually(lambda: self.market.behind_ms < LIVE_MS, LIVE_WAIT_MS, "the market to keep up")
        self.market.behind_ms_max = 0
        self.ready()

    def reached(self, ends: Sequence[int], names: Sequence[str] = ()) -> bool:
        """True if the APIs (all, if none is named) show the log up to these offsets."""
        for name in names or self.api_names():
            offsets = self.offsets(name)
            if len(offsets) != len(ends):
                return False
            if any(offset < end for offset, end in zip(offsets, ends, strict=True)):
                return False
        return True

    def offsets(self, name: str) -> list[int]:
        """How far an API shows each partition; nothing if it does not answer."""
        process = self.role(name)
        status, _ = process.get("/api/status", self.url(name))
        if status != 200:
            return []
        return [one["offset"] for one in self.ask(name, "/api/status")["partitions"]]

    def ask(self, name: str, path: str) -> dict[str, Any]:
        """Ask an API for something that must be there."""
        return self.role(name).ask(path)

    def revive(self, down: Collection[str] = ()) -> None:
        """Start what ended by itself, and take note of it; nothing that is `down`."""
        for name, server in self.servers().items():
            if name not in down and not server.is_running:
                self.ended.append(f"{name} ended by itself: {server.log_tail()[-600:]}")
                server.start(wait=False)
        for name, lives in self.lives.items():
            status = lives[-1].process.poll()
            if status is None or name in down:
                continue
            if lives[-1].events("started") or lives[-1].events("page and API"):
                self.ended.append(f"{name} ended with {status}: {lives[-1].said[-600:]}")
            else:
                self.unable += 1
            self.start(name)

    def note_fenced(self, name: str) -> None:
        """Read how many writes of an aggregator were refused, before it ends and forgets it."""
        process = self.role(name)
        if not process.events("metrics") or process.process.poll() is not None:
            return
        with contextlib.suppress(AssertionError):  # it does not answer now
            for figure, count in process.metrics().items():
                found = FENCED.match(figure)
                if found is not None:
                    self._fenced[len(self.lives[name]), name, found[1]] = int(count)

    def fenced(self) -> dict[str, int]:
        """Writes refused as those of a former owner, by store."""
        found: dict[str, int] = {}
        for (_, _, store), count in self._fenced.items():
            found[store] = found.get(store, 0) + count
        return found

    def close(self) -> None:
        """End everything."""
        if hasattr(self, "market"):
            self.market.stop()
            self.feed.log.close()
        for lives in self.lives.values():
            lives[-1].close()
        for proxy in self.proxies.values():
            proxy.close()
        self.stack.stop()

    def _proxy(self, role: str, server: str) -> TcpProxy:
        proxy = self.proxies.get((role, server))
        if proxy is None:
            text = self.stack.redis.url
            if server == "nats" and self.stack.nats is not None:
                text = self.stack.nats.url
            elif server == "clickhouse":
                text = self.stack.clickhouse_dsn
            found = re.search(r":(\d+)", text.partition("//")[2])
            assert found is not None
            proxy = self.proxies[role, server] = TcpProxy(int(found[1]))
            proxy.start()
        return proxy
