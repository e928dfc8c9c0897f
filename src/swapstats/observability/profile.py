"""The profiling endpoint: where the time and the memory of a running process go.

For operators on the same machine: it listens on loopback only and refuses requests that a web
page made a browser send. It changes nothing but, on demand, whether allocations are traced.
"""

import gc
import ipaddress
import sys
import threading
import traceback
import tracemalloc
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from swapstats.errors import SettingsError, UsageError
from swapstats.observability.http_thread import Answer, HttpThread, Request, parse_address
from swapstats.observability.stack_sampler import sample_stacks

if TYPE_CHECKING:
    from collections.abc import Callable

ADDRESS_DEFAULT = "127.0.0.1:6060"
SECONDS_DEFAULT = 5
SECONDS_MAX = 60
HEAP_LINES = 50
TRACE_FRAMES_MAX = 25

_LINKS = (
    ("profile?seconds=5&format=text", "functions by CPU time"),
    ("profile?seconds=5", "folded stacks, for flame graph tools and speedscope"),
    ("profile?seconds=5&mode=wall", "the same by samples, waiting threads included"),
    ("heap", "memory; ?trace=start and ?trace=stop switch the tracing of allocations"),
    ("threads", "what every thread is doing now"),
)


class ProfileServer:
    """Listens from construction until `close`, which also ends a profile under way.

    Args:
        address: `host:port` on loopback; no host means 127.0.0.1, port 0 any free port.

    Raises:
        SettingsError: the address is none, is not loopback, or cannot be listened on.
    """

    def __init__(self, address: str = ADDRESS_DEFAULT) -> None:
        host, port = parse_address(address, "127.0.0.1")
        if not _is_loopback(host):
            raise SettingsError(
                f"Expected a loopback address such as {ADDRESS_DEFAULT} for the profile server, "
                f"was {address}: stacks and memory are nobody else's business"
            )
        self._stop = threading.Event()
        self._busy = threading.Lock()
        self._pages: dict[str, Callable[[Request], Answer]] = {
            "/debug/pprof/": self._index,
            "/debug/pprof/profile": self._profile,
            "/debug/pprof/heap": self._heap,
            "/debug/pprof/threads": self._threads,
        }
        self._thread = HttpThread(host, port, self._answer, name="profile server")

    @property
    def address(self) -> str:
        """Where it listens, `host:port`."""
        return self._thread.address

    def close(self) -> None:
        """Stop; the address is free afterwards. Tracing of allocations stays as it is."""
        self._stop.set()
        self._thread.close()

    def _answer(self, request: Request) -> Answer:
        """Find the page; one at a time of those that cost something."""
        foreign = _foreign(request)
        if foreign is not None:
            return _text(403, f"Expected a request from this machine, was {foreign}")
        page = self._pages.get(request.path)
        if page is None:
            return _text(404, f"Expected one of {', '.join(self._pages)}, was {request.path}")
        try:
            return page(request)
        except UsageError as error:
            return _text(400, str(error))

    def _index(self, request: Request) -> Answer:
        """List the pages."""
        del request
        lines = [
            f'<li><a href="{escape(link)}">{escape(link)}</a>: {escape(meaning)}'
            for link, meaning in _LINKS
        ]
        head = "<!doctype html><title>swapstats profile</title><h1>swapstats profile</h1><ul>"
        return Answer(200, "\n".join([head, *lines]).encode(), "text/html; charset=utf-8")

    def _profile(self, request: Request) -> Answer:
        """Sample all threads for some seconds."""
        seconds = _number(request, "seconds", SECONDS_DEFAULT, 1, SECONDS_MAX)
        hz = _number(request, "hz", 100, 1, 1_000)
        style = _choice(request, "format", ("folded", "text"))
        mode = _choice(request, "mode", ("cpu", "wall"))
        if not self._busy.acquire(blocking=False):
            return _text(409, "Expected one profile at a time, was asked for a second: try again")
        try:
            profile = sample_stacks(
                seconds * 1_000, self._stop, hz=hz, mode="cpu" if mode == "cpu" else "wall"
            )
        finally:
            self._busy.release()
        body = profile.folded() if style == "folded" else profile.table()
        return Answer(200, body.encode())

    def _heap(self, request: Request) -> Answer:
        """Say how much memory is used and, while tracing, by which lines."""
        trace = _choice(request, "trace", ("", "start", "stop"))
        frames = _number(request, "frames", 1, 1, TRACE_FRAMES_MAX)
        if not self._busy.acquire(blocking=False):
            return _text(409, "Expected one profile at a time, was asked for a second: try again")
        try:
            if trace == "start":
                tracemalloc.start(frames)
            elif trace == "stop":
                tracemalloc.stop()
            return Answer(200, (_memory() + _allocations()).encode())
        finally:
            self._busy.release()

    def _threads(self, request: Request) -> Answer:
        """Dump the stack of every thread."""
        del request
        names = {thread.ident: thread for thread in threading.enumerate()}
        parts = []
        for ident, frame in sys._current_frames().items():  # noqa: SLF001 - the documented way
            thread = names.get(ident)
            kind = ", daemon" if thread is not None and thread.daemon else ""
            name = "not started by Python" if thread is None else f"{thread.name}{kind}"
            parts.append(f"thread {ident} ({name})\n{''.join(traceback.format_stack(frame))}")
        return Answer(200, "\n".join(parts).encode())


