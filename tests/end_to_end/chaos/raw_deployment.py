"""Servers, two preprocessors of one group, and a made market in the raw log."""

import contextlib
import random
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from tests.conformance.postgres_server import PostgresServer
from tests.end_to_end.stack_roles import RoleProcess
from tests.roles.preprocess.raw_events import MadeStream

from swapstats.core.raw_placing import place_raw_events
from swapstats.errors import Transient
from swapstats.model.record import MessageBlock
from swapstats.ports.swap_log import SwapLog
from swapstats.settings import load
from swapstats.stack.local_stack import LocalStack
from swapstats.stack.process import ServerProcess
from swapstats.testing.eventually import eventually
from swapstats.wiring.transport import raw_transport, transport

PARTITIONS = 4
SESSION_MS = 6_000
ROLES = ("preprocess-1", "preprocess-2")
BROKERS = ("broker-1", "broker-2", "broker-3")
BATCH_EVENTS = 60
BATCH_S = 0.1
DELIVERY_MS = 20_000
SHARED_MS = 120_000


class RawMarket:
    """Writes raw events in a thread of its own; those not acknowledged come again."""

    def __init__(self, log: SwapLog, seed: int) -> None:
        self.failure: BaseException | None = None
        self._log = log
        self._made = MadeStream(random.Random(seed), now_ms=time.time_ns() // 1_000_000)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="market", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End once everything made is acknowledged."""
        self._stopping.set()
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def _work(self) -> None:
        try:
            while not self._stopping.wait(BATCH_S):
                self._write(MessageBlock.of(self._made.events(BATCH_EVENTS)))
        except BaseException as error:
            self.failure = error

    def _write(self, block: MessageBlock) -> None:
        now_ms = time.time_ns() // 1_000_000
        places = place_raw_events(block, PARTITIONS, now_ms)
        while True:
            with contextlib.suppress(Transient):
                self._log.append(block, places, now_ms, {})
                return


class RawDeployment:
    """Everything by name, as a context.

    Args:
        directory: for data and logs.
        seed: of the market.
        postgres: where candles go.

    Attributes:
        settings: what all roles are given.
        market: the writer of the raw log.
        ended: what ended by itself, with the end of its log.
    """

    def __init__(self, directory: Path, seed: int, postgres: PostgresServer) -> None:
        self.ended: list[str] = []
        self._directory = directory
        self._seed = seed
        self._postgres = postgres
        self._lives: dict[str, RoleProcess] = {}
        self._down: set[str] = set()
        self._opened = contextlib.ExitStack()
        self._stack = LocalStack(
            directory / "stack",
            brokers=len(BROKERS),
            extra={
                "ingest.raw_partitions": str(PARTITIONS),
                "ingest.session_timeout": f"{SESSION_MS}ms",
                "preprocess.snapshot_interval": "500ms",
                "preprocess.liquidity_floor": "1",
                "stores.postgres.dsn": postgres.dsn,
            },
        )
        stack = self._stack
        stack.nats = stack.s3 = stack.s3_access = stack.clickhouse = None
        stack.clickhouse_dsn = ""

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opened:
            opened.enter_context(self._stack)
            self.settings = load(self._stack.config_path, environ={})
            for log in (transport(self.settings), raw_transport(self.settings)):
                log.prepare()
            raw = raw_transport(self.settings).open_log(DELIVERY_MS)
            opened.callback(raw.close)
            opened.callback(self._end_roles)
            self.market = RawMarket(raw, self._seed)
            for name in ROLES:
                self._start(name)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def wait_until_shared(self) -> None:
        """Wait until each preprocessor owns partitions."""

        def is_shared() -> bool:
            told = [role.events("partitions") for role in self._lives.values()]
            return all(lines and lines[-1]["owned"] for lines in told)

        eventually(is_shared, SHARED_MS, "both preprocessors to own partitions")

    def spare(self) -> bool:
        """True while every broker is there: one of three may go."""
        return all(broker._answers() for broker in self._stack.kafka.brokers)

    def revive(self) -> None:
        """Start roles that ended by themselves, and take note of it."""
        for name, role in self._lives.items():
            if name not in self._down and role.process.poll() is not None:
                self.ended.append(f"{name}: {role.said[-1_000:]}")
                self._start(name)

    def stop(self) -> list[int]:
        """End both preprocessors in good order; returns their exit statuses."""
        for role in self._lives.values():
            role.event("started")
        return [role.end() for role in self._lives.values()]

    def hurt(self, kind: str, target: str) -> Callable[[], None]:
        """Kill or pause something; returns what brings it back."""
        if target in ROLES:
            return self._hurt_role(kind, target)
        if target == "postgres":
            return self._postgres.kill() if kind == "kill" else self._postgres.pause()
        server = self._servers()[target]
        if kind == "pause":
            server.pause()
            return server.resume
        server.kill()
        return lambda: server.start(wait=False)

    def _hurt_role(self, kind: str, name: str) -> Callable[[], None]:
        process = self._lives[name].process
        if kind == "pause":
            process.send_signal(signal.SIGSTOP)
            return lambda: process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
        self._down.add(name)

        def again() -> None:
            self._down.discard(name)
            self._start(name)

        return again

    def _servers(self) -> Mapping[str, ServerProcess]:
        return dict(zip(BROKERS, self._stack.kafka.brokers, strict=True)) | {
            "redis": self._stack.redis
        }

    def _start(self, name: str) -> None:
        self._lives[name] = RoleProcess("preprocess", self._stack.config_path, self._directory)

    def _end_roles(self) -> None:
        for role in self._lives.values():
            role.close()
