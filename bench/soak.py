"""A long run of everything at a steady rate, watched: see `docs/BENCHMARKS_SERVERS.md`.

Windows are short, so that the state is full long before the second half, which is judged.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from swapstats.model.window import parse_span
from swapstats.roles.bench.figures import Figure, Findings
from swapstats.roles.bench.line_plot import Panel, plot
from swapstats.roles.bench.machine import this_machine
from swapstats.roles.bench.steadiness import (
    MEMORY,
    Sample,
    growth_figure,
    held,
    memory_figure,
    second_half,
)
from swapstats.settings.kinds import Raw
from swapstats.stack.local_stack import LocalStack

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where `bench` is, for a script
from bench.load.processes import cpu_s
from bench.load.roles import Role, clean_environment, end_on_signals, resident_mib, summed

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PICTURE = ROOT / "docs" / "pictures" / "soak.svg"
EVERY_S = 5.0
AGGREGATORS = 2
LAG_MAX_MS = 1_000.0
READY_S_MAX = 600.0
KIB = 1 << 10
SAVED, UNARCHIVED = "saved KiB ", "unarchived MiB "


class Soak:
    """Everything that runs, and what is seen of it.

    Args:
        stack: the servers.
        clients: WebSocket clients.

    Attributes:
        empty_mib: memory of aggregators and API before the first swap.
    """

    def __init__(self, stack: LocalStack, clients: int) -> None:
        self.stack = stack
        self.roles: dict[str, Role] = {}
        self.begun = time.perf_counter()
        self.before: dict[str, float] = {}
        self.empty_mib: dict[str, float] = {}
        self._watch: subprocess.Popen[bytes] | None = None
        self._clients = clients

    def start(self) -> None:
        """Start all roles, wait until the API has caught up, start the clients."""
        for number in range(AGGREGATORS):
            self._start(f"aggregate {number + 1}")
        self._start("serve", "--api-http-addr", "127.0.0.1:0")
        for name, role in self.roles.items():
            role.word("metrics", "address")
            self.empty_mib[name] = resident_mib(role.process.pid)
        self._start("ingest", "--source", "demo")
        self.await_lag(LAG_MAX_MS, "the API to catch up")
        url = self.roles["serve"].word("page and API", "url")
        command = [sys.executable, str(HERE / "load" / "ws_watch.py"), "--url", url]
        self._watch = subprocess.Popen(
            [*command, "--clients", str(self._clients)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.begun = time.perf_counter()

    def _start(self, name: str, *arguments: str) -> None:
        said = self.stack.directory / f"{name.replace(' ', '-')}.log"
        config = self.stack.config_path
        self.roles[name] = Role(name.partition(" ")[0], config, said, *arguments)

    def sample(self) -> Sample:
        """Look at everything once."""
        load = os.getloadavg()[0]
        found: dict[str, float] = {"s": time.perf_counter() - self.begun, "load": load}
        for name, role in self.roles.items():
            if role.process.poll() is not None:
                raise RuntimeError(f"Expected {name} to run, was {role.said.read_text()[-2_000:]}")
            found[f"{MEMORY}{name}"] = resident_mib(role.process.pid)
            found[f"cpu {name}"] = cpu_s(role.process.pid)
        for broker in self.stack.kafka.brokers:
            found[f"{MEMORY}Kafka"] = resident_mib(broker.pid)
        for server in self.stack.servers():
            found[f"{MEMORY}{server.name}"] = resident_mib(server.pid)
        lags = []
        for name, role in self.roles.items():
            if name.startswith("aggregate"):
                lags.append(self._stream(name, role, found))
        found["swaps"] = sum(found[key] for key in found if key.startswith("swaps "))
        found["lag_s"] = max(lags)
        status = self.roles["serve"].answer("/api/status")
        found["api lag_ms"] = status["lag_ms"]
        found["tokens"] = status["tokens"]
        return found

    def _stream(self, name: str, role: Role, found: dict[str, float]) -> float:
        """What one aggregator says of its stream; returns its lag."""
        told = role.figures()
        found[f"swaps {name}"] = summed(told, "events_ingested_total")
        found[f"applied {name}"] = summed(told, "events_applied_total")
        ends, nexts = summed(told, "log_end_offset"), summed(told, "next_offset")
        found[f"unread {name}"] = ends - nexts
        found[f"{UNARCHIVED}{name}"] = summed(told, "clickhouse_waiting_bytes") / 2**20
        for part, metric in (("bytes", "snapshot_bytes"), ("duration", "snapshot_duration_ms")):
            total, count = told[f"{metric}_sum"], told[f"{metric}_count"]
            new = total - self.before.get(f"{part} {name}", 0.0)
            rounds = count - self.before.get(f"{part} count {name}", 0.0)
            self.before |= {f"{part} {name}": total, f"{part} count {name}": count}
            if part == "bytes":
                found[f"{SAVED}{name}"] = new / KIB
            elif rounds:
                found[f"saved ms {name}"] = new / rounds
        lag = [told[key] for key in told if key.startswith("consumer_lag_seconds")]
        return max(lag, default=0.0)

    def await_lag(self, limit_ms: float, what: str) -> None:
        """Wait until the API is ready and no further behind than this."""
        status: dict[str, Any] = {"ready": False}
        until = time.monotonic() + READY_S_MAX
        while time.monotonic() < until:
            with contextlib.suppress(OSError):  # it answers 503 until then
                status = self.roles["serve"].answer("/api/status")
            if status["ready"] and status["lag_ms"] <= limit_ms and status["tokens"]:
                return
            time.sleep(0.2)
        raise RuntimeError(f"Expected {what} within {READY_S_MAX:g} s, was {status}")

    def finish(self) -> dict[str, Any]:
        """End the clients, then the stream, then all roles; returns what clients saw."""
        assert self._watch is not None
        out, _ = self._watch.communicate()
        if self._watch.returncode:
            raise RuntimeError(f"Expected ws_watch.py to end well, was {self._watch.returncode}")
        seen: dict[str, Any] = json.loads(out)
        self.roles["ingest"].end()
        self.await_lag(0.0, "everything to be read")
        for role in self.roles.values():
            if role.process.poll() is None:
                role.end()
        return seen

    def close(self) -> None:
        """Kill what still runs."""
        for role in self.roles.values():
            role.close()
        if self._watch is not None and self._watch.poll() is None:
            self._watch.kill()
            self._watch.wait()


def figures(
    samples: Sequence[Sample],
    widest_s: float,
    clients: dict[str, Any],
    empty_mib: dict[str, float],
) -> Iterator[Figure]:
    half = second_half(samples)
    span_s = half[-1]["s"] - half[0]["s"]
    rate = (half[-1]["swaps"] - half[0]["swaps"]) / span_s
    yield Figure("swaps coming in, repeated ones included", rate, "swaps/s")
    yield Figure.spread("load average of the machine", [sample["load"] for sample in half], "")
    for role in [key for key in samples[0] if key.startswith(MEMORY)]:
        name = role.removeprefix(MEMORY)
        total = f"applied {name}"
        in_windows = held(samples, total, widest_s)[-1] if total in samples[0] else 0.0
        yield memory_figure(samples, role, in_windows, empty_mib.get(name, 0.0))
        if f"cpu {name}" in samples[0]:
            yield growth_figure(samples, role, "swaps")
            used = (half[-1][f"cpu {name}"] - half[0][f"cpu {name}"]) / span_s
            yield Figure(f"{name}: processor time", used, "cores")
    yield Figure.spread(
        "lag of the aggregators (age of the oldest unread record)",
        [sample["lag_s"] * 1_000 for sample in half], "ms", LAG_MAX_MS, at_least=False,
    )  # fmt: skip
    yield Figure.spread(
        "lag_ms of the API", [sample["api lag_ms"] for sample in half], "ms", LAG_MAX_MS,
        at_least=False,
    )  # fmt: skip
    for saved in [key for key in samples[0] if key.startswith(SAVED)]:
        yield Figure.spread(
            f"{saved.removeprefix(SAVED)}: checkpoints written in {EVERY_S:g} s",
            [sample[saved] for sample in half], "KiB",
        )  # fmt: skip
    for waiting in [key for key in samples[0] if key.startswith(UNARCHIVED)]:
        yield Figure.spread(
            f"{waiting.removeprefix(UNARCHIVED)}: waiting for the archive",
            [sample[waiting] for sample in half], "MiB",
        )  # fmt: skip
    for member in ("broken", "lost"):
        yield Figure(
            f"WebSocket clients: {member}", float(clients[member]), "", 0.0, at_least=False,
            note=clients["first"] if member == "broken" else f"{clients['patches']:,} patches read",
        )  # fmt: skip


def picture(samples: Sequence[Sample]) -> str:
    minutes = [sample["s"] / 60 for sample in samples]

    def lines(prefix: str) -> dict[str, list[float]]:
        names = [key for key in samples[0] if key.startswith(prefix)]
        return {
            name.removeprefix(prefix): [sample.get(name, 0.0) for sample in samples]
            for name in names
        }

    lag = {
        "aggregators": [sample["lag_s"] * 1_000 for sample in samples],
        "API": [sample["api lag_ms"] for sample in samples],
    }
    panels = [
        Panel("memory, MiB", lines(MEMORY)),
        Panel("lag, ms", lag),
        Panel(f"checkpoints written in {EVERY_S:g} s, KiB", lines(SAVED)),
        Panel("records unread", lines("unread ")),
        Panel("records waiting for the archive, MiB", lines(UNARCHIVED)),
    ]
    return plot(minutes, [panel for panel in panels if panel.lines])


def audited(stack: LocalStack) -> Figure:
    done = subprocess.run(
        [sys.executable, "-m", "swapstats", "audit", "--config", str(stack.config_path)],
        stdout=subprocess.PIPE, text=True, check=False, env=clean_environment({}),
    )  # fmt: skip
    told = [line for line in done.stdout.splitlines() if "difference" in line or "sum of" in line]
    wrong = float(done.returncode != 0 or "no difference" not in told)
    note = "; ".join(told[-4:])
    return Figure("audit: differences found", wrong, "", 0.0, at_least=False, note=note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=int, default=3_000, help="swaps a second")
    parser.add_argument("--windows", default="1m,5m,10m", help="full before the second half")
    parser.add_argument("--clients", type=int, default=5, help="WebSocket clients")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="where the plot goes")
    parser.add_argument("--no-archive", action="store_true", help="keep no raw swaps")
    given = parser.parse_args()
    end_on_signals()
    windows = tuple(given.windows.split(","))
    widest_s = max(map(parse_span, windows)) / 1_000
    if given.minutes * 30 < widest_s:
        parser.error(f"Expected at least {widest_s / 30:g} minutes for windows of {windows[-1]}")
    found = Findings("soak", this_machine())
    found.method.append(
        f"{given.minutes:g} minutes of the demo market at {given.rate:,} swaps/s: one ingest, "
        f"{AGGREGATORS} aggregators of 12 partitions, one API, {given.clients} WebSocket clients, "
        f"all on one machine with Kafka, Redis (every write on the disk), NATS and "
        f"{'no archive' if given.no_archive else 'an archive in chdb, if that is installed'}. "
        f"Windows {given.windows}: the state is full from {widest_s / 60:g} minutes on; the second "
        f"half is judged. A sample every {EVERY_S:g} s; growth is the median of all slopes."
    )
    artifacts = ROOT / "artifacts"
    artifacts.mkdir(exist_ok=True)
    extra: dict[str, Raw] = {"app.windows": windows, "source.demo.rate": str(given.rate)}
    if given.no_archive:
        extra["stores.archive"] = "off"
    with (
        tempfile.TemporaryDirectory(dir=artifacts) as place,
        LocalStack(Path(place), extra=extra) as stack,
    ):
        samples, seen, empty_mib = run(stack, given, artifacts / "soak.jsonl")
        found.figures += [*figures(samples, widest_s, seen, empty_mib), audited(stack)]
    given.picture.parent.mkdir(parents=True, exist_ok=True)
    given.picture.write_text(picture(samples), encoding="utf-8")
    print(found.text())
    print(f"written to {found.save(artifacts)}, {artifacts / 'soak.jsonl'} and {given.picture}")
    sys.exit(1 if found.missed else 0)


def run(
    stack: LocalStack, given: argparse.Namespace, path: Path
) -> tuple[list[Sample], dict[str, Any], dict[str, float]]:
    """Run for the time that was asked for; samples are in the file as they come."""
    samples: list[Sample] = []
    soak = Soak(stack, given.clients)
    try:
        soak.start()
        until = time.perf_counter() + given.minutes * 60
        with path.open("w", encoding="utf-8") as lines:
            while time.perf_counter() < until:
                due = time.perf_counter() + EVERY_S
                samples.append(soak.sample())
                lines.write(json.dumps(samples[-1]) + "\n")
                lines.flush()
                if len(samples) % 12 == 1:
                    last = samples[-1]
                    print(
                        f"  {last['s'] / 60:.1f} min: {last['swaps']:,.0f} swaps, lag "
                        f"{last['lag_s']:.2f} s, API {last['api lag_ms']:.0f} ms", flush=True,
                    )  # fmt: skip
                time.sleep(max(0.0, due - time.perf_counter()))
        return samples, soak.finish(), soak.empty_mib
    finally:
        soak.close()


if __name__ == "__main__":
    main()
