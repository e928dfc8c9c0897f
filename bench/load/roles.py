"""Roles of a deployment as processes: started on a core of choice, watched, asked, ended.

It measures nothing but processor time and memory.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

START_S_MAX = 60.0
END_S_MAX = 60.0
LOOK_S = 0.02


def end_on_signals() -> None:
    """Let signals end this process in good order, so that what it started ends too."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))


@contextlib.contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Keep what is started meanwhile on one core; None = where this process may run."""
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment, with these settings of swapstats and no others."""
    ours = ("SWAPSTATS_", "WINDOWS", "BUCKET_STEP")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    given = {f"SWAPSTATS_{key.upper().replace('.', '_')}": settings[key] for key in settings}
    return kept | given


class Role:
    """One life of one role.

    Args:
        name: `ingest`, `aggregate` or `serve`.
        config: the stack's configuration.
        said: file for its log lines.
        arguments: further ones.
        settings: settings that differ from the configuration, by dotted key.
        core: where it runs; None = anywhere.
        profile: file for a profile of its main thread; None = none.

    Attributes:
        begun: when it was started, by `time.perf_counter`.
    """

    def __init__(
        self,
        name: str,
        config: Path,
        said: Path,
        *arguments: str,
        settings: Mapping[str, str] | None = None,
        core: int | None = None,
        profile: Path | None = None,
    ) -> None:
        self.said = said
        command = [sys.executable]
        if profile is not None:
            command += ["-m", "cProfile", "-o", str(profile)]
        command += ["-m", "swapstats", name, "--config", str(config), "--log-format", "json"]
        self.begun = time.perf_counter()
        with self.said.open("wb") as lines, on_core(core):
            self.process = subprocess.Popen(
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=lines,
                stderr=subprocess.STDOUT,
                env=clean_environment(settings or {}),
            )

    def word(self, event: str, member: str) -> str:
        """Wait for a log line and take a member of it."""
        until = time.monotonic() + START_S_MAX
        while time.monotonic() < until and self.process.poll() is None:
            for line in self.said.read_text(encoding="utf-8").splitlines():
                if f'"{event}"' in line and line.endswith("}"):
                    return str(json.loads(line)[member])
            time.sleep(LOOK_S)
        raise RuntimeError(f"Expected the log line {event!r}, was {self.said.read_text()}")

    def get(self, path: str, base: str) -> bytes:
        """Ask it for a path under `host:port`."""
        with urllib.request.urlopen(f"http://{base}{path}", timeout=30) as answer:
            return bytes(answer.read())

    def figures(self) -> dict[str, float]:
        """Scrape its metrics: name with labels -> value."""
        lines = self.get("/metrics", self.word("metrics", "address")).decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def answer(self, path: str) -> Any:
        """Ask its API for JSON."""
        return json.loads(self.get(path, self.word("page and API", "url").split("//")[1]))

    def end(self) -> None:
        """End it gracefully; raises RuntimeError if it did not end well."""
        self.process.terminate()
        if self.process.wait(END_S_MAX):
            raise RuntimeError(f"Expected a good end, was {self.said.read_text()[-2_000:]}")

    def close(self) -> None:
        """Kill it if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def summed(figures: Mapping[str, float], name: str) -> float:
    """A metric over all its labels."""
    return sum(figures[key] for key in figures if key.split("{")[0] == name)


def resident_mib(pid: int) -> float:
    """Memory of a process in RAM; 0 if it has ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+)", text)
        return int(found[1]) / 1_024 if found else 0.0
    return 0.0


def written_bytes(pid: int) -> int:
    """What a process has handed to files and sockets so far."""
    text = Path(f"/proc/{pid}/io").read_text(encoding="ascii")
    found = re.search(r"wchar: (\d+)", text)
    return int(found[1]) if found else 0
