"""`swapstats run` as a process of its own: started, watched through its log lines, asked, ended.

Ports are chosen by the system and read from the log, so that any number of services run at once.
"""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from swapstats.testing.eventually import eventually

START_MS_MAX = 120_000
DEMO = ("--source", "demo", "--set", "source.demo.rate=20", "--set", "source.demo.tokens=30")
"""A small market: its ten minutes of past are there within a second or two."""


def clean_environment() -> dict[str, str]:
    """This process's environment without anything that would set the command's settings."""
    ours = ("SWAPSTATS_", "WINDOWS", "BUCKET_STEP")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


class ServiceProcess:
    """One life of a service.

    Args:
        data_dir: its data directory.
        said_dir: where its log lines are kept, a file for each life.
        arguments: of `swapstats run`, after the addresses.
    """

    def __init__(
        self, data_dir: Path, said_dir: Path, *arguments: str, api: str = "127.0.0.1:0"
    ) -> None:
        self.data_dir = data_dir
        life = sum(1 for _ in said_dir.glob(f"{data_dir.name}.*.log"))
        self._said = said_dir / f"{data_dir.name}.{life}.log"
        command = [sys.executable, "-m", "swapstats", "run", "--data-dir", str(data_dir)]
        command += ["--api-http-addr", api, "--log-format", "json"]
        for name in ("prometheus", "pprof"):
            command += ["--set", f"metrics.{name}=127.0.0.1:0"]
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=clean_environment(),
            )

    @property
    def said(self) -> str:
        """Everything it has written so far."""
        return self._said.read_text(encoding="utf-8", errors="replace")

    def events(self, name: str) -> list[dict[str, Any]]:
        """Log lines of one name."""
        whole = [line for line in self.said.splitlines() if line.startswith("{")]
        found = []
        for line in whole:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # half written
            if event.get("event") == name:
                found.append(event)
        return found

    def event(self, name: str) -> dict[str, Any]:
        """Wait for a log line of this name."""

        def found() -> list[dict[str, Any]]:
            assert self.process.poll() is None or self.events(name), self.said
            return self.events(name)

        return eventually(found, START_MS_MAX, f"the log line {name!r}")[0]

    @property
    def url(self) -> str:
        """Where page and API are."""
        return str(self.event("page and API")["url"])

    def get(self, path: str, base: str | None = None) -> tuple[int, bytes]:
        """Ask; returns status and body. Status 0: nobody answers."""
        try:
            with urllib.request.urlopen(f"{base or self.url}{path}", timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except OSError:
            return 0, b""

    def ask(self, path: str) -> dict[str, Any]:
        """Ask the API for something that must be there."""
        status, body = self.get(path)
        assert status == 200, (status, body, self.said)
        found: dict[str, Any] = json.loads(body, parse_float=str)
        return found

    def ready(self) -> "ServiceProcess":
        """Wait until it is ready."""
        eventually(lambda: self.get("/readyz")[0] == 200, START_MS_MAX, "the service to be ready")
        return self

    def status(self) -> dict[str, Any]:
        """What the service says of itself."""
        return self.ask("/api/status")

    def applied(self, least: int) -> dict[str, Any]:
        """Wait until so many swaps were applied; returns the status."""

        def found() -> dict[str, Any] | None:
            assert self.process.poll() is None, self.said
            status = self.status()
            return status if status["counters"]["applied"] >= least else None

        told = eventually(found, START_MS_MAX, f"{least} swaps to be applied")
        assert told is not None
        return told

    def metrics(self) -> dict[str, float]:
        """Scrape: name with labels -> value."""
        status, body = self.get("/metrics", f"http://{self.event('metrics')['address']}")
        assert status == 200
        lines = [line for line in body.decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; returns the exit status."""
        self.process.send_signal(number)
        return self.process.wait(30)

    def close(self) -> None:
        """Kill it if it still runs."""
        self.process.kill()
        self.process.wait()


def swapstats(
    *arguments: object, stdin: bytes = b"", timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run another command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "swapstats", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=timeout_s,
        check=False,
        env=clean_environment(),
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )
