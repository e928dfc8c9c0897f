"""Serving under load while 10,000 swaps a second come in: see `docs/BENCHMARKS_SERVING.md`.

Starts a real `swapstats run`, then each load on its own, then the same loads against the floor.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from swapstats.roles.bench.figures import Figure, Findings, Spread
from swapstats.roles.bench.machine import this_machine, usable_cores

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where `bench` is, for a script
from bench.load.processes import FloorServer, Service, cpu_s, start_service

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SETTLE_S = 5.0
BUSY_TOKENS = 100
SWAPS_PER_S = 10_000
LOOK_S = 0.25
Result = dict[str, Any]

HTTP_TARGETS = {"p50": None, "p95": None, "p99": 20.0}
BURST_TARGETS = {"p50": None, "p95": 80.0, "p99": None}
WS_TARGETS = {"p50": None, "p95": None, "p99": 250.0}


class Bench:
    """One run of everything."""

    def __init__(self, given: argparse.Namespace, folder: Path) -> None:
        self.given = given
        self.folder = folder
        self.results: dict[str, list[Result]] = {}
        self.profiles: dict[str, str] = {}
        self.run_count = 0

    def generate(self, script: str, server: Any, *arguments: object) -> subprocess.Popen[bytes]:
        """Start a generator."""
        command = [sys.executable, str(HERE / "load" / script), "--port", str(server.port)]
        handles: tuple[int, ...] = ()
        if script == "ws_load.py":
            command += ["--pipe", str(server.pipe)]
            handles = (server.pipe,)
        process = subprocess.Popen(
            [*command, *map(str, arguments)], stdout=subprocess.PIPE, pass_fds=handles
        )
        if self.given.pin:
            os.sched_setaffinity(process.pid, {usable_cores()[-1]})
        return process

    def load(self, name: str, script: str, server: Any, *arguments: object) -> Result:
        """One load on its own, with what the server did meanwhile."""
        life = server if isinstance(server, Service) else None
        pid = server.process.pid
        before = life.figures() if life else {}
        resident = life.resident_bytes() if life else 0
        begun, used = time.perf_counter(), cpu_s(pid)
        process = self.generate(script, server, *arguments)
        most = resident
        if life and self.given.profile and name not in self.profiles:
            time.sleep(10 if script == "ws_load.py" else 3)
            self.profiles[name] = life.profile(5)
        while process.poll() is None:
            most = max(most, life.resident_bytes() if life else 0)
            time.sleep(LOOK_S)
        out, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"Expected {script} to end well, was {process.returncode}")
        took_s = time.perf_counter() - begun
        found: Result = json.loads(out)
        found["server_cpu"] = (cpu_s(pid) - used) / took_s
        if life:
            after = life.figures()
            count = "events_ingested_total"
            found["swaps_per_s"] = (after[count] - before[count]) / took_s
            found["resident_mib_before"] = resident / 2**20
            found["resident_mib_most"] = most / 2**20
            found["resident_mib_after"] = life.resident_bytes() / 2**20
            slow = 'ws_dropped_msgs_total{reason="slow_client"}'
            found["dropped_slow"] = after.get(slow, 0.0) - before.get(slow, 0.0)
            found["lag_s"] = max(
                (value for key, value in after.items() if key.startswith("consumer_lag_seconds")),
                default=0.0,
            )
        self.results.setdefault(name, []).append(found)
        print(f"  {name}: {brief(found)}", flush=True)
        return found

    def http(self, name: str, server: Any, paths: Path, rate: int, seconds: float) -> Result:
        """Requests at a constant rate."""
        connections = 64 if rate <= 2_000 else 256
        return self.load(
            name, "http_load.py", server, "--paths", paths, "--rate", rate,
            "--seconds", seconds, "--connections", connections,
        )  # fmt: skip

    def ws(self, name: str, server: Any, tokens: Path, *arguments: object) -> Result:
        """Clients, and probe swaps."""
        self.run_count += 1
        return self.load(
            name, "ws_load.py", server, "--tokens", tokens, "--seconds", self.given.seconds,
            "--clients", self.given.clients, "--run", self.run_count, *arguments,
        )  # fmt: skip

    def measure(self) -> None:
        """Every load against the service, then against the floor."""
        wanted = self.given.only.split(",")
        life = start_service(self.folder, self.given.rate)
        try:
            time.sleep(SETTLE_S)
            keys = busiest(life)
            tokens = self.folder / "tokens"
            tokens.write_text("".join(f"{key}\n" for key in keys), encoding="utf-8")
            paths = request_paths(self.folder / "paths", keys)
            for number in range(self.given.rounds):
                print(f"round {number + 1}, load {os.getloadavg()[0]:.1f}", flush=True)
                if "none" in wanted:
                    self.load("no load", "no_load.py", life, "--seconds", self.given.seconds)
                if "http" in wanted:
                    self.http("http", life, paths, 1_000, self.given.seconds)
                if "burst" in wanted:
                    self.http("burst", life, paths, 5_000, min(10.0, self.given.seconds))
                if "ws" in wanted:
                    self.ws("ws", life, tokens)
                if "mute" in wanted:
                    self.ws("ws with 10 that never read", life, tokens, "--mutes", 10)
            if "wrk" in wanted:
                self.wrk("wrk", life, paths)
            if "k6" in wanted:
                self.k6("k6 http", life, paths, 1_000, self.given.seconds)
                self.k6("k6 burst", life, paths, 5_000, min(10.0, self.given.seconds))
            sizes = (len(life.get(stats_path(keys[0]))), len(life.get("/api/overview")))
        finally:
            life.close()
        if "floor" in wanted:
            self.measure_floor(wanted, paths, tokens, sizes)

    def measure_floor(
        self, wanted: Sequence[str], paths: Path, tokens: Path, sizes: tuple[int, int]
    ) -> None:
        """The same loads against the least an aiohttp server can do."""
        frame = round(self.results["ws"][0]["frame_bytes"]) if "ws" in self.results else 2_000
        floor = FloorServer(*sizes, frame)
        try:
            for _ in range(self.given.rounds):
                if "http" in wanted:
                    self.http("floor http", floor, paths, 1_000, self.given.seconds)
                if "burst" in wanted:
                    self.http("floor burst", floor, paths, 5_000, min(10.0, self.given.seconds))
                if "ws" in wanted:
                    self.ws("floor ws", floor, tokens, "--floor")
            if "wrk" in wanted:
                self.wrk("floor wrk", floor, paths)
        finally:
            floor.close()

    def wrk(self, name: str, server: Any, paths: Path) -> None:
        """The closed-loop figure: as many requests as 64 connections get answered."""
        if shutil.which("wrk") is None:
            print("  wrk is not installed: no closed-loop figure")
            return
        script = self.folder / "mix.lua"
        listed = ",".join(json.dumps(path) for path in paths.read_text().split())
        script.write_text(
            f"local paths = {{{listed}}}\nlocal at = 0\nrequest = function()\n"
            "  at = at % #paths + 1\n  return wrk.format('GET', paths[at])\nend\n"
        )
        out = subprocess.run(
            ["wrk", "-t1", "-c64", "-d10s", "--latency", "-s", str(script),
             f"http://127.0.0.1:{server.port}"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
        p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
        factor = {"us": 0.001, "ms": 1.0, "s": 1_000.0}
        found: Result = {
            "rate": float(rate[1]) if rate else 0.0,
            "p99_ms": float(p99[1]) * factor[p99[2]] if p99 else 0.0,
            "errors": int(bad[1]) if bad else 0,
        }
        self.results.setdefault(name, []).append(found)
        print(f"  {name}: {brief(found)}", flush=True)

    def k6(self, name: str, server: Any, paths: Path, rate: int, seconds: float) -> None:
        """The same requests from another hand; it takes much more of the machine than ours."""
        if shutil.which("k6") is None:
            print("  k6 is not installed: no second opinion")
            return
        given = {"PORT": server.port, "PATHS": paths, "RATE": rate, "SECONDS": round(seconds)}
        begun, used = time.perf_counter(), sum(os.times()[2:4])
        out = subprocess.run(
            ["k6", "run", "--quiet", "--no-usage-report", str(HERE / "load" / "k6.js")],
            capture_output=True, text=True, check=True,
            env=os.environ | {key: str(value) for key, value in given.items()},
        ).stdout  # fmt: skip
        found: Result = json.loads(out[out.index("{") :])
        found["generator_cpu"] = (sum(os.times()[2:4]) - used) / (time.perf_counter() - begun)
        self.results.setdefault(name, []).append(found)
        print(f"  {name}: {brief(found)}", flush=True)


def busiest(life: Service) -> list[str]:
    path = f"/api/overview?window=24h&sort=trades&limit={BUSY_TOKENS}"
    return [row["token"] for row in json.loads(life.get(path))["rows"]]


def stats_path(key: str) -> str:
    return f"/api/tokens/{urllib.parse.quote(key, safe='')}/stats"


def request_paths(file: Path, keys: Sequence[str]) -> Path:
    """Four of five requests ask for a token, one for an overview."""
    chance = random.Random(1)
    overviews = ["/api/overview", "/api/overview?window=1h", "/api/overview?window=24h&sort=trades"]
    lines = []
    for number in range(500):
        if number % 5 == 4:
            lines.append(chance.choice(overviews))
        else:
            windows = chance.choice(["", "?windows=5m", "?windows=5m,1h,24h"])
            lines.append(stats_path(chance.choice(keys)) + windows)
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def brief(found: Result) -> str:
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in found.items()
    )


_MEMBERS = (
    ("swaps_per_s", "swaps coming in", "swaps/s"),
    ("rate", "rate", "requests/s"),
    ("frames_per_s", "frames received", "frames/s"),
    ("events_per_s", "events received", "events/s"),
    ("frame_bytes", "size of a frame", "bytes"),
    ("server_cpu", "server", "cores"),
    ("generator_cpu", "generator", "cores"),
    ("generator_late_ms", "generator late at most", "ms"),
    ("resident_mib_before", "server's memory before", "MiB"),
)


def figures(results: dict[str, list[Result]]) -> Iterator[Figure]:
    for name, targets in (
        ("no load", {}),
        ("http", HTTP_TARGETS),
        ("burst", BURST_TARGETS),
        ("ws", WS_TARGETS),
        ("ws with 10 that never read", WS_TARGETS),
    ):
        rounds = results.get(name, [])
        if not rounds:
            continue
        floors = results.get(f"floor {name.split()[0]}", [])
        for part, target in targets.items():
            values = [found[f"{part}_ms"] for found in rounds]
            label = f"{name} {part}"
            yield Figure.spread(label, values, "ms", target, at_least=False)
            if floors:
                base = [found[f"{part}_ms"] for found in floors]
                yield Figure.spread(f"floor of {label}", base, "ms")
                yield Figure(
                    f"{label} over its floor",
                    Spread.of(values).median / Spread.of(base).median,
                    "times",
                )
        errors = [float(found["errors"] + found.get("missing", 0)) for found in rounds]
        yield Figure(f"{name} errors", max(errors), "errors", 0.0, at_least=False)
        for member, label, unit in _MEMBERS:
            if member in rounds[0]:
                yield Figure.spread(f"{name} {label}", [f[member] for f in rounds], unit)
        grown = [found["resident_mib_most"] - found["resident_mib_before"] for found in rounds]
        yield Figure.spread(f"{name} server's memory grew by at most", grown, "MiB")
        if any(found.get("mutes") for found in rounds):
            open_ones = [found["mutes"].get("still open", 0) for found in rounds]
            dropped = [found["dropped_slow"] for found in rounds]
            yield Figure.spread(f"{name} channels let go with 1013", dropped, "")
            yield Figure(
                f"{name} connections still open", float(max(open_ones)), "", 0.0, at_least=False,
                note=str([found["mutes"] for found in rounds]),
            )  # fmt: skip
    for name in ("wrk", "floor wrk"):
        for found in results.get(name, []):
            yield Figure(f"{name} closed loop", found["rate"], "requests/s")
    for name in ("k6 http", "k6 burst"):
        for found in results.get(name, []):
            for part in ("p50", "p95", "p99"):
                yield Figure(f"{name} {part}", found[f"{part}_ms"], "ms")
            yield Figure(f"{name} errors", float(found["errors"]), "errors")
            yield Figure(f"{name} requests k6 did not send in time", float(found["dropped"]), "")
            yield Figure(f"{name} generator", found["generator_cpu"], "cores")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=30, help="of each load but the burst")
    parser.add_argument("--rate", type=int, default=SWAPS_PER_S, help="swaps a second coming in")
    parser.add_argument("--clients", type=int, default=1_000)
    parser.add_argument("--only", default="none,http,burst,ws,mute,wrk,k6,floor")
    parser.add_argument("--profile", action="store_true", help="sample the server in round 1")
    parser.add_argument("--pin", action="store_true", help="keep the generators on the last core")
    given = parser.parse_args()
    found = Findings("serving", this_machine())
    found.method.append(
        f"One `swapstats run` (embedded, 12 partitions by default) takes {given.rate:,} demo "
        f"swaps/s; {given.rounds} rounds of each load on its own, then the floor."
    )
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(given, Path(folder))
        bench.measure()
    found.figures += figures(bench.results)
    print(found.text())
    for name, text in bench.profiles.items():
        print(f"\nprofile during {name}\n{text}")
    path = found.save(ROOT / "artifacts")
    raw = path.with_name("bench-serving-rounds.json")
    raw.write_text(json.dumps(bench.results, indent=1) + "\n", encoding="utf-8")
    print(f"written to {path} and {raw}")


if __name__ == "__main__":
    main()
