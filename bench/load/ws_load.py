"""WebSocket load: many clients, and exact event-to-frame latency through probe swaps.

The n-th swap of a probe token is written to a pipe at a noted moment; a frame that shows
`"trades":n` for it tells when swaps up to n reached that client, coalesced ones included. Frames
are cut by their header and searched as bytes, never parsed. Result: one JSON line.
"""

import argparse
import asyncio
import gc
import json
import os
import random
import re
import resource
import socket
import sys
import time
import urllib.request
from array import array
from pathlib import Path
from struct import pack, unpack_from
from typing import cast

import numpy as np
import uvloop

HANDSHAKE = (
    "GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
CONNECT_AT_ONCE = 50
DRAIN_S = 3.0
SUBSCRIPTIONS_MAX = 100
"""As many as the service lets one client have by default."""
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_WIDEST = b'"w24h":{'
_TRADES = re.compile(rb'"trades":(\d+)')


def client_frame(opcode: int, payload: bytes) -> bytes:
    """A masked frame; the mask is zero, so the payload stands as it is."""
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    else:
        head = pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    return head + b"\0\0\0\0" + payload


class Probes:
    """Tokens whose every swap has a known moment."""

    def __init__(self, names: list[str], handle: int, rate_hz: float) -> None:
        self.names = names
        self.handle = handle
        self.gap_s = 1.0 / (rate_hz * len(names))
        self.sent_s: list[array[float]] = [array("d") for _ in names]
        self.late_s = 0.0

    def send(self, number: int) -> None:
        """Send the next swap of one probe token."""
        sent = self.sent_s[number]
        name = self.names[number]
        line = (
            f'{{"schema_version":1,"event_id":"{name}:{len(sent)}","token_address":"{name}",'
            f'"side":"buy","amount_token":"1.5","amount_usd":"1.25",'
            f'"event_time":{time.time_ns() // 1_000_000}}}\n'
        ).encode()
        sent.append(time.perf_counter())
        if os.write(self.handle, line) != len(line):
            raise RuntimeError("Expected room in the pipe, was none: the server does not read")

    async def run(self, span_s: float) -> None:
        """Send every probe in turn, spread evenly."""
        begun, made = time.perf_counter(), 0
        count = int(span_s / self.gap_s)
        while made < count:
            now = time.perf_counter()
            due = min(count, int((now - begun) / self.gap_s) + 1)
            if made < due:
                self.late_s = max(self.late_s, now - begun - made * self.gap_s)
            for number in range(made, due):
                self.send(number % len(self.names))
            made = due
            await asyncio.sleep(max(0.0005, begun + made * self.gap_s - time.perf_counter()))


class Totals:
    """What all clients got."""

    def __init__(self) -> None:
        self.frames = self.events = self.size = self.errors = 0
        self.first_error = ""
        self.closed: dict[str, int] = {}
        self.counting = False
        self.latency_s = array("d")
        self.ending = False


class Client(asyncio.Protocol):
    """One subscriber that reads everything at once."""

    transport: asyncio.Transport

    def __init__(
        self, totals: Totals, probes: Probes, probe: int, first: bytes, handshake: bytes
    ) -> None:
        self.totals = totals
        self.mark = f'"channel":"token:{probes.names[probe]}"'.encode()
        self.sent_s = probes.sent_s[probe]
        self.seen = 0
        self.first = first
        self.handshake = handshake
        self.open = False
        self.ready = asyncio.get_running_loop().create_future()
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the handshake."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self.handshake)

    def data_received(self, data: bytes) -> None:
        """Cut frames out of what came."""
        if self.rest:
            data = self.rest + data
            self.rest = b""
        at, size = 0, len(data)
        if not self.open:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self.rest = data
                return
            if data[9:12] != b"101":
                self.error(data[:80])
                return
            self.open = True
            self.transport.write(self.first)
            at = end + 4
        while size - at >= 2:
            length, body = data[at + 1], at + 2
            if length == 126:
                if size - at < 4:
                    break
                length, body = (data[at + 2] << 8) | data[at + 3], at + 4
            elif length == 127:
                if size - at < 10:
                    break
                length, body = unpack_from("!Q", data, at + 2)[0], at + 10
            if body + length > size:
                break
            self.frame(data[at] & 15, data, body, body + length)
            at = body + length
        if at < size:
            self.rest = data[at:]

    def frame(self, opcode: int, data: bytes, start: int, stop: int) -> None:
        """Count a frame, look for the probe, answer pings."""
        if opcode == _TEXT:
            totals = self.totals
            if totals.counting:
                totals.frames += 1
                totals.size += stop - start
                totals.events += data.count(b'{"event":"', start, stop)
            place = data.find(self.mark, start, stop)
            if place >= 0:
                self.probed(data, place, stop)
            elif data.startswith(b'{"type":"urn', start):
                self.error(data[start : start + 200])
        elif opcode == _PING:
            self.transport.write(client_frame(_PONG, data[start:stop]))
        elif opcode == _CLOSE:
            code = str((data[start] << 8) | data[start + 1]) if stop - start >= 2 else "none"
            self.totals.closed[code] = self.totals.closed.get(code, 0) + 1

    def probed(self, data: bytes, place: int, stop: int) -> None:
        """Take the latency of every probe swap this frame is the first to show."""
        found = _TRADES.search(data, data.find(_WIDEST, place, stop), stop)
        if found is None:
            return
        now, shown, sent = time.perf_counter(), int(found[1]), self.sent_s
        if self.totals.counting:
            latency = self.totals.latency_s
            for number in range(self.seen, shown):
                latency.append(now - sent[number])
        self.seen = shown
        if not self.ready.done():
            self.ready.set_result(None)

    def error(self, text: bytes) -> None:
        """Note what should not happen."""
        self.totals.errors += 1
        self.totals.first_error = self.totals.first_error or text.decode(errors="replace")
        if not self.ready.done():
            self.ready.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody should be cut off."""
        if not self.totals.ending:
            self.error(f"connection lost: {exc!r}".encode())


class Mute:
    """A client that subscribes as much as it may and never reads."""

    def __init__(self, host: str, port: int, handshake: bytes, channels: list[str]) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self.socket.connect((host, port))
        self.socket.sendall(handshake)
        while b"\r\n\r\n" not in self.socket.recv(4_096, socket.MSG_PEEK):
            time.sleep(0.001)
        self.socket.sendall(subscription(channels))

    def fate(self) -> str:
        """Take what the kernels still hold, until the end of the connection or of patience."""
        self.socket.settimeout(1.0)
        taken = 0
        tail = b""
        try:
            while piece := self.socket.recv(1 << 16):
                taken += len(piece)
                tail = (tail + piece)[-64:]
                if taken > 1 << 26:
                    return "still sending"
        except TimeoutError:
            return "still open"
        except ConnectionError:
            return "dropped"
        return "closed with 1013" if b"\x03\xf5too slow" in tail else "ended"


def subscription(channels: list[str]) -> bytes:
    return client_frame(_TEXT, json.dumps({"subscribe": channels}).encode())


async def known(url: str, probes: Probes) -> None:
    """Make every probe token known to the server: one swap each, then ask until it answers."""
    for number in range(len(probes.names)):
        probes.send(number)
    for name in probes.names:
        for _ in range(200):
            try:
                await asyncio.to_thread(urllib.request.urlopen, f"{url}/api/tokens/{name}/stats")
                break
            except OSError:
                await asyncio.sleep(0.05)


async def measure(given: argparse.Namespace) -> dict[str, object]:
    names = [f"probe-{given.run}-{number:02d}" for number in range(given.probes)]
    probes = Probes(names, given.pipe, given.rate)
    busy = Path(given.tokens).read_text(encoding="utf-8").split("\n")[:-1]
    if not given.floor:
        await known(f"http://{given.host}:{given.port}", probes)
    handshake = HANDSHAKE.format(host=given.host, port=given.port).encode()
    chance, totals = random.Random(given.seed), Totals()
    clients: list[Client] = []

    async def connect(number: int) -> None:
        channels = [f"token:{key}" for key in chance.sample(busy, given.subscriptions - 1)]
        channels.append(f"token:{names[number % len(names)]}")
        client = Client(totals, probes, number % len(names), subscription(channels), handshake)
        clients.append(client)
        await asyncio.get_running_loop().create_connection(lambda: client, given.host, given.port)

    for first in range(0, given.clients, CONNECT_AT_ONCE):
        numbers = range(first, min(first + CONNECT_AT_ONCE, given.clients))
        await asyncio.gather(*(connect(number) for number in numbers))
    async with asyncio.timeout(30):
        if not given.floor:
            await asyncio.gather(*(client.ready for client in clients))
    gc.collect()
    gc.freeze()
    gc.disable()
    await probes.run(given.warm_seconds)
    everything = [f"token:{name}" for name in [*names, *busy]][:SUBSCRIPTIONS_MAX]
    mutes = [
        await asyncio.to_thread(Mute, given.host, given.port, handshake, everything)
        for _ in range(given.mutes)
    ]
    await asyncio.sleep(0.5)
    before = [len(sent) for sent in probes.sent_s]
    totals.counting = True
    begun, used = time.perf_counter(), cpu_s()
    await probes.run(given.seconds)
    took_s, used_s = time.perf_counter() - begun, cpu_s() - used
    frames, events, size = totals.frames, totals.events, totals.size
    await asyncio.sleep(DRAIN_S)
    totals.counting, totals.ending = False, True
    missing = sum(len(client.sent_s) - client.seen for client in clients)
    expected = sum(
        len(client.sent_s) - before[number % len(names)] for number, client in enumerate(clients)
    )
    fates: dict[str, int] = {}
    for mute in mutes:
        fate = await asyncio.to_thread(mute.fate)
        fates[fate] = fates.get(fate, 0) + 1
    for client in clients:
        client.transport.abort()
    latency_ms = np.frombuffer(totals.latency_s) * 1_000
    return {
        "clients": given.clients,
        "probe_events": expected,
        "seen": len(latency_ms),
        "missing": missing,
        "errors": totals.errors,
        "first_error": totals.first_error,
        "closed": totals.closed,
        "mutes": fates,
        "frames_per_s": frames / took_s,
        "events_per_s": events / took_s,
        "frame_bytes": size / max(1, frames),
        "bytes_per_s": size / took_s,
        "p50_ms": float(np.percentile(latency_ms, 50)),
        "p95_ms": float(np.percentile(latency_ms, 95)),
        "p99_ms": float(np.percentile(latency_ms, 99)),
        "max_ms": float(latency_ms.max()),
        "generator_cpu": used_s / took_s,
        "generator_late_ms": probes.late_s * 1_000,
    }


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pipe", type=int, required=True, help="handle that takes probe swaps")
    parser.add_argument("--tokens", required=True, help="file with one busy token key a line")
    parser.add_argument("--run", default="1", help="part of the probe tokens' names")
    parser.add_argument("--clients", type=int, default=1_000)
    parser.add_argument("--subscriptions", type=int, default=5)
    parser.add_argument("--probes", type=int, default=20)
    parser.add_argument("--rate", type=float, default=10.0, help="swaps a second, each probe")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--warm-seconds", type=float, default=3)
    parser.add_argument("--mutes", type=int, default=0, help="clients that never read")
    parser.add_argument("--floor", action="store_true", help="the server is floor_server.py")
    parser.add_argument("--seed", type=int, default=1)
    json.dump(uvloop.run(measure(parser.parse_args())), sys.stdout)


if __name__ == "__main__":
    main()
