"""A test fixture: just enough of ClickHouse's HTTP interface, in front of the embedded engine.

It lets the production client (clickhouse-connect) be tested end to end where no server can be had.
It is no server: one process, no users, no TLS, no limits. Run it as a process of its own:

    python -m swapstats.testing.clickhouse_http DIRECTORY PORT
"""

import json
import re
import sys
import threading
import zlib
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import zstandard

from swapstats.stack.process import ServerProcess, free_port, listens

_NOT_SETTINGS = frozenset(
    {
        "cancel_http_readonly_queries_on_client_close",
        "client_protocol_version",
        "compress",
        "database",
        "decompress",
        "default_format",
        "enable_http_compression",
        "http_headers_progress_interval_ms",
        "output_format_native_use_flattened_dynamic_and_json_serialization",
        "password",
        "query",
        "query_id",
        "role",
        "send_progress_in_http_headers",
        "session_id",
        "session_timeout",
        "user",
        "wait_end_of_query",
    }
)
_is_insert = re.compile(r"\s*INSERT\s+INTO\s", re.IGNORECASE).match
_is_select = re.compile(r"\s*(SELECT|WITH)\b", re.IGNORECASE).match
_insert_head = re.compile(
    rb"\s*INSERT\s+INTO\s.*?\sFORMAT\s+\w+[ \t]*\n", re.IGNORECASE | re.DOTALL
).match
_format_at_end = re.compile(r"\sFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE).search
_code = re.compile(r"Code: (\d+)").search


class _Face(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    target: ClassVar[str] = ""
    local: ClassVar[threading.local] = threading.local()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Stay silent."""

    def do_GET(self) -> None:
        """Answer a query in the URL."""
        self._serve()

    def do_POST(self) -> None:
        """Answer a query, or take an insert, in the body."""
        self._serve()

    def _serve(self) -> None:
        url = urlsplit(self.path)
        given = dict(parse_qsl(url.query, keep_blank_values=True))
        body = _decompressed(self._body(), self.headers.get("Content-Encoding"))
        if url.path == "/ping":
            self._answer(200, b"Ok.\n", {})
            return
        sql = given.get("query")
        data = body if sql else b""
        if sql is None:
            head = _insert_head(body)
            sql = body.decode() if head is None else head[0].decode()
            data = b"" if head is None else body[head.end() :]
        settings = {name: value for name, value in given.items() if name not in _NOT_SETTINGS}
        try:
            content, headers = self._carry_out(sql, data, settings, given)
        except RuntimeError as error:
            found = _code(str(error))
            code = found[1] if found else "1001"
            self._answer(500, str(error).encode(), {"X-ClickHouse-Exception-Code": code})
        else:
            self._answer(200, content, headers)

    def _carry_out(
        self, sql: str, data: bytes, settings: Mapping[str, str], given: Mapping[str, str]
    ) -> tuple[bytes, dict[str, str]]:
        connection = self._connection()
        found = _format_at_end(sql)
        core = sql[: found.start()] if found else sql
        shown = ", ".join(f"{name} = '{value}'" for name, value in settings.items())
        if _is_insert(sql) and data:
            inserter = connection.send_insert(
                f"{core} SETTINGS {shown}" if shown else core, found[1] if found else "Values"
            )
            inserter.append(data)
            done = inserter.finish()
            summary = {"written_rows": str(done.rows_written)}
            return b"", {"X-ClickHouse-Summary": json.dumps(summary)}
        kind = found[1] if found else given.get("default_format", "TabSeparated")
        if shown and _is_select(core):
            core = f"{core} SETTINGS {shown}"
        content = connection.query(core, kind).bytes() or b""
        return content, {"X-ClickHouse-Format": kind, "X-ClickHouse-Timezone": "UTC"}

    def _connection(self) -> Any:
        if not hasattr(self.local, "connection"):
            self.local.connection = import_module("chdb").connect(self.target)
        return self.local.connection

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def clickhouse_http(directory: Path, log_path: Path) -> tuple[ServerProcess, str]:
    """Describe the fixture as a server of its own, not started yet.

    Args:
        directory: where the engine keeps everything.
        log_path: where its output goes.

    Returns:
        The server and its DSN; both outlive a restart.
    """
    port = free_port()
    command = [sys.executable, "-m", __name__, str(directory), str(port)]
    server = ServerProcess("ClickHouse over HTTP", command, log_path, lambda: listens(port))
    return server, f"clickhouse://default:@127.0.0.1:{port}"


def main() -> None:
    """Serve until the process ends."""
    directory, port = Path(sys.argv[1]), int(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    _Face.target = f"{directory.absolute()}?async_insert=0"
    kept = import_module("chdb").connect(_Face.target)
    kept.query("SELECT 1")
    ThreadingHTTPServer(("127.0.0.1", port), _Face).serve_forever()


def _decompressed(body: bytes, encoding: str | None) -> bytes:
    if encoding == "gzip":
        return zlib.decompress(body, wbits=31)
    if encoding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    if encoding == "lz4":
        content: bytes = import_module("lz4.frame").decompress(body)
        return content
    return body


if __name__ == "__main__":
    main()
