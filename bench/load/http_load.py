"""HTTP load at a constant rate, open loop: latency counts from the moment a request was due.

It sends on keep-alive connections, never waits for an answer before the next request is due, and
never reads JSON: status and length of an answer are all it looks at. Result: one JSON line.
"""

import argparse
import asyncio
import json
import random
import resource
import sys
import time
from array import array
from collections import deque
from pathlib import Path
from typing import cast

import numpy as np
import uvloop

TICK_S = 0.001
GRACE_S = 5.0
_HEAD_END = b"\r\n\r\n"


class Load:
    """The requests, when they are due and how they went."""

    def __init__(self, host: str, port: int, paths: list[str], rate: float, span_s: float) -> None:
        head = f"Host: {host}:{port}\r\n\r\n"
        self.requests = [f"GET {path} HTTP/1.1\r\n{head}".encode() for path in paths]
        self.rate = rate
        self.count = int(rate * span_s)
        self.due: deque[float] = deque()
        self.idle: list[Connection] = []
        self.latency_s = array("d")
        self.errors: dict[str, int] = {}
        self.answer_bytes = 0
        self.late_s = 0.0
        self.next_path = 0
        self.finished = asyncio.Event()

    def pump(self) -> None:
        """Send what is due while a connection is idle."""
        while self.due and self.idle:
            connection = self.idle.pop()
            connection.due_s = self.due.popleft()
            connection.busy = True
            self.next_path = (self.next_path + 1) % len(self.requests)
            connection.transport.write(self.requests[self.next_path])

    def error(self, name: str) -> None:
        """Note what went wrong with a request."""
        self.errors[name] = self.errors.get(name, 0) + 1
        self.check_end()

    def check_end(self) -> None:
        """End once every request has its fate."""
        if len(self.latency_s) + sum(self.errors.values()) >= self.count:
            self.finished.set()

    async def run(self) -> None:
        """Make requests due, one every 1 / rate seconds."""
        loop = asyncio.get_running_loop()
        begun = time.perf_counter()
        made = 0
        while made < self.count:
            now = time.perf_counter()
            first_due = begun + made / self.rate
            if now >= first_due:
                self.late_s = max(self.late_s, now - first_due)
                until = min(self.count, int((now - begun) * self.rate) + 1)
                self.due.extend(begun + number / self.rate for number in range(made, until))
                made = until
                self.pump()
            await asyncio.sleep(TICK_S)
        loop.call_later(GRACE_S, self.finished.set)
        await self.finished.wait()


class Connection(asyncio.Protocol):
    """One keep-alive connection; a request at a time."""

    transport: asyncio.Transport

    def __init__(self, load: Load) -> None:
        self.load = load
        self.due_s = 0.0
        self.busy = False
        self.left = 0
        self.status = b""
        self.head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin idle."""
        self.transport = cast("asyncio.Transport", transport)
        self.load.idle.append(self)

    def data_received(self, data: bytes) -> None:
        """Find out whether the answer is whole."""
        load = self.load
        load.answer_bytes += len(data)
        if self.left:
            self.left -= len(data)
        else:
            data = self.head + data
            end = data.find(_HEAD_END)
            if end < 0:
                self.head = data
                return
            self.head = b""
            self.status = data[9:12]
            at = data.find(b"Content-Length: ", 0, end) + 16
            stop = data.find(b"\r", at)
            self.left = end + 4 + int(data[at:stop]) - len(data)
        if self.left > 0:
            return
        self.left = 0
        self.busy = False
        if self.status == b"200":
            load.latency_s.append(time.perf_counter() - self.due_s)
            load.check_end()
        else:
            load.error(f"status {self.status.decode()}")
        load.idle.append(self)
        if load.due:
            load.pump()

    def connection_lost(self, exc: Exception | None) -> None:
        """A request under way is an error."""
        if self.busy:
            self.load.error(f"connection lost {exc!r}")
        elif self in self.load.idle and not self.load.finished.is_set():
            self.load.idle.remove(self)


async def measure(given: argparse.Namespace) -> dict[str, object]:
    paths = Path(given.paths).read_text(encoding="utf-8").split()
    random.Random(given.seed).shuffle(paths)
    load = Load(given.host, given.port, paths, given.rate, given.seconds)
    loop = asyncio.get_running_loop()
    made = await asyncio.gather(
        *(
            loop.create_connection(lambda: Connection(load), given.host, given.port)
            for _ in range(given.connections)
        )
    )
    begun, used = time.perf_counter(), cpu_s()
    await load.run()
    took_s, used_s = time.perf_counter() - begun, cpu_s() - used
    for transport, _ in made:
        transport.abort()
    latency_ms = np.frombuffer(load.latency_s) * 1_000
    unfinished = load.count - len(latency_ms) - sum(load.errors.values())
    if unfinished:
        load.errors["unfinished"] = unfinished
    return {
        "requests": load.count,
        "answered": len(latency_ms),
        "errors": sum(load.errors.values()),
        "error_kinds": load.errors,
        "rate": len(latency_ms) / took_s,
        "mean_bytes": load.answer_bytes / max(1, len(latency_ms)),
        "p50_ms": float(np.percentile(latency_ms, 50)),
        "p95_ms": float(np.percentile(latency_ms, 95)),
        "p99_ms": float(np.percentile(latency_ms, 99)),
        "max_ms": float(latency_ms.max()),
        "generator_cpu": used_s / took_s,
        "generator_late_ms": load.late_s * 1_000,
    }


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--paths", required=True, help="file with one path a line")
    parser.add_argument("--rate", type=float, default=1_000)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    json.dump(uvloop.run(measure(parser.parse_args())), sys.stdout)


if __name__ == "__main__":
    main()
