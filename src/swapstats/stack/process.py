"""A real server as a child process: started, watched, paused, killed and stopped by its pid.

Each server's module knows its command line and how to tell that it answers; what all share is
here. Nothing is left behind: a server dies with the process that started it.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from swapstats.errors import SwapstatsError, UsageError
from swapstats.testing.eventually import eventually

_PR_SET_PDEATHSIG = 1
_TAIL_BYTES = 2_000
_STOP_MS = 10_000


class ServerProcess:
    """One server process that listens on loopback.

    Args:
        name: what people call it.
        command: program and arguments.
        log_path: where its output goes; appended to on a restart.
        answers: True once the server answers; called again and again until then.
        env: environment variables beside those of this process.
        cwd: its working directory.
        start_ms: how long it may take until it answers.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log_path: Path,
        answers: Callable[[], bool],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        start_ms: int = 60_000,
    ) -> None:
        self.name = name
        self._command = list(command)
        self._log_path = log_path
        self._answers = answers
        self._env = dict(os.environ) | dict(env or {})
        self._cwd = cwd
        self._start_ms = start_ms
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id; raises SwapstatsError if it was never started."""
        return self._started().pid

    @property
    def is_running(self) -> bool:
        """True from `start` until it ended, in whatever way."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, wait: bool = True) -> None:
        """Start it, and by default wait until it answers.

        Raises:
            UsageError: its program is not there.
            SwapstatsError: it ended, or did not answer in time; the end of its log is in the text.
        """
        if self.is_running:
            return
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        with self._log_path.open("ab") as log:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - commands are made by our modules
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self._env,
                    cwd=self._cwd,
                    preexec_fn=_die_with_parent,  # noqa: PLW1509 - one prctl call, no locks
                )
            except FileNotFoundError as error:
                raise UsageError(
                    f"Expected the program {self._command[0]} for {self.name}, was none: install it"
                ) from error
        if wait:
            self.wait_until_answers()

    def wait_until_answers(self) -> None:
        """Wait until the server answers; see `start` for what is raised."""
        try:
            eventually(self._answers_or_ended, self._start_ms, f"{self.name} to answer")
        except TimeoutError as error:
            raise SwapstatsError(f"{error}; its log ends with:\n{self.log_tail()}") from error
        if not self.is_running:
            raise SwapstatsError(
                f"Expected {self.name} to run, was an exit with {self._started().returncode}; its "
                f"log ends with:\n{self.log_tail()}"
            )

    def stop(self) -> None:
        """End it gracefully, or with force after some seconds; harmless if it has ended."""
        if self._process is None:
            return
        if self.is_running:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
        try:
            self._process.wait(_STOP_MS / 1_000)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it with SIGKILL and wait for that."""
        process = self._started()
        if process.poll() is None:
            process.kill()
        process.wait()

    def pause(self) -> None:
        """Stop it in its tracks (SIGSTOP): it holds its connections and does nothing.

        Raises:
            TimeoutError: it did not stand still within a second.
        """
        self._started().send_signal(signal.SIGSTOP)
        if sys.platform == "linux":
            eventually(lambda: _stands_still(self.pid), 1_000, f"{self.name} to stand still")

    def resume(self) -> None:
        """Let a paused server go on (SIGCONT)."""
        self._started().send_signal(signal.SIGCONT)

    def log_tail(self) -> str:
        """Last part of its output."""
        try:
            content = self._log_path.read_bytes()
        except FileNotFoundError:
            return ""
        return content[-_TAIL_BYTES:].decode(errors="replace")

    def _answers_or_ended(self) -> bool:
        return not self.is_running or self._answers()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise SwapstatsError(f"Expected {self.name} to be started, was not")
        return self._process


def free_port() -> int:
    """Choose a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """True if something accepts connections on a loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _stands_still(pid: int) -> bool:
    """True if every thread of a process is stopped (Linux)."""
    threads = Path(f"/proc/{pid}/task").glob("*/stat")
    return all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in threads)


def _die_with_parent() -> None:
    """Let the kernel end this process with the thread that started it (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
