"""A real Postgres that can be killed, paused, and started again with its data."""

import contextlib
import os
import signal
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest


class PostgresServer:
    """Postgres on a socket, as a context; what needs it is skipped where there is none.

    It runs as a user of its own where the tests run as root, who could not enter pytest's folders.

    Attributes:
        dsn: where it is, in every life.
    """

    def __init__(self) -> None:
        self.dsn = ""
        self._directory = tempfile.TemporaryDirectory(prefix="postgres-")
        self._server: Any = None

    def __enter__(self) -> Self:
        pgserver = pytest.importorskip("pgserver", reason="pgserver, a Postgres, is not installed")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._server = pgserver.get_server(f"{self._directory.name}/data")
        self.dsn = self._server.get_uri()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._signal(signal.SIGCONT)
        self._server.cleanup()
        self._directory.cleanup()

    def pause(self) -> Callable[[], None]:
        """Stop all of it where it stands; returns what lets it go on."""
        self._signal(signal.SIGSTOP)
        return lambda: self._signal(signal.SIGCONT)

    def kill(self) -> Callable[[], None]:
        """End all of it at once; returns what starts it again."""
        self._signal(signal.SIGKILL)
        return self._server.ensure_postgres_running  # type: ignore[no-any-return] # has no types

    def _signal(self, number: signal.Signals) -> None:
        """Tell the first process and its children."""
        postmaster = self._server.get_pid()
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children")
        pids = [postmaster]
        with contextlib.suppress(FileNotFoundError):
            pids += map(int, children.read_text().split())
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
