"""The processes a serving benchmark starts and watches: the service, and the floor.

It measures nothing but processor time, memory and where the time goes.
"""

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
START_S_MAX = 60.0
_TICK_HZ = os.sysconf("SC_CLK_TCK")


def start_service(folder: Path, rate: int) -> "Service":
    """Start a `swapstats run` whose demo market begins now and is live.

    The position of the demo market is a moment: a short life at a low rate leaves the ten minutes
    of past behind it.
    """
    with contextlib.closing(Service(folder, 1)) as life:
        life.wait_ready()
    life = Service(folder, rate)
    life.wait_ready()
    return life


class Service:
    """One life of `swapstats run`, fed by the demo market and by a pipe."""

    def __init__(self, folder: Path, rate: int) -> None:
        self.said = folder / f"run-{rate}.log"
        reading, self.pipe = os.pipe()
        command = [sys.executable, "-m", "swapstats", "run", "--data-dir", str(folder / "data")]
        command += ["--api-http-addr", "127.0.0.1:0", "--log-format", "json"]
        command += ["--source", "demo", "--source", "stdin"]
        command += ["--set", f"source.demo.rate={rate}"]
        for name in ("prometheus", "pprof"):
            command += ["--set", f"metrics.{name}=127.0.0.1:0"]
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                command, stdin=reading, stdout=said, stderr=subprocess.STDOUT
            )
        os.close(reading)
        self.port = int(urllib.parse.urlsplit(self._word("page and API", "url")).port or 0)
        self.metrics_address = self._word("metrics", "address")
        self.profiles_address = self._word("profiles", "address")

    def _word(self, event: str, member: str) -> str:
        until = time.monotonic() + START_S_MAX
        while time.monotonic() < until and self.process.poll() is None:
            for line in self.said.read_text(encoding="utf-8").splitlines():
                if f'"{event}"' in line and line.endswith("}"):
                    return str(json.loads(line)[member])
            time.sleep(0.05)
        raise RuntimeError(f"Expected the log line {event!r}, was {self.said.read_text()}")

    def get(self, path: str, address: str = "") -> bytes:
        """Ask the API, or whoever listens at an address."""
        url = f"http://{address or f'127.0.0.1:{self.port}'}{path}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return bytes(answer.read())

    def wait_ready(self) -> None:
        """Wait until it is ready and the demo market is no longer behind."""
        until = time.monotonic() + START_S_MAX
        while time.monotonic() < until:
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.get("/readyz")
                status = json.loads(self.get("/api/status"))
                live = "behind" not in status["source"]["detail"]
                if live and status["lag_ms"] == 0 and status["counters"]["applied"] > 0:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"Expected the server to be ready, was {self.said.read_text()}")

    def figures(self) -> dict[str, float]:
        """Scrape its metrics: name with labels -> value."""
        lines = self.get("/metrics", self.metrics_address).decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def profile(self, seconds: int) -> str:
        """Sample it for some seconds."""
        folded = self.get(f"/debug/pprof/profile?seconds={seconds}", self.profiles_address)
        return profile_text(folded.decode(), seconds)

    def resident_bytes(self) -> int:
        """Its memory in RAM."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+)", text)
        return int(found[1]) * 1_024 if found else 0

    def close(self) -> None:
        """End it gracefully."""
        self.process.terminate()
        os.close(self.pipe)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


class FloorServer:
    """`floor_server.py` as a process."""

    def __init__(self, stats_bytes: int, overview_bytes: int, frame_bytes: int) -> None:
        reading, self.pipe = os.pipe()
        command = [sys.executable, str(HERE / "floor_server.py")]
        command += ["--stats-bytes", str(stats_bytes), "--overview-bytes", str(overview_bytes)]
        command += ["--frame-bytes", str(frame_bytes)]
        self.process = subprocess.Popen(command, stdin=reading, stdout=subprocess.PIPE)
        os.close(reading)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        os.close(self.pipe)


def profile_text(folded: str, seconds: int, top: int = 18) -> str:
    """CPU by thread, then the functions with the most of their own."""
    threads: Counter[str] = Counter()
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for line in folded.splitlines():
        stack, weight = line.rsplit(" ", 1)
        labels = stack.split(";")
        name = re.sub(r"[-_]?\d+$", "", labels[0])
        threads[name] += int(weight)
        own[f"{name}: {labels[-1]}"] += int(weight)
        for label in set(labels[1:]):
            total[f"{name}: {label}"] += int(weight)
    core = seconds * 1e6
    lines = ["  share of a core by thread:"]
    lines += [f"    {100 * used / core:5.1f}%  {name}" for name, used in threads.most_common(8)]
    lines += ["    own   total"]
    lines += [
        f"  {100 * used / core:5.1f}% {100 * total[name] / core:5.1f}%  {name}"
        for name, used in own.most_common(top)
    ]
    return "\n".join(lines)


def cpu_s(pid: int) -> float:
    """Processor time of a process so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICK_HZ