def _memory() -> str:
    """Write resident memory and the garbage collector's figures."""
    lines = ["memory of the process"]
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        lines += [
            f"  {words[0]:<8} {int(words[1]) * 1_024:>15,} bytes  {meaning}"
            for words in map(str.split, status.splitlines())
            for key, meaning in (("VmRSS:", "resident"), ("VmHWM:", "resident at its peak"))
            if words and words[0] == key
        ]
    except OSError:
        lines.append("  resident memory: this system does not tell")
    lines.append("garbage collector, youngest generation first")
    for waiting, stats in zip(gc.get_count(), gc.get_stats(), strict=True):
        lines.append(
            f"  {waiting:>9,} since the last run, {stats['collections']:>9,} runs, "
            f"{stats['collected']:>9,} collected, {stats['uncollectable']} uncollectable"
        )
    return "\n".join(lines) + "\n\n"


def _allocations() -> str:
    """Write the lines that hold the most traced memory."""
    if not tracemalloc.is_tracing():
        return (
            "Allocations are not traced. ?trace=start begins to (Python code then runs about half "
            "as fast and each block costs some 100 bytes more); read this page again after a "
            "while (which stops the process for a moment); ?trace=stop ends it. Only blocks "
            "allocated while tracing are seen.\n"
        )
    snapshot = tracemalloc.take_snapshot()
    held_bytes, peak_bytes = tracemalloc.get_traced_memory()
    tracing_bytes = tracemalloc.get_tracemalloc_memory()
    lines = [
        f"traced: {held_bytes:,} bytes held, {peak_bytes:,} at the peak",
        f"the tracing itself takes {tracing_bytes:,} bytes; ?trace=stop ends it",
        "",
        f"{'bytes':>15}  {'blocks':>10}  line",
    ]
    lines += [
        f"{statistic.size:>15,}  {statistic.count:>10,}  "
        f"{statistic.traceback[0].filename}:{statistic.traceback[0].lineno}"
        for statistic in snapshot.statistics("lineno")[:HEAP_LINES]
    ]
    return "\n".join(lines) + "\n"


def _is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _foreign(request: Request) -> str | None:
    """Say what shows that a web page is behind a request; None if nothing does.

    A page may point a name of its own at 127.0.0.1 and read the answer; it cannot forge Host.
    """
    host = request.headers.get("host", "localhost")
    try:
        name, _port = parse_address(host, "")
    except SettingsError:
        name = host.strip("[]")
    if not _is_loopback(name):
        return f"Host: {host}"
    site = request.headers.get("sec-fetch-site", "none")
    return None if site in {"none", "same-origin"} else f"Sec-Fetch-Site: {site}"


def _number(request: Request, name: str, default: int, low: int, high: int) -> int:
    """Read a whole number from the query."""
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
        raise UsageError(f"Expected {name} from {low} to {high}, was {text!r}")
    return int(text)


def _choice(request: Request, name: str, known: tuple[str, ...]) -> str:
    """Read one of some words from the query; the first is the default."""
    word = request.query.get(name, known[0])
    if word not in known:
        raise UsageError(f"Expected {name} of {', '.join(filter(None, known))}, was {word!r}")
    return word


def _text(status: int, line: str) -> Answer:
    """Answer with one line."""
    return Answer(status, f"{line}\n".encode())
