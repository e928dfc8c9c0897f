"""A small HTTP server in threads of its own, for the ports that operators look at.

It answers GET and HEAD even while the event loop is busy or stuck, which is when people look.
It never serves the product: that is `roles.api`.
"""

import errno
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from swapstats.errors import SettingsError

CONNECTIONS_MAX = 16
SOCKET_TIMEOUT_S = 5
QUERY_FIELDS_MAX = 16

_BIND_ERRORS = {
    errno.EADDRINUSE: "which another process listens on: stop it or set another address",
    errno.EACCES: "which this user may not listen on: set a port above 1023",
    errno.EADDRNOTAVAIL: "which this machine does not have: set one of its own addresses",
}


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked for.

    Attributes:
        path: decoded by nobody, without the query.
        query: fields of the query; of repeated ones the last.
        headers: names in lower case; of repeated ones the last.
    """

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What it gets.

    Attributes:
        status: HTTP status.
        body: the bytes.
        content_type: their media type.
    """

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


def parse_address(text: str, host_default: str) -> tuple[str, int]:
    """Read `host:port`; brackets around an IPv6 host.

    Args:
        text: the address; an empty host means `host_default`, port 0 any free port.
        host_default: host for an address such as `:9091`.

    Returns:
        Host and port.

    Raises:
        SettingsError: it is not an address.

    >>> parse_address("[::1]:6060", ""), parse_address(":0", "127.0.0.1")
    (('::1', 6060), ('127.0.0.1', 0))
    """
    host, colon, port = text.strip().rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    digits = port.isascii() and port.isdigit()
    if not colon or not digits or int(port) > 65_535 or (":" in host and not bracketed):
        raise SettingsError(f"Expected an address such as 127.0.0.1:9091, was {text!r}")
    return (host[1:-1] if bracketed else host) or host_default, int(port)


class HttpThread:
    """A listening server; it runs from construction until `close`.

    Args:
        host: name or IP address to listen on.
        port: port, 0 for any free one.
        answer: called for every request, in a thread of its own; what it raises is a 500.
        name: what it is, for messages and thread names.

    Raises:
        SettingsError: the address cannot be listened on; the message says why.
    """

    def __init__(
        self, host: str, port: int, answer: Callable[[Request], Answer], *, name: str
    ) -> None:
        try:
            self._server = _Server(host, port, answer)
        except OSError as error:
            why = _BIND_ERRORS.get(error.errno or 0, f"which cannot be used: {error.strerror}")
            raise SettingsError(
                f"Expected a free address for {name}, was {_written(host, port)}, {why}"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name=name, daemon=True
        )
        self._thread.start()

    @property
    def host(self) -> str:
        """Address listened on."""
        return str(self._server.server_address[0])

    @property
    def port(self) -> int:
        """Port listened on, never 0."""
        return int(self._server.server_address[1])

    @property
    def address(self) -> str:
        """Both, as people write them."""
        return _written(self.host, self.port)

    def close(self) -> None:
        """Stop listening, break open connections, wait for the threads; again does nothing."""
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._thread.join()
        self._server.break_connections()
        self._server.server_close()


class _Server(ThreadingMixIn, TCPServer):
    """Counts its connections, and can break them."""

    allow_reuse_address = True
    daemon_threads = False
    block_on_close = True
    request_queue_size = 16

    def __init__(self, host: str, port: int, answer: Callable[[Request], Answer]) -> None:
        self.answer = answer
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Exchange)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Refuse connections beyond the limit."""
        del client_address
        with self._open_lock:
            if len(self._open) >= CONNECTIONS_MAX:
                return False
            self._open.add(request)
        return True

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection and close it."""
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def break_connections(self) -> None:
        """Make threads that wait for a client return at once."""
        with self._open_lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:  # the client was faster
                    continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: what can fail here is a client that went away or timed out."""


class _Exchange(BaseHTTPRequestHandler):
    """One connection: one request, one answer."""

    server: _Server
    timeout = SOCKET_TIMEOUT_S
    server_version = "swapstats"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer."""
        self._respond(with_body=True)

    def do_HEAD(self) -> None:
        """Answer without the body."""
        self._respond(with_body=False)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Stay silent: operators' tools ask every few seconds."""

    def _respond(self, *, with_body: bool) -> None:
        """Hand the request over and write what comes back."""
        answer = self._answer()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if with_body:
            self.wfile.write(answer.body)

    def _answer(self) -> Answer:
        """Ask the owner; a mistake in it must not kill the server."""
        try:
            split = urlsplit(self.path)
            query = dict(parse_qsl(split.query, True, max_num_fields=QUERY_FIELDS_MAX))
        except ValueError as error:
            return Answer(400, f"Expected a path and a query, was {error}\n".encode())
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            return self.server.answer(Request(split.path, query, headers))
        except Exception as error:  # noqa: BLE001 - top of a request's life: told, not lost
            return Answer(
                500, f"Expected an answer, was {type(error).__name__}: {error}\n".encode()
            )


def _written(host: str, port: int) -> str:
    """Write an address, with brackets where IPv6 needs them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
