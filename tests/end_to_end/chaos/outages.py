"""Carries a plan of outages out on a deployment, and brings everything back."""

import heapq
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from tests.end_to_end.chaos.deployment import Deployment
from tests.end_to_end.chaos.open_batches import OpenBatches

from swapstats.stack.local_stack import PARTITIONS
from swapstats.testing.outage_plan import BROKERS, ROLES, SERVERS, Outage

LOOK_S = 0.1


class Outages:
    """Works in the thread that calls it: servers die with the thread that started them.

    Args:
        deployment: what is hurt.
        tell: called with a line for people.

    Attributes:
        begun: outages carried out, by (kind, target).
        zombies: pauses of aggregators that outlast their session.
        left_out: outages of brokers that could not be spared, for one was slow to come back, and
            of servers that cannot be had here.
        batches: of the archive, open as what writes or takes them was killed.
    """

    def __init__(self, deployment: Deployment, tell: Callable[[str], None]) -> None:
        self.begun: Counter[tuple[str, str]] = Counter()
        self.zombies = 0
        self.left_out = 0
        self._deployment = deployment
        self._tell = tell
        self.batches = OpenBatches.of(deployment.settings)
        self._pause = threading.Event()
        self._down: set[str] = set()
        self._ends: list[tuple[float, int, Callable[[], None]]] = []

    def run(self, plan: Sequence[Outage], seconds: float) -> None:
        """Carry a plan out, then wait until the time is over and everything is back."""
        began = time.monotonic()
        for number, outage in enumerate(plan):
            self._wait_until(began + outage.at_ms / 1_000)
            why_not = self._why_not(outage)
            if why_not:
                self._tell(f"{outage}  left out: {why_not}")
                self.left_out += 1
                continue
            late_s = time.monotonic() - began - outage.at_ms / 1_000
            self._tell(f"{outage}" + (f"  ({late_s:.1f} s late)" if late_s > 0.5 else ""))
            end = self._begin(outage)
            until_s = time.monotonic() + outage.length_ms / 1_000
            heapq.heappush(self._ends, (until_s, number, end))
            self.begun[outage.kind, outage.target] += 1
        self._wait_until(max([began + seconds, *(end[0] for end in self._ends)]))
        self.batches.close()

    def _wait_until(self, moment_s: float) -> None:
        """Wait; end what is due, and start again what ended without being told to."""
        while True:
            now_s = time.monotonic()
            while self._ends and self._ends[0][0] <= now_s:
                heapq.heappop(self._ends)[2]()
            self._deployment.revive(self._down)
            if now_s >= moment_s:
                return
            soonest_s = min([moment_s, *(end[0] for end in self._ends[:1])])
            self._pause.wait(min(LOOK_S, max(0.0, soonest_s - now_s)))

    def _begin(self, outage: Outage) -> Callable[[], None]:
        """Begin an outage; returns what ends it."""
        if outage.kind.startswith("cut "):
            proxy = self._deployment.proxies[outage.target, outage.kind.partition(" ")[2]]
            proxy.cut()
            return proxy.mend
        if outage.target in ROLES:
            return self._begin_role(outage)
        return self._begin_server(outage)

    def _begin_role(self, outage: Outage) -> Callable[[], None]:
        name = outage.target
        process = self._deployment.role(name)
        if outage.kind == "pause":
            if name.startswith("aggregator"):
                session_ms = self._deployment.settings.ingest.session_timeout_ms
                self.zombies += outage.length_ms > session_ms
            process.process.send_signal(signal.SIGSTOP)
            return lambda: process.process.send_signal(signal.SIGCONT)
        if name.startswith("aggregator"):
            self._deployment.note_fenced(name)
            owned = [line["owned"] for line in process.events("partitions")]
            self.batches.kill("aggregator", process.close, owned[-1] if owned else ())
        else:
            process.close()
        self._down.add(name)

        def start() -> None:
            self._down.discard(name)
            self._deployment.start(name)

        return start

    def _begin_server(self, outage: Outage) -> Callable[[], None]:
        server = self._deployment.servers()[outage.target]
        if outage.kind == "pause":
            server.pause()
            return server.resume
        name = outage.target
        if name == "clickhouse":
            self.batches.kill(name, server.kill, range(PARTITIONS))
        else:
            server.kill()
        self._down.add(name)

        def start() -> None:
            self._down.discard(name)
            server.start(wait=False)

        return start

    def _why_not(self, outage: Outage) -> str:
        """Why an outage cannot be carried out; two of three brokers must be there."""
        servers = self._deployment.servers()
        wanted = outage.kind.partition(" ")[2] or outage.target
        if wanted in SERVERS and wanted not in servers:
            return f"{wanted} cannot be had here"
        if wanted in BROKERS and not all(servers[name]._answers() for name in BROKERS):
            return "another broker still comes back"
        return ""
